/**
 * The journal of one handler's durable calls: what was recorded is returned, what was not is run and recorded.
 *
 * Owns: the recorded calls of the run, the order in which this attempt makes its calls.
 * Never: runs a call that has a recorded outcome.
 *
 * I1. A call is known by kind, name and ordinal, and by its place in the order of calls; both must agree with the log.
 * I2. Recorded outcomes are returned in the order in which they were recorded, so that parallel branches of a
 *     restarted handler interleave as they did.
 * I3. After `stop`, no call starts and no outcome is recorded.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import { copyAsJson } from '../../eventstore/payload.ts'
import type { ErrorRecord, StepRef } from '../../machines/agent.machine.ts'
import type { Clock } from '../runtime/clock.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { DurableCall, DurableCalls } from '../sessions/scope.ts'
import { errorFrom, errorRecord } from './recorded-error.ts'

/** After this long without any call, a recorded outcome no longer waits for an earlier one that nobody asks for. */
const RELEASE_GRACE_MS = 250

type Outcome =
  | { readonly kind: 'completed'; readonly output: unknown; readonly order: number }
  | { readonly kind: 'failed'; readonly error: ErrorRecord; readonly order: number }

type RecordedCall = { readonly ref: StepRef; data: unknown; outcome: Outcome | undefined }

export type JournalRecords = {
  readonly calls: readonly RecordedCall[]
  /** The last process started for a command call, by the call's key. */
  readonly processes: ReadonlyMap<string, unknown>
}

/** Reads what a run's stream has recorded of its handler's calls. */
export async function readJournal(store: EventStore, runId: string): Promise<JournalRecords> {
  const calls = new Map<string, RecordedCall>()
  const processes = new Map<string, unknown>()
  let order = 0
  for await (const event of store.readStream(runId)) {
    const step = event.payload as unknown as StepRef & {
      data?: unknown
      output?: unknown
      error: ErrorRecord
      process?: unknown
    }
    if (event.event_type === 'command.started') processes.set(step.key, step.process)
    if (!event.event_type.startsWith('step.')) continue
    const { key, kind, name, ordinal, seq } = step
    const call = calls.get(key) ?? {
      ref: { key, kind, name, ordinal, seq },
      data: undefined,
      outcome: undefined,
    }
    calls.set(key, call)
    if (event.event_type === 'step.started') call.data = step.data
    if (event.event_type === 'step.completed') {
      call.outcome ??= { kind: 'completed', output: step.output, order: order++ }
    }
    if (event.event_type === 'step.failed')
      call.outcome ??= { kind: 'failed', error: step.error, order: order++ }
  }
  return { calls: [...calls.values()], processes }
}

export type JournalHost = {
  readonly runId: string
  readonly clock: Clock
  /** Appends a fact to the run's stream; its receipt says whether the machine took it. */
  record(event: { type: string }): Promise<{ accepted: boolean }>
}

type StepEvent = StepRef & {
  readonly type: string
  readonly data?: unknown
  readonly output?: unknown
  readonly error?: ErrorRecord
}

export class Journal implements DurableCalls {
  readonly processes: ReadonlyMap<string, unknown>
  readonly #host: JournalHost
  readonly #bySeq: ReadonlyMap<number, RecordedCall>
  readonly #byKey: ReadonlyMap<string, RecordedCall>
  readonly #ordinals = new Map<string, number>()
  readonly #released = new Set<number>()
  readonly #waiting = new Map<number, () => void>()
  #seq = 0
  #stopped = false
  #idle: unknown
  /** Set at the first call that does not match the log; the run is parked for it. */
  diverged: RuntimeError | undefined

  constructor(records: JournalRecords, host: JournalHost) {
    this.#host = host
    this.processes = records.processes
    this.#bySeq = new Map(records.calls.map((call) => [call.ref.seq, call]))
    this.#byKey = new Map(records.calls.map((call) => [call.ref.key, call]))
  }

  stop(): void {
    this.#stopped = true
    this.#host.clock.clearTimeout(this.#idle)
  }

  async call<TData, TResult>(call: DurableCall<TData, TResult>): Promise<TResult> {
    this.#assertRunning(call)
    const ref = this.#nextRef(call)
    const recorded = this.#recorded(ref)
    if (recorded?.outcome !== undefined) return this.#return<TResult>(recorded.outcome)
    // A call that was under way when the process died keeps what was prepared for it.
    const data = recorded === undefined ? (call.prepare?.() as TData) : (recorded.data as TData)
    await this.#record({ ...ref, type: 'step.started', data: data ?? null })
    return this.#run(call, ref, data)
  }

  /** Marks changed code: true where the new code may run, false where the log was written by the old one. */
  async patch(id: string): Promise<boolean> {
    const here = this.#bySeq.get(this.#seq)
    if (here !== undefined && here.ref.kind === 'patch' && here.ref.name === id) {
      return this.call({ kind: 'patch', name: id, execute: async () => true })
    }
    const laterRecorded = [...this.#bySeq.keys()].some((seq) => seq >= this.#seq)
    if (laterRecorded) return false
    return this.call({ kind: 'patch', name: id, execute: async () => true })
  }

  async #run<TData, TResult>(call: DurableCall<TData, TResult>, ref: StepRef, data: TData): Promise<TResult> {
    let output: TResult
    try {
      output = await call.execute(data)
    } catch (error) {
      if (this.#stopped || isInterruption(error)) throw error
      const record = errorRecord(error)
      await this.#record({ ...ref, type: 'step.failed', error: record })
      throw errorFrom(record, error)
    }
    // What a restarted handler will get is what this one gets: the value as JSON gives it back.
    const kept = copyAsJson(output, { root: call.name, outcome: true }).value as TResult
    await this.#record({ ...ref, type: 'step.completed', ...(output !== undefined && { output: kept }) })
    return output === undefined ? output : kept
  }

  async #record(event: StepEvent): Promise<void> {
    this.#assertRunning(event)
    const { accepted } = await this.#host.record({
      ...event,
      at: new Date(this.#host.clock.now()).toISOString(),
    } as {
      type: string
    })
    if (!accepted) throw interrupted(this.#host.runId)
  }

  #nextRef(call: { readonly kind: string; readonly name: string }): StepRef {
    const family = `${call.kind}:${call.name}`
    const ordinal = (this.#ordinals.get(family) ?? 0) + 1
    this.#ordinals.set(family, ordinal)
    return { key: `${family}:${ordinal}`, kind: call.kind, name: call.name, ordinal, seq: this.#seq++ }
  }

  #recorded(ref: StepRef): RecordedCall | undefined {
    const here = this.#bySeq.get(ref.seq)
    const elsewhere = this.#byKey.get(ref.key)
    if (here === elsewhere) return here
    const expected = here?.ref.key ?? `no call, as "${ref.key}" was call ${(elsewhere?.ref.seq ?? 0) + 1}`
    this.diverged = diverged({ runId: this.#host.runId, seq: ref.seq, expected, got: ref.key })
    throw this.diverged
  }

  async #return<TResult>(outcome: Outcome): Promise<TResult> {
    await this.#turn(outcome.order)
    if (outcome.kind === 'failed') throw errorFrom(outcome.error)
    return outcome.output as TResult
  }

  /** I2: waits until every outcome recorded earlier has been returned, or nobody asks for it. */
  async #turn(order: number): Promise<void> {
    this.#armGrace()
    if (order > 0 && !this.#released.has(order - 1)) {
      await new Promise<void>((resolve) => this.#waiting.set(order, resolve))
    }
    this.#released.add(order)
    // The next one follows in a later turn, so that what this one sets off comes first.
    setImmediate(() => this.#release(order + 1))
  }

  #release(order: number): void {
    const waiter = this.#waiting.get(order)
    this.#waiting.delete(order)
    waiter?.()
  }

  #armGrace(): void {
    const { clock } = this.#host
    clock.clearTimeout(this.#idle)
    this.#idle = clock.setTimeout(() => {
      const next = [...this.#waiting.keys()].sort((a, b) => a - b)[0]
      if (next === undefined || this.#stopped) return
      this.#release(next)
      this.#armGrace()
    }, RELEASE_GRACE_MS)
  }

  #assertRunning(call: { readonly kind: string; readonly name: string }): void {
    if (this.diverged !== undefined) throw this.diverged
    if (this.#stopped) throw interrupted(this.#host.runId, `${call.kind} "${call.name}"`)
  }
}

/** True for the errors that mean "stopped from outside": they are never recorded as an outcome. */
export function isInterruption(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'WORK_INTERRUPTED'
}

export function interrupted(runId: string, what = 'its work'): RuntimeError {
  return new RuntimeError('WORK_INTERRUPTED', {
    happened: `Run "${runId}" was stopped before ${what} could go on.`,
    expected: 'A run that is active.',
    todo: 'Let the error pass: the run goes on from its recorded steps when it is resumed.',
    details: { run_id: runId },
  })
}

function diverged(at: { runId: string; seq: number; expected: string; got: string }): RuntimeError {
  return new RuntimeError('HANDLER_DIVERGED', {
    happened: `The handler of run "${at.runId}" made "${at.got}" its call ${at.seq + 1}; the log has "${at.expected}" there.`,
    expected: 'A restarted handler makes its durable calls in the recorded order.',
    todo: 'Run it with the code that began it, or guard the changed part with `await ctx.patch("some-id")`.',
    details: { run_id: at.runId, seq: at.seq, recorded: at.expected, called: at.got },
  })
}
