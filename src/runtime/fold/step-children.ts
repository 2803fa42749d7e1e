/** Follows the children through one step, and keeps the effects in the order in which XState would run them. */
import type { AnyActorRef, AnyEventObject } from 'xstate'
import type { CellState, ChildRecord, Effect } from './cell-state.ts'
import { keyOf, type Step } from './step.ts'

/** The children during a step, and the effects so far. */
export class StepChildren {
  readonly custom: Effect[] = []
  readonly deferred: Effect[] = []
  readonly #step: Step
  readonly #before: ReadonlyMap<string, ChildRecord>
  readonly #born = new Map<AnyActorRef, ChildRecord>()
  readonly #unchanged: boolean
  readonly #begun = new Set<ChildRecord>()
  readonly #gone = new Set<ChildRecord>()
  /** What was sent to a child in the same step, before its start. */
  readonly #early = new Map<ChildRecord, Effect[]>()

  constructor(before: CellState, step: Step) {
    this.#step = step
    this.#before = before.children
    this.#unchanged = step.snapshot.status === 'active' && step.snapshot.children === before.snapshot.children
    if (step.ended !== undefined) this.#gone.add(step.ended)
    step.records.forEach((record, n) => {
      if (record.kind !== 'birth') return
      this.#born.set(record.birth.ref, { ...record.birth, key: keyOf(step, n), cause: step.eventId })
    })
  }

  find(ref: AnyActorRef): ChildRecord | undefined {
    const born = this.#born.get(ref)
    if (born !== undefined) return born
    for (const child of this.#before.values())
      if (child.ref === ref) return this.#gone.has(child) ? undefined : child
    return undefined
  }

  /** In the order in which the snapshot holds them. */
  startAll(): void {
    for (const ref of Object.values(this.#step.snapshot.children)) this.start(ref as AnyActorRef)
    this.custom.push(...this.deferred.splice(0))
  }

  start(ref: AnyActorRef): void {
    const child = this.#born.get(ref)
    // Born and stopped in a single step: as in XState, it never starts.
    if (child === undefined || this.#begun.has(child) || !this.#isHeld(child)) return
    this.#begun.add(child)
    this.deferred.push({ kind: 'start', child }, ...(this.#early.get(child) ?? []))
  }

  send(child: ChildRecord, event: AnyEventObject): void {
    const { key: childKey, durable } = child
    const address = durable ? child.address : undefined
    const effect: Effect = { kind: 'send', childKey, address, event }
    if (!this.#born.has(child.ref) || this.#begun.has(child)) {
      this.deferred.push(effect)
    } else {
      this.#early.set(child, [...(this.#early.get(child) ?? []), effect])
    }
  }

  stop(ref: AnyActorRef | undefined): void {
    const child = ref && this.find(ref)
    if (child === undefined || this.#born.has(child.ref)) return
    this.#gone.add(child)
    this.deferred.push({ kind: 'stop', child })
  }

  /** Stops what the snapshot no longer holds and no action spoke of: replaced under its id, or left by a throw. */
  stopRest(): void {
    if (this.#unchanged) return
    for (const child of this.#before.values()) {
      if (this.#gone.has(child) || this.#isHeld(child)) continue
      this.#gone.add(child)
      this.deferred.push({ kind: 'stop', child })
    }
  }

  after(): ReadonlyMap<string, ChildRecord> {
    if (this.#gone.size === 0 && this.#begun.size === 0) return this.#before
    const after = new Map(this.#before)
    for (const child of this.#gone) after.delete(child.key)
    for (const child of this.#begun) after.set(child.key, child)
    return after
  }

  #isHeld(child: ChildRecord): boolean {
    const { status, children } = this.#step.snapshot
    return status === 'active' && (children as Record<string, unknown>)[child.id] === child.ref
  }
}
