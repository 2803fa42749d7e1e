/**
 * The leaves that run for one actor, and those that are to be tried again.
 *
 * Owns: the running leaves and the waiting ones, by the key of their incarnation.
 * Never: decides whether one should run, or keeps one that has come to its end.
 *
 * I1. An incarnation runs at most once at a time in a process.
 * I2. The machine hears of a failure when no attempt is left; if it declared attempts, its cell sees to that.
 */
import type { AnyEventObject } from 'xstate'
import { setAlarm } from '../alarm.ts'
import type { ChildRecord } from '../fold/cell-state.ts'
import type { Clock } from '../clock.ts'
import { effectTimedOut } from '../effects/effect-errors.ts'
import { startLeaf, type Leaf, type LeafHost } from './leaf.ts'
import type { Tried } from '../recovery/owed.ts'
import type { ActorPolicy } from '../policies.ts'
import { delayAfter, triesAgain } from '../effects/retry-policy.ts'

export type LeavesHost = Omit<LeafHost, 'again' | 'deliver'> & {
  readonly clock: Clock
  readonly random: () => number
  deliver(child: ChildRecord, event: AnyEventObject, last: boolean): void
  /** It has failed and is tried again; false if nobody wants that any more. */
  noteFailure(child: ChildRecord, tried: Tried, error: unknown): boolean
  /** All its attempts have failed, the last one with this event. */
  giveUp(child: ChildRecord, event: AnyEventObject, failed: number): void
}

/** `again`: after a restart, or a failure. */
type Start = { readonly again?: boolean; readonly failed?: number }

export class Leaves {
  readonly #host: LeavesHost
  #running: Map<string, Leaf> | undefined
  /** How to cancel what waits: an attempt that is due later, the time limit of one that runs. */
  #alarms: Map<string, () => void> | undefined

  constructor(host: LeavesHost) {
    this.#host = host
  }

  get size(): number {
    return (this.#running?.size ?? 0) + (this.#alarms?.size ?? 0)
  }

  start(child: ChildRecord, { again = false, failed = 0 }: Start = {}): void {
    const { key } = child
    if (this.#running?.has(key) === true) return
    const { machine } = this.#host
    const policy = machine.policies.actors?.[child.src]
    const fail = (event: AnyEventObject): void => this.#fail(child, event, { policy, failed })
    const leaf = startLeaf(child, {
      machine,
      again,
      deliver: (event, last) => {
        if (!last) {
          this.#host.deliver(child, event, false)
          return
        }
        this.#running?.delete(key)
        this.#silence(key)
        if (event.type.startsWith('xstate.error.')) fail(event)
        else this.#host.deliver(child, event, true)
      },
      onError: (error) => this.#host.onError(error),
      log: (...values) => this.#host.log(...values),
    })
    if (leaf.finished) return
    this.#running ??= new Map()
    this.#running.set(key, leaf)
    const { timeoutMs } = policy ?? {}
    if (timeoutMs === undefined) return
    this.#after(key, timeoutMs, () => {
      this.stop(key)
      const error = effectTimedOut(`"${child.id}" (${key})`, timeoutMs)
      fail({ type: `xstate.error.actor.${child.id}`, error, actorId: child.id })
    })
  }

  /** Starts one that has failed before a restart, when its time has come. */
  startLater(child: ChildRecord, { failed, retryAt }: Pick<Tried, 'failed' | 'retryAt'>): void {
    this.#after(child.key, retryAt - this.#host.clock.now(), () => this.start(child, { again: true, failed }))
  }

  /** An event for a leaf; as in XState, one that has ended hears nothing. */
  send(key: string, event: AnyEventObject): void {
    this.#running?.get(key)?.send(event)
  }

  stop(key: string): void {
    this.#silence(key)
    const leaf = this.#running?.get(key)
    this.#running?.delete(key)
    leaf?.stop()
  }

  stopAll(): void {
    for (const key of this.#alarms?.keys() ?? []) this.#silence(key)
    for (const key of this.#running?.keys() ?? []) {
      try {
        this.stop(key)
      } catch (error) {
        this.#host.onError(error)
      }
    }
  }

  #fail(
    child: ChildRecord,
    event: AnyEventObject,
    { policy, failed: before }: { readonly policy: ActorPolicy | undefined; readonly failed: number },
  ): void {
    const { retries } = policy ?? {}
    const failed = before + 1
    const { clock, random } = this.#host
    if (retries !== undefined && triesAgain(retries, failed, event['error'])) {
      const tried = { failed, retryAt: clock.now() + delayAfter(retries, failed, random) }
      if (this.#host.noteFailure(child, tried, event['error'])) this.startLater(child, tried)
      return
    }
    if (retries === undefined) this.#host.deliver(child, event, true)
    else this.#host.giveUp(child, event, failed)
  }

  #after(key: string, ms: number, then: () => void): void {
    const { clock } = this.#host
    const cancel = setAlarm(clock, clock.now() + ms, () => {
      this.#alarms?.delete(key)
      then()
    })
    this.#alarms ??= new Map()
    this.#alarms.set(key, cancel)
  }

  #silence(key: string): void {
    this.#alarms?.get(key)?.()
    this.#alarms?.delete(key)
  }
}
