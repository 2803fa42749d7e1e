/**
 * The live actors of an engine, by families: finds them, wakes them, lets one at a time come into being, and lets those
 * leave memory that nobody needs.
 *
 * Owns: the live families by the id of their root, and who waits for one that is being woken or created.
 * Never: looks into what is sent to an actor.
 *
 * I1. At most one family lives per root; who asks while it wakes waits for the same one.
 * I2. Who asks first is served first, whether the family was awake or had to be woken.
 * I3. After `close` no family lives and none comes to life.
 * I4. There are no more than `maxResident` families, but for those that are at work: the longest unused leave first.
 */
import type { Family } from './family.ts'
import { closed } from '../engine-errors.ts'

type Waiter = { readonly take: (family: Family | undefined) => void; readonly fail: (error: unknown) => void }
type Arrival = {
  readonly waiters: Waiter[]
  /** Whoever has it created; the others only want to know whether it is there. */
  readonly creator: Waiter | undefined
  readonly over: Promise<void>
}

export type RegistryHost = {
  /** Reads a family from the disk, without effects; `undefined` if there is no such stream. */
  load(id: string): Promise<Family | undefined>
  readonly maxResident: number
  onArrived(family: Family): void
  onLeft(family: Family): void
}

/** How many families one call looks at for some that may leave. */
const MAX_LOOKS = 8

export class FamilyRegistry {
  readonly #host: RegistryHost
  readonly #live = new Map<string, Family>()
  readonly #arrivals = new Map<string, Arrival>()
  #closing: Promise<void> | undefined

  constructor(host: RegistryHost) {
    this.#host = host
  }

  get live(): ReadonlyMap<string, Family> {
    return this.#live
  }

  /** Hands the live family to `take`, at once if it is awake; `undefined` if there is no such actor. */
  use<T>(id: string, take: (family: Family | undefined) => T | Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        take: (family) => {
          try {
            resolve(take(family))
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
      else this.#arrive(id, () => this.#host.load(id), { waiters: [waiter] })
    })
  }

  /** Brings a new family to life; `undefined` if another one of this id lives or is on its way. */
  create(id: string, make: () => Promise<Family>): Promise<Family> | undefined {
    if (this.#closing !== undefined) return Promise.reject(closed())
    if (this.#live.has(id) || this.#arrivals.has(id)) return undefined
    return new Promise((resolve, reject) => {
      const creator: Waiter = { take: (family) => resolve(family as Family), fail: reject }
      this.#arrive(id, make, { waiters: [], creator })
    })
  }

  /** Forgets a family that is broken. */
  forget(family: Family): void {
    if (this.#live.get(family.id) !== family) return
    this.#live.delete(family.id)
    this.#host.onLeft(family)
  }

  /** Puts a family out of memory, whatever it is at: what it has decided comes to disk, or is lost with an error. */
  async evict(id: string): Promise<void> {
    await this.#arrivals.get(id)?.over
    const family = this.#live.get(id)
    if (family === undefined) return
    this.forget(family)
    await family.close()
  }

  /** Lets the longest unused leave memory, as long as there are too many; a few looks at a time. */
  ease(): void {
    if (this.#live.size <= this.#host.maxResident) return
    // Nobody is looked at twice: who was used is passed over once.
    let looks = Math.min(MAX_LOOKS, this.#live.size)
    for (const [id, family] of this.#live) {
      if (this.#live.size <= this.#host.maxResident || looks === 0 || this.#closing !== undefined) return
      looks -= 1
      this.#live.delete(id)
      if (family.rest()) this.#host.onLeft(family)
      // To the end of the line, so that the next look finds others.
      else this.#live.set(id, family)
    }
  }

  /** Stops what runs, lets what is being written come to disk. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const family of this.#live.values()) family.release()
    await Promise.all(Array.from(this.#arrivals.values(), ({ over }) => over))
    await Promise.all(Array.from(this.#live.values(), (family) => family.close()))
  }

  #arrive(
    id: string,
    bring: () => Promise<Family | undefined>,
    whom: { readonly waiters: Waiter[]; readonly creator?: Waiter },
  ): void {
    const over = bring().then(
      (family) => this.#arrived(id, family),
      (error: unknown) => this.#failed(id, error),
    )
    this.#arrivals.set(id, { waiters: whom.waiters, creator: whom.creator, over })
  }

  /** In one go, so that nobody comes in between those who waited. */
  #arrived(id: string, family: Family | undefined): void {
    const { waiters, creator } = this.#leave(id)
    if (family !== undefined && !family.isBroken) {
      this.#live.set(id, family)
      this.#host.onArrived(family)
      try {
        // A family that was just created has its first effects under way already.
        if (creator === undefined && this.#closing === undefined) family.resume()
      } catch (error) {
        family.release()
        this.#live.delete(id)
        for (const { fail } of waiters) fail(error)
        return
      }
    }
    creator?.take(family)
    for (const { take, fail } of waiters) {
      if (this.#closing === undefined) take(family)
      else fail(closed())
    }
    this.ease()
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
