/**
 * Collects a run's log lines and records them in groups, in order.
 *
 * Owns: the lines that are not recorded yet.
 * Never: records a line twice, or drops one before `flush`.
 */
import type { Clock } from '../runtime/clock.ts'

const FLUSH_EVERY_MS = 200
const FLUSH_AT_LINES = 500

export type LogLines = { add(line: string): void; flush(): Promise<void> }

export function createLogLines(clock: Clock, record: (lines: string[]) => Promise<void>): LogLines {
  let lines: string[] = []
  let timer: unknown
  let writing: Promise<void> = Promise.resolve()

  const flush = (): Promise<void> => {
    clock.clearTimeout(timer)
    timer = undefined
    if (lines.length > 0) {
      const batch = lines
      lines = []
      writing = writing.then(() => record(batch))
    }
    return writing
  }
  return {
    add(line) {
      lines.push(line)
      if (lines.length >= FLUSH_AT_LINES) void flush().catch(() => {})
      else timer ??= clock.setTimeout(() => void flush().catch(() => {}), FLUSH_EVERY_MS)
    },
    flush,
  }
}
