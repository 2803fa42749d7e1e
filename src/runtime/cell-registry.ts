/**
 * The live cells of an engine: finds them, wakes them, lets one at a time come into being.
 *
 * Owns: the live cells by id, and who waits for one that is being woken or created.
 * Never: looks into what is sent to a cell.
 *
 * I1. At most one cell lives per stream; who asks while it wakes waits for the same one.
 * I2. Who asks first is served first, whether the cell was awake or had to be woken.
 * I3. After `close` no cell lives and none comes to life.
 */
import type { Cell } from './cell.ts'
import { closed } from './engine-errors.ts'

type Waiter = { readonly take: (cell: Cell | undefined) => void; readonly fail: (error: unknown) => void }
type Arrival = {
  readonly waiters: Waiter[]
  /** Whoever has it created; the others only want to know whether it is there. */
  readonly creator: Waiter | undefined
  readonly over: Promise<void>
}

export class CellRegistry {
  readonly #load: (id: string) => Promise<Cell | undefined>
  readonly #live = new Map<string, Cell>()
  readonly #arrivals = new Map<string, Arrival>()
  #closing: Promise<void> | undefined

  /** `load` reads a cell from the disk, without effects; `undefined` if there is no such stream. */
  constructor(load: (id: string) => Promise<Cell | undefined>) {
    this.#load = load
  }

  get live(): ReadonlyMap<string, Cell> {
    return this.#live
  }

  /** Hands the live cell to `take`, at once if it is awake; `undefined` if there is no such actor. */
  use<T>(id: string, take: (cell: Cell | undefined) => T | Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        take: (cell) => {
          try {
            resolve(take(cell))
          } catch (error) {
            reject(error)
          }
        },
        fail: reject,
      }
      const arrival = this.#arrivals.get(id)
      const live = this.#live.get(id)
      if (arrival !== undefined) arrival.waiters.push(waiter)
      else if (live !== undefined) waiter.take(live)
      else this.#arrive(id, () => this.#load(id), { waiters: [waiter] })
    })
  }

  /** Brings a new cell to life; `undefined` if another one of this id lives or is on its way. */
  create(id: string, make: () => Promise<Cell>): Promise<Cell> | undefined {
    if (this.#closing !== undefined) return Promise.reject(closed())
    if (this.#live.has(id) || this.#arrivals.has(id)) return undefined
    return new Promise((resolve, reject) => {
      const creator: Waiter = { take: (cell) => resolve(cell as Cell), fail: reject }
      this.#arrive(id, make, { waiters: [], creator })
    })
  }

  /** Forgets a cell that is broken. */
  forget(cell: Cell): void {
    if (this.#live.get(cell.id) === cell) this.#live.delete(cell.id)
  }

  /** Stops what runs, lets what is being written come to disk. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const cell of this.#live.values()) cell.release()
    await Promise.all(Array.from(this.#arrivals.values(), ({ over }) => over))
    await Promise.all(Array.from(this.#live.values(), (cell) => cell.close()))
  }

  #arrive(
    id: string,
    bring: () => Promise<Cell | undefined>,
    whom: { readonly waiters: Waiter[]; readonly creator?: Waiter },
  ): void {
    const over = bring().then(
      (cell) => this.#arrived(id, cell),
      (error: unknown) => this.#failed(id, error),
    )
    this.#arrivals.set(id, { waiters: whom.waiters, creator: whom.creator, over })
  }

  /** In one go, so that nobody comes in between those who waited. */
  #arrived(id: string, cell: Cell | undefined): void {
    const { waiters, creator } = this.#leave(id)
    if (cell !== undefined && !cell.isBroken) {
      this.#live.set(id, cell)
      try {
        // A cell that was just created has its first effects under way already.
        if (creator === undefined && this.#closing === undefined) cell.resume()
      } catch (error) {
        cell.release()
        this.#live.delete(id)
        for (const { fail } of waiters) fail(error)
        return
      }
    }
    creator?.take(cell)
    for (const { take, fail } of waiters) {
      if (this.#closing === undefined) take(cell)
      else fail(closed())
    }
  }

  #failed(id: string, error: unknown): void {
    const { waiters, creator } = this.#leave(id)
    creator?.fail(error)
    for (const { take, fail } of waiters) {
      if (creator === undefined) fail(error)
      else take(undefined)
    }
  }

  #leave(id: string): Omit<Arrival, 'over'> {
    const arrival = this.#arrivals.get(id)
    this.#arrivals.delete(id)
    return arrival ?? { waiters: [], creator: undefined }
  }
}
