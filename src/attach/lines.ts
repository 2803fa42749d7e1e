/** Cuts bytes from a socket into lines; a line that grows too long is noticed before it is held. */

export type LineReader = {
  /** Takes the next bytes; calls back for each line that they complete. */
  take(bytes: Buffer): void
  /** From now on lines may have so many bytes. */
  allow(limit: number): void
}

export function createLineReader(on: {
  readonly limit: number
  readonly line: (text: string) => void
  /** Called once; what comes after is not looked at. */
  readonly tooLong: (limit: number) => void
}): LineReader {
  let { limit } = on
  let held: Buffer[] = []
  let size = 0
  let over = false
  const grows = (part: Buffer): boolean => {
    size += part.length
    if (size <= limit) return true
    over = true
    held = []
    on.tooLong(limit)
    return false
  }
  return {
    allow: (bytes) => (limit = bytes),
    take(bytes) {
      let from = 0
      for (;;) {
        if (over) return
        const end = bytes.indexOf(10, from)
        const part = bytes.subarray(from, end < 0 ? bytes.length : end)
        if (!grows(part)) return
        if (end < 0) {
          if (part.length > 0) held.push(part)
          return
        }
        const line = held.length === 0 ? part : Buffer.concat([...held, part])
        held = []
        size = 0
        from = end + 1
        on.line(line.toString('utf8'))
      }
    },
  }
}

/** The line as an object; `undefined` if it is none. */
export function parsedLine(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
