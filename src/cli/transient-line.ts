/** A line on a terminal's stderr that says how far long work has come, and is gone when it is done. */
import type { CliStream } from './output.ts'

/** More often than that nobody can read it. */
const SHOWN_EVERY_MS = 100

export type TransientLine = { show(text: string): void; clear(): void }

/** Silent where nobody looks on: `wanted` is false, or the stream is no terminal. */
export function transientLine(stream: CliStream, wanted: boolean): TransientLine {
  if (!wanted || stream.isTTY !== true) return { show: () => {}, clear: () => {} }
  const erase = '\r\u001B[2K'
  let last = Number.NEGATIVE_INFINITY
  return {
    show(text) {
      const now = performance.now()
      if (now - last < SHOWN_EVERY_MS) return
      last = now
      stream.write(`${erase}${text.slice(0, (stream.columns ?? 80) - 1)}`)
    },
    clear: () => void stream.write(erase),
  }
}
