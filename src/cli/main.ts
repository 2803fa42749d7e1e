#!/usr/bin/env node
/** The `agentctl` executable: joins the program to this process, its streams and its signals. */
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-codes.ts'
import { createOutput } from './output.ts'
import { runCli } from './program.ts'

// A reader that has seen enough (`| head`) is no error; what is written after it is left is of no use to anyone.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  const output = createOutput(process, { json: process.argv.includes('--json') })
  output.fail(unwritable(error))
  process.exit(EXIT.unexpected)
})
// Without stderr there is nobody left to tell.
process.stderr.on('error', () => {})

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onInterrupt: (listener) => {
    process.on('SIGINT', listener)
    return () => void process.off('SIGINT', listener)
  },
})

function unwritable(cause: Error): CliError {
  return new CliError('CLI_OUTPUT', {
    happened: `What was answered cannot be written: ${cause.message}.`,
    expected: 'Expected a terminal, a pipe, or a file on a disk with room.',
    todo: 'Write it elsewhere; nothing was changed by asking.',
    cause,
  })
}
