/**
 * Leads from a cell that has left memory to the one that lives now, for as long as somebody holds the former.
 *
 * Owns: the last cell of each actor that left memory, weakly.
 * Never: keeps a cell in memory.
 *
 * I1. Of an actor that nobody holds, nothing is kept.
 */
import type { Cell } from './cell.ts'

export class Successors {
  readonly #last = new Map<string, WeakRef<Cell>>()
  readonly #collected = new FinalizationRegistry<string>((id) => {
    if (this.#last.get(id)?.deref() === undefined) this.#last.delete(id)
  })

  left(cell: Cell): void {
    this.#last.set(cell.id, new WeakRef(cell))
    this.#collected.register(cell, cell.id)
  }

  arrived(cell: Cell): void {
    const before = this.#last.get(cell.id)?.deref()
    this.#last.delete(cell.id)
    if (before !== undefined) before.successor = cell
  }
}
