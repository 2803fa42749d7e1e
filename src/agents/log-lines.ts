/**
 * Collects an attempt's log lines and records them in groups, in order.
 *
 * Owns: the lines that are not recorded yet.
 * Never: records a line twice, or drops one before `flush` unless there are far too many.
 *
 * I1. What the handler itself logs is recorded once, however often it runs again from its top.
 * I2. Beyond the limit nothing more is kept, and the record says so.
 */
import type { Clock } from '../runtime/clock.ts'

const FLUSH_EVERY_MS = 200
const FLUSH_AT_LINES = 500

/** Characters that one attempt may log: a command that runs wild must not fill the disk. */
const MOST_CHARACTERS = 8 * 1024 * 1024
const LONGEST_LINE = 64 * 1024

export type LogBatch = { readonly lines: readonly string[]; readonly own: number }

export type LogLines = {
  /** `own`: a line of the handler itself, which a restarted handler logs again. */
  add(line: string, options?: { readonly own?: boolean }): void
  /** Resolves when all lines so far are recorded. */
  flush(): Promise<void>
}

export function createLogLines(
  clock: Clock,
  options: {
    readonly record: (batch: LogBatch) => Promise<void>
    /** Called for each line, recorded or not. */
    readonly onLine?: () => void
    /** How many own lines earlier attempts have recorded. */
    readonly ownRecorded: number
  },
): LogLines {
  let lines: string[] = []
  let own = 0
  let toSkip = options.ownRecorded
  let room = MOST_CHARACTERS
  let timer: unknown
  let writing: Promise<void> = Promise.resolve()

  const flush = (): Promise<void> => {
    clock.clearTimeout(timer)
    timer = undefined
    if (lines.length > 0) {
      const batch = { lines, own }
      lines = []
      own = 0
      writing = writing.then(() => options.record(batch))
      // Whoever flushes hears of it; the timer has nobody to tell.
      writing.catch(() => {})
    }
    return writing
  }
  return {
    add(line, { own: isOwn = false } = {}) {
      options.onLine?.()
      if (isOwn && toSkip > 0) {
        toSkip -= 1
        return
      }
      if (room < 0) return
      const text = line
      room -= text.length + 1
      lines.push(room < 0 ? `[truncated: more than ${MOST_CHARACTERS} characters]` : clipped(text))
      if (isOwn) own += 1
      if (lines.length >= FLUSH_AT_LINES) void flush()
      else timer ??= clock.setTimeout(() => void flush(), FLUSH_EVERY_MS)
    },
    flush,
  }
}

function clipped(line: string): string {
  if (line.length <= LONGEST_LINE) return line
  return `${line.slice(0, LONGEST_LINE)} [truncated: ${line.length} characters]`
}
