/** What a command may be asked for, with units and defaults, and the refusal of values that cannot work. */

import { CommandError } from './command-error.ts'
import type { CommandEnvironment } from './executable-lookup.ts'
import type { ProcessIdentity } from './process-identity.ts'

export type CommandLogLine = { readonly stream: 'stdout' | 'stderr'; readonly text: string }

export type CommandOptions = {
  /** A program's name, looked up in PATH, or its path (relative to `cwd`). Not a line for a shell. */
  readonly command: string
  readonly args?: readonly string[]
  /** Default: the directory of this process. */
  readonly cwd?: string
  /** The whole environment, as in node's `spawn`. Default: that of this process. */
  readonly env?: CommandEnvironment
  /** What the command reads on its standard input. Default: nothing, an input that is at its end. */
  readonly input?: string | Uint8Array
  /** In ms, from the moment the command may run. Default: no limit. Above 2,147,483,647 means that number. */
  readonly timeoutMs?: number
  /** Ends the command. Aborted before the call: nothing is started. */
  readonly signal?: AbortSignal
  /**
   * Called with each line when it is complete, capped or not. If it throws it is not called again, and the log says
   * so: what watches a command does not decide its outcome.
   */
  readonly onLog?: (line: CommandLogLine) => void
  /** Lines kept in `logs`, the marker included. Default 10,000, at least 3. */
  readonly maxLogLines?: number
  /** Bytes of UTF-8 kept in `logs`. Default 1,048,576 (1 MiB), at least 64. */
  readonly maxLogBytes?: number
  /** In ms: between SIGTERM and SIGKILL, and for what the command left running when it ended. Default 2,000. */
  readonly graceMs?: number
  /**
   * Records the process; the command runs once this has resolved. If it rejects, the command never runs and
   * `runCommand` rejects with the same error. A cancel does not wait for it.
   */
  readonly onStart?: (process: ProcessIdentity) => Promise<void>
}

/** @throws CommandError `CMD_INVALID_OPTION` */
export function checkOptions(options: CommandOptions): void {
  const { command, args = [], maxLogLines = 3, maxLogBytes = 64, timeoutMs = 0, graceMs = 0 } = options
  const refuse = (happened: string, expected: string): never => {
    throw new CommandError('CMD_INVALID_OPTION', {
      happened,
      expected,
      todo: 'Correct it and run the command again.',
    })
  }
  if (command === '') refuse('"command" is empty.', 'It names a program.')
  if ([command, ...args].some((word) => word.includes('\0'))) {
    refuse('"command" or "args" contains a NUL character.', 'Arguments of a process cannot hold one.')
  }
  const least = { maxLogLines: 3, maxLogBytes: 64, timeoutMs: 0, graceMs: 0 }
  for (const [name, value] of Object.entries({ maxLogLines, maxLogBytes, timeoutMs, graceMs })) {
    const from = least[name as keyof typeof least]
    // Written so that NaN is refused as well.
    if (!(value >= from)) refuse(`"${name}" is ${value}.`, `It is a number of at least ${from}.`)
  }
}
