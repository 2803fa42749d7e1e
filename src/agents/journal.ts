/**
 * The journal of one attempt of a handler: calls with a recorded outcome return it, the others are run and recorded.
 *
 * Owns: this attempt's calls, and which of them are under way.
 * Never: runs a call that has a recorded outcome, or makes a call inside of another.
 *
 * I1. A call is known by kind, name and ordinal; calls and outcomes come in the order of the log (`ReplayOrder`).
 * I2. Outcomes are given to the handler in the order in which they are recorded.
 * I3. A loop is judged by what is recorded, in that order; the one that ends the run blocks it before its handler
 *     hears of another outcome.
 * I4. After `stop` no call starts and none returns; what was under way may still record its success, and then
 *     the next attempt has it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { copyAsJson } from '../../eventstore/payload.ts'
import type { ErrorRecord, StepRef } from '../../machines/agent.machine.ts'
import { isoTime, type Clock } from '../runtime/clock.ts'
import type { DurableCall, DurableCalls } from '../sessions/scope.ts'
import type { UnderWay } from './attempts.ts'
import { diverged, interrupted, nested } from './journal-errors.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { JournalRecords, Outcome, RecordedCall } from './journal-records.ts'
import type { Loop } from './loop-guard.ts'
import { loopDetected, type LoopWatch } from './loop-watch.ts'
import { errorFrom, errorRecord } from './recorded-error.ts'
import { ReplayOrder, type ReplayItem } from './replay-order.ts'

export type JournalHost = {
  readonly runId: string
  readonly attempt: number
  readonly clock: Clock
  readonly loops: LoopWatch
  /** Each call is a sign of life. */
  readonly heartbeat: Pick<Heartbeat, 'alive' | 'hold'>
  /** Appends a fact to the run's stream; its receipt says whether the machine took it. */
  record(event: { type: string }): Promise<{ accepted: boolean }>
}

type StepEvent = StepRef & {
  readonly type: string
  readonly data?: unknown
  readonly after?: number
  readonly output?: unknown
  readonly error?: ErrorRecord
}

type Kind = { readonly kind: string; readonly name: string }

/** In which call of which journal the current code runs. */
const insideCall = new AsyncLocalStorage<{ readonly journal: Journal; readonly call: Kind }>()

export class Journal implements DurableCalls {
  readonly records: JournalRecords
  readonly #host: JournalHost
  readonly #order: ReplayOrder
  readonly #ordinals = new Map<string, number>()
  readonly #patches = new Map<string, Promise<boolean>>()
  readonly #underWay = new Map<Promise<unknown>, UnderWay>()
  /** Ends the wait of whoever awaits a call under way. */
  readonly #interrupts = new Set<(error: unknown) => void>()
  #seq: number
  /** How many outcomes the handler has been given. */
  #given = 0
  /** Settles when every outcome recorded so far has been given. */
  #lastGiven: Promise<void> = Promise.resolve()
  #stopped = false
  #blockedBy: Error | undefined
  /** Resolves with the reason when the handler cannot go on before a person has done something. */
  readonly blocked: Promise<Error>
  #block!: (error: Error) => void

  constructor(records: JournalRecords, host: JournalHost) {
    this.records = records
    this.#host = host
    this.#seq = records.calls.size
    this.#order = new ReplayOrder(records.order, {
      clock: host.clock,
      onStall: (stall) => this.#blockBy(diverged(host.runId, stall)),
    })
    this.blocked = new Promise((resolve) => (this.#block = resolve))
    for (const ended of records.ended) host.loops.take(ended)
    // It was stopped for this before, and the process died before that was the run's end.
    if (host.loops.stop !== undefined) this.#blockBy(loopDetected(host.runId, host.loops.stop))
  }

  /** True while the current code runs inside one of this journal's calls. */
  get inside(): boolean {
    return insideCall.getStore()?.journal === this
  }

  /** The calls that have begun and not ended, in the order of beginning. */
  get underWay(): readonly UnderWay[] {
    return [...this.#underWay.values()]
  }

  /** Stops the attempt: whoever waits for a call gets `WORK_INTERRUPTED`. */
  stop(): void {
    this.#stopped = true
    this.#interrupt(interrupted(this.#host.runId))
  }

  /** Resolves when nothing of this attempt is under way any more. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay.keys())
  }

  /** Whether the log has the next call of this kind and name. */
  isRecorded({ kind, name }: Kind): boolean {
    const family = `${kind}:${name}`
    return this.records.calls.has(`${family}:${(this.#ordinals.get(family) ?? 0) + 1}`)
  }

  /** The handler has ended. @throws RuntimeError `HANDLER_DIVERGED` if the log has more of its calls. */
  handlerEnded(): Promise<void> {
    return this.#order.handlerEnded()
  }

  call<TData, TResult>(call: DurableCall<TData, TResult>): Promise<TResult> {
    const result = this.#call(call)
    // Its outcome is on record: who does not await it must not crash the process when the run is stopped.
    result.catch(() => {})
    return result
  }

  /** Marks changed code: true where the new code may run, false where the log was written by the old one. */
  patch(id: string): Promise<boolean> {
    // One answer per id: a loop must not change its code in the middle.
    const known = this.#patches.get(id)
    if (known !== undefined) return known
    const mark = { kind: 'patch', name: id, execute: async () => true }
    const isNew = this.records.calls.has(`patch:${id}:1`) || !this.#order.callsAhead
    const answer = isNew ? this.call(mark) : Promise.resolve(false)
    this.#patches.set(id, answer)
    return answer
  }

  async #call<TData, TResult>(call: DurableCall<TData, TResult>): Promise<TResult> {
    this.#assertMayCall(call)
    const key = this.#nextKey(call)
    const recorded = this.records.calls.get(key)
    if (recorded === undefined) {
      if (!this.#order.live) await this.#order.end(key)
      const ref = { key, kind: call.kind, name: call.name, ordinal: ordinalOf(key), seq: this.#seq++ }
      return this.#begin(call, { ref, data: call.prepare?.() as TData })
    }
    await this.#order.turn({ kind: 'call', key })
    if (recorded.outcome !== undefined) return this.#replayed<TResult>(recorded, recorded.outcome)
    // It was under way when the process died: it keeps what was prepared for it.
    return this.#begin(call, { ref: recorded.ref, data: recorded.data as TData })
  }

  async #replayed<TResult>({ ref }: RecordedCall, outcome: Outcome): Promise<TResult> {
    const item: ReplayItem = { kind: 'outcome', key: ref.key }
    await this.#order.turn(item)
    this.#given += 1
    if (outcome.kind === 'failed') throw errorFrom(outcome.error)
    return (outcome.hasOutput ? outcome.output : undefined) as TResult
  }

  async #begin<TData, TResult>(
    call: DurableCall<TData, TResult>,
    { ref, data }: { readonly ref: StepRef; readonly data: TData },
  ): Promise<TResult> {
    const started = { ...ref, type: 'step.started', data: data ?? null, after: this.#given }
    if (!(await this.#record(started))) throw interrupted(this.#host.runId, ref.key)
    this.#assertRunning(call)
    const work = this.#execute(call, ref, data)
    const call_id = (data as { call_id?: string } | null | undefined)?.call_id
    const since = isoTime(this.#host.clock)
    this.#underWay.set(work, {
      kind: call.kind,
      name: call.name,
      since,
      ...(call_id !== undefined && { call_id }),
    })
    return new Promise<TResult>((resolve, reject) => {
      this.#interrupts.add(reject)
      const done = (): void => {
        this.#underWay.delete(work)
        this.#interrupts.delete(reject)
      }
      work.then(resolve, reject).then(done, done)
    })
  }

  async #execute<TData, TResult>(
    call: DurableCall<TData, TResult>,
    ref: StepRef,
    data: TData,
  ): Promise<TResult> {
    let output: TResult
    const goOn = call.waits === true ? this.#host.heartbeat.hold() : undefined
    try {
      output = await insideCall.run({ journal: this, call }, async () => call.execute(data))
    } catch (error) {
      // After a stop, a failure may be nothing but the stop itself: it is no outcome.
      if (this.#stopped) throw error
      // Whether it happened is not known, so there is no outcome yet.
      if (isDoubt(error)) throw this.#blockBy(error)
      const record: ErrorRecord = errorRecord(error)
      await this.#give({ ...ref, type: 'step.failed', error: record }, data)
      throw errorFrom(record, error)
    } finally {
      goOn?.()
    }
    // What a restarted handler will get is what this one gets: the value as JSON gives it back.
    const kept = copyAsJson(output, { root: () => call.name, outcome: true })
    await this.#give({ ...ref, type: 'step.completed', ...(output !== undefined && { output }) }, data)
    return (output === undefined ? undefined : kept.value) as TResult
  }

  /** Records an outcome; resolves when it is the handler's turn to have it (I2). */
  async #give(event: StepEvent, data: unknown): Promise<void> {
    const { name, error, output } = event
    const loop = this.#host.loops.take(error === undefined ? { name, data, output } : { name, data, error })
    const recorded = this.#record(event)
    const before = this.#lastGiven
    let next!: () => void
    this.#lastGiven = new Promise((resolve) => (next = resolve))
    try {
      const accepted = await recorded
      await before
      if (!this.#order.live) await this.#order.end()
      if (!accepted) throw interrupted(this.#host.runId, event.key)
      if (loop !== undefined) await this.#looped(loop)
      this.#given += 1
    } finally {
      // What follows from this outcome at once comes first, as it will in a replay.
      setImmediate(next)
    }
  }

  async #looped(loop: Loop): Promise<void> {
    const { period, repetitions, calls } = loop
    const type = loop.kind === 'stop' ? 'loop.stopped' : 'loop.warned'
    await this.#host.record({ type, period, repetitions, calls, at: isoTime(this.#host.clock) } as never)
    if (loop.kind === 'stop') throw this.#blockBy(loopDetected(this.#host.runId, loop))
  }

  async #record(event: StepEvent): Promise<boolean> {
    this.#host.heartbeat.alive()
    const { attempt, clock } = this.#host
    const { accepted } = await this.#host.record({ ...event, attempt, at: isoTime(clock) } as never)
    return accepted
  }

  #nextKey({ kind, name }: Kind): string {
    const family = `${kind}:${name}`
    const ordinal = (this.#ordinals.get(family) ?? 0) + 1
    this.#ordinals.set(family, ordinal)
    return `${family}:${ordinal}`
  }

  #assertMayCall(call: Kind): void {
    const outer = insideCall.getStore()
    if (outer?.journal === this) throw nested(outer.call, call)
    this.#assertRunning(call)
  }

  #blockBy(error: Error): Error {
    this.#blockedBy ??= error
    this.#block(this.#blockedBy)
    this.#interrupt(this.#blockedBy)
    return error
  }

  #interrupt(error: Error): void {
    this.#order.fail(error)
    for (const interrupt of this.#interrupts) interrupt(error)
  }

  #assertRunning(call: Kind): void {
    if (this.#blockedBy !== undefined) throw this.#blockedBy
    if (this.#stopped) throw interrupted(this.#host.runId, `${call.kind} "${call.name}"`)
  }
}

function isDoubt(error: unknown): error is Error {
  return (error as { code?: unknown } | null | undefined)?.code === 'TOOL_IN_DOUBT'
}

function ordinalOf(key: string): number {
  return Number(key.slice(key.lastIndexOf(':') + 1))
}
