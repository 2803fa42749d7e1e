/**
 * The leaves that run for one actor.
 *
 * Owns: the running leaves, by the key of their incarnation.
 * Never: decides whether one should run, or keeps one that has come to its end.
 *
 * I1. An incarnation runs at most once in a process.
 */
import type { AnyEventObject } from 'xstate'
import type { ChildRecord } from './cell-state.ts'
import { startLeaf, type Leaf, type LeafHost } from './leaf.ts'

export type LeavesHost = Omit<LeafHost, 'again' | 'deliver'> & {
  deliver(child: ChildRecord, event: AnyEventObject, last: boolean): void
}

export class Leaves {
  readonly #host: LeavesHost
  #running: Map<string, Leaf> | undefined

  constructor(host: LeavesHost) {
    this.#host = host
  }

  get size(): number {
    return this.#running?.size ?? 0
  }

  /** `again`: after a restart. */
  start(child: ChildRecord, { again = false } = {}): void {
    if (this.#running?.has(child.key) === true) return
    const { machine } = this.#host
    const leaf = startLeaf(child, {
      machine,
      again,
      deliver: (event, last) => {
        if (last) this.#running?.delete(child.key)
        this.#host.deliver(child, event, last)
      },
      onError: (error) => this.#host.onError(error),
      log: (...values) => this.#host.log(...values),
    })
    if (leaf.finished) return
    this.#running ??= new Map()
    this.#running.set(child.key, leaf)
  }

  /** An event for a leaf; as in XState, one that has ended hears nothing. */
  send(key: string, event: AnyEventObject): void {
    this.#running?.get(key)?.send(event)
  }

  stop(key: string): void {
    const leaf = this.#running?.get(key)
    this.#running?.delete(key)
    leaf?.stop()
  }

  stopAll(): void {
    for (const key of this.#running?.keys() ?? []) {
      try {
        this.stop(key)
      } catch (error) {
        this.#host.onError(error)
      }
    }
  }
}
