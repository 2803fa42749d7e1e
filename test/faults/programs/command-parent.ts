/**
 * A parent that runs one command and is meant to be killed while doing so.
 *
 * Arguments: `hold` or `run`, a file for the command's identity, then the command and its arguments.
 * The identity is in the file before the gate could open; with `hold` the record never completes.
 */

import { renameSync, writeFileSync } from 'node:fs'
import { runCommand } from '../../../actors/command.ts'

const [mode, identityFile = '', command = '', ...args] = process.argv.slice(2)

await runCommand({
  command,
  args,
  onStart: async (identity) => {
    // Renamed into place, so that who waits for the file never reads half of it.
    writeFileSync(`${identityFile}.new`, JSON.stringify(identity))
    renameSync(`${identityFile}.new`, identityFile)
    // Something must keep the loop alive, or node would leave by itself before it is killed.
    if (mode === 'hold') await new Promise((resolve) => setTimeout(resolve, 600_000))
  },
})
