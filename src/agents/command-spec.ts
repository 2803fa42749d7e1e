/** What is run in a child process, and what comes of it. */

/** A command to run as a child process, without a shell. */
export type CommandSpec = {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** It waits for a change, so that the same outcome again and again is no loop. */
  readonly poll?: boolean
}

/** What a command agent's run outputs. */
export type CommandOutput = { readonly exit_code: number | null; readonly signal: string | null }
