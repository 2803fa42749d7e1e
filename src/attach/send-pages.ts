/** Sends an answer of many items in pages, no faster than the client takes them. */
import { LIMITS } from './protocol.ts'

export type PageSink = {
  /** Resolves when the client takes another page; rejects when it takes no more. */
  ready(): Promise<void>
  /** JSON of an array. */
  page(items: string, last: unknown): void
}

/** Resolves when all is sent. What ends the answer early ends `items` by its signal and `ready` by a rejection. */
export async function sendPages(items: AsyncIterable<unknown>, sink: PageSink): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<unknown>> | undefined
  try {
    for (;;) {
      await sink.ready()
      const page: string[] = []
      let characters = 0
      let last: unknown
      let turn: Promise<undefined> | undefined
      let isOver = false
      while (page.length < LIMITS.pageItems && characters < LIMITS.pageCharacters) {
        pending ??= iterator.next()
        // Somebody follows what is written now: a page goes out with what is there, and waits for nothing.
        turn ??= page.length === 0 ? undefined : nextTurn()
        const next = await (turn === undefined ? pending : Promise.race([pending, turn]))
        if (next === undefined) break
        pending = undefined
        isOver = next.done === true
        if (isOver) break
        last = next.value
        const text = JSON.stringify(next.value)
        page.push(text)
        characters += text.length
      }
      if (page.length > 0) sink.page(`[${page.join(',')}]`, last)
      if (isOver) return
    }
  } finally {
    pending?.catch(() => {})
    if (pending === undefined) await iterator.return?.()
  }
}

function nextTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
