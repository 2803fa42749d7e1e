/** Shows something again whenever the log's folder has changed, until Ctrl-C: redrawn in place in a terminal. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { CliCall, CliShared } from './shared-options.ts'

const LOOK_EVERY_MS = 1000

/**
 * Reads and shows once, then after each change of the folder; while a process has it open, it says so and waits. Ctrl-C
 * is how it ends, and no error.
 *
 * @throws what `read` throws; CliError `CLI_USAGE` with `--json`
 */
export async function watch(
  { output, logPath, command }: CliCall,
  shared: CliShared,
  read: () => Promise<readonly string[]>,
): Promise<ExitCode> {
  if (output.json) throw noJson()
  const ended = new AbortController()
  const stop = shared.onInterrupt(() => ended.abort())
  let seen: string | undefined
  try {
    while (!ended.signal.aborted) {
      const now = await fingerprint(logPath)
      if (now !== seen) {
        const lines = await orOwner(read)
        // While somebody writes to it, it is looked at again and again.
        seen = lines.isOwned ? undefined : now
        // Cleared only when there is something to show, so that nothing flickers.
        if (output.isTerminal) shared.stdout.write('\u001B[H\u001B[2J')
        for (const line of lines.lines) output.line(line)
        output.say(output.paintTalk('dim', `${command} ps, at ${clockTime(shared.now())} UTC; Ctrl-C ends`))
      }
      await delay(LOOK_EVERY_MS, undefined, { signal: ended.signal }).catch(() => {})
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error
  } finally {
    stop()
  }
  return EXIT.ok
}

type Seen = { readonly lines: readonly string[]; readonly isOwned: boolean }

/** What was read; while a process has the log open, who that is. */
async function orOwner(read: () => Promise<readonly string[]>): Promise<Seen> {
  try {
    return { lines: await read(), isOwned: false }
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'CLI_LOCKED') throw error
    return { lines: [error.message], isOwned: true }
  }
}

async function fingerprint(folder: string): Promise<string> {
  const names = await readdir(join(folder, 'db')).catch((): string[] => [])
  const lines = await Promise.all(
    names.sort().map(async (name) => {
      const found = await stat(join(folder, 'db', name)).catch(() => undefined)
      return `${name} ${found?.size} ${found?.mtimeMs}`
    }),
  )
  return lines.join('\n')
}

function clockTime(now: number): string {
  return new Date(now).toISOString().slice(11, 19)
}

function noJson(): CliError {
  return new CliError('CLI_USAGE', {
    happened: '--watch draws for a person, and --json prints for a program.',
    expected: 'Expected one of them.',
    todo: 'Leave one away; a program asks again, or follows the log.',
  })
}
