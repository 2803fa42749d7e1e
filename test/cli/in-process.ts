/** Runs a command line in this process: the same program, with streams that remember. */
import { runCli } from '../../src/cli/program.ts'

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

export type RunOptions = {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether both streams are a terminal's. */
  readonly terminal?: boolean
  /** Of both streams; default 100. */
  readonly columns?: number
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: number
  readonly onInterrupt?: (listener: () => void) => () => void
}

export async function agentctl(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { cwd = process.cwd(), env = {}, terminal = false, columns = 100, now } = options
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stderr' | 'stdout') => ({
    isTTY: terminal,
    columns,
    write: (text: string) => {
      written[name] += text
      return true
    },
  })
  const code = await runCli(argv, {
    stdin: { isTTY: false },
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env,
    cwd,
    ...(now !== undefined && { now: () => now }),
    onInterrupt: options.onInterrupt ?? (() => () => {}),
  })
  return { code, ...written }
}

/** The same text wherever and whenever it was made: ids numbered as they appear, times and durations blotted out. */
export function normalised(text: string): string {
  const numbers = new Map<string, string>()
  const counts = new Map<string, number>()
  const numbered = (prefix: string, id: string): string => {
    const known = numbers.get(id)
    if (known !== undefined) return known
    const count = (counts.get(prefix) ?? 0) + 1
    counts.set(prefix, count)
    numbers.set(id, `${prefix}_${count}`)
    return `${prefix}_${count}`
  }
  return text
    .replaceAll(
      /(?:\b([a-z]+)_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g,
      (id, prefix: string | undefined) => numbered(prefix ?? 'event', id),
    )
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{3}Z?/g, '<time>')
    .replaceAll(/after \d+ ms/g, 'after <n> ms')
    .replaceAll(/("duration_ms": ?)\d+/g, '$1"<n>"')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<hash>')
}
