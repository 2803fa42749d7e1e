/** Turns pages into single items without paying an async generator's price for each. */

/**
 * An async iterable over the items of `pages`; ends the pages when its reader stops early, and itself
 * when `isOver` says so, also in the middle of a page.
 */
export const itemsOf = <T>(
  pages: AsyncIterable<readonly T[]>,
  isOver: () => boolean = () => false,
): AsyncIterableIterator<T> => new Items(pages, isOver)

class Items<T> implements AsyncIterableIterator<T> {
  readonly #pages: AsyncIterator<readonly T[]>
  readonly #isOver: () => boolean
  #page: readonly T[] = []
  #index = 0

  constructor(pages: AsyncIterable<readonly T[]>, isOver: () => boolean) {
    this.#pages = pages[Symbol.asyncIterator]()
    this.#isOver = isOver
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  // Not `async`: an item that is there already costs one resolved promise and nothing else.
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver()) return this.return()
    if (this.#index < this.#page.length) {
      const value = this.#page[this.#index] as T
      this.#index += 1
      return Promise.resolve({ done: false, value })
    }
    return this.#turn()
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#page = []
    await this.#pages.return?.()
    return { done: true, value: undefined }
  }

  async #turn(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const page = await this.#pages.next()
      if (page.done === true) return { done: true, value: undefined }
      const [value] = page.value
      if (page.value.length === 0) continue
      this.#page = page.value
      this.#index = 1
      return { done: false, value: value as T }
    }
  }
}
