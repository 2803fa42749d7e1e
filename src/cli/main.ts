#!/usr/bin/env node
/** The `agentctl` executable: joins the program to this process, its streams and its signals. */
import { runCli } from './program.ts'

// A reader that has seen enough (`| head`) is no error; what is written after it is left is of no use to anyone.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
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
