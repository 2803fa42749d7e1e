/**
 * Carries out what actors owe: runs named actions that were declared as effects, until their outcome is on disk.
 *
 * Owns: the effects that are owed, in memory, and those of them that run; each by its key.
 * Never: runs what is not on disk; runs an effect whose outcome is on disk; decides what a machine does.
 *
 * I1. An effect runs once at a time in a process.
 * I2. Under `verify` and `ask` a `started` mark is on disk before the world is touched, and a started effect whose
 *     outcome is not known runs again only after the world has said that it did not happen, or a person has said so.
 * I3. After `close` none begins; one that had no time to end is owed still.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AnyActorRef } from 'xstate'
import type { Entry, EventStore, StreamAppend } from '../../../eventstore/event-store.ts'
import { setAlarm } from '../alarm.ts'
import type { RawAction } from '../fold/cell-state.ts'
import type { Clock } from '../clock.ts'
import { buryEffect } from '../delivery/dead-letters.ts'
import { rootOf } from '../fold/child-address.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import {
  afterAnswer,
  afterFailure,
  afterSilence,
  asked,
  isDoubtful,
  type Decision,
} from './effect-decision.ts'
import { effectBusy, effectGivenUp, effectTimedOut, effectUnknown, unregistered } from './effect-errors.ts'
import { stateOf, type EffectSettlement, type ListedEffect } from './listed-effect.ts'
import { withinTime } from '../limited-time.ts'
import { effectEntry, effectEvent, readOwedEffects, type OwedEffect } from './owed-effect.ts'
import type { EffectAnswer, EffectPolicy, EffectRun } from '../policies.ts'
import { textOf } from '../runtime-error.ts'

/** How many effects are taken up at once after a restart, or when many are due again. */
const CONCURRENCY = 16

export type EffectsHost = {
  readonly store: EventStore
  readonly clock: Clock
  /** Draws from 0 to 1. */
  readonly random: () => number
  /** How long `close` waits for what runs, in ms of real time. */
  readonly graceMs: number
  machine(name: string): DurableMachine | undefined
  /** What the implementation knows as `self`. */
  self(id: string): AnyActorRef
  onError(error: unknown): void
}

type Item = {
  owed: OwedEffect
  /** It is in line or somebody is at it. */
  busy: boolean
  controller: AbortController | undefined
  cancelAlarm: (() => void) | undefined
  missing: boolean
  /** How it ended is on its way to the disk. */
  over: boolean
}

type Record = {
  readonly facts: Readonly<{ [name: string]: unknown }>
  /** What is owed from now on; nothing without it. */
  readonly owed?: OwedEffect
  readonly beside?: { readonly append: StreamAppend; readonly entry: Entry }
}

type Code = { readonly policy: EffectPolicy; readonly run: (args: object, params: unknown) => unknown }

export class Effects {
  readonly #host: EffectsHost
  readonly #items = new Map<string, Item>()
  readonly #underWay = new Set<Promise<void>>()
  /** Due, and waiting for one of `CONCURRENCY` places. */
  readonly #queue: Item[] = []
  #taken = 0
  #closed = false

  constructor(host: EffectsHost) {
    this.#host = host
  }

  /** Begins an effect whose intent has just come to disk; it is called before this returns, as in XState. */
  begin(owed: OwedEffect, action: RawAction): void {
    if (this.#closed) return
    this.#track(this.#take(this.#add(owed), action))
  }

  /** Takes up what is owed on disk, by all actors or by one family; what is there already is left alone. */
  async recover(root?: string): Promise<void> {
    const found = await readOwedEffects(this.#host.store, root)
    for (const owed of found) if (!this.#items.has(owed.key)) this.#schedule(this.#add(owed))
  }

  list(): ListedEffect[] {
    return Array.from(this.#items.values(), (item) => {
      const { key, stream_id, action, failed, retry_at = null, original_key = null } = item.owed
      const state = stateOf(item)
      const reason = state === 'unregistered' ? unregistered(item.owed) : (item.owed.reason ?? null)
      return { key, stream_id, action, state, failed, retry_at, reason, original_key }
    })
  }

  /**
   * Records what a person says of an effect. A running one can only be abandoned: its signal aborts.
   *
   * @throws RuntimeError `EFFECT_UNKNOWN`, `EFFECT_BUSY`
   */
  async settle(key: string, settlement: EffectSettlement): Promise<void> {
    const item = this.#items.get(key)
    if (item === undefined || item.over) throw effectUnknown(key)
    const { answer, by = 'a person' } = settlement
    if (item.busy && answer !== 'abandon') throw effectBusy(key)
    item.cancelAlarm?.()
    if (answer === 'retry') {
      item.busy = true
      const { retry_at: _at, reason: _reason, ...owed } = item.owed
      await this.#record(item, 'settled', {
        facts: { answer, by },
        owed: { ...owed, phase: 'owed', failed: 0 },
      })
      item.busy = false
      this.#schedule(item)
      return
    }
    item.over = true
    item.controller?.abort(new DOMException(`Effect "${key}" was abandoned.`, 'AbortError'))
    const output = settlement.answer === 'done' ? settlement.output : undefined
    await this.#record(item, answer === 'done' ? 'done' : 'abandoned', { facts: { by, output } })
    this.#items.delete(key)
  }

  /** Takes up an effect that was given up, from the beginning. `append`, `entry`: what else goes with that. */
  async revive(owed: OwedEffect, beside: NonNullable<Record['beside']>): Promise<void> {
    const { retry_at: _at, reason: _reason, ...anew } = owed
    const item = this.#add({ ...anew, phase: 'owed', failed: 0 })
    item.busy = true
    await this.#host.store.appendBatch({
      appends: [
        effectEvent(owed, 'revived', { at: new Date(this.#host.clock.now()).toISOString() }),
        beside.append,
      ],
      entries: [beside.entry, effectEntry(owed, item.owed)],
    })
    item.busy = false
    this.#schedule(item)
  }

  /** Knows nothing any more of what one family owes; what runs is aborted. */
  forget(root: string): void {
    for (const [key, { owed, cancelAlarm, controller }] of this.#items) {
      if (rootOf(owed.stream_id) !== root) continue
      this.#items.delete(key)
      cancelAlarm?.()
      controller?.abort(new DOMException(`"${root}" was erased.`, 'AbortError'))
    }
  }

  /** Begins nothing more; waits for what runs as long as it is given, and then aborts it. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { cancelAlarm } of this.#items.values()) cancelAlarm?.()
    const ended = Promise.allSettled(this.#underWay)
    if (this.#underWay.size > 0) {
      const waiting = new AbortController()
      const patience = sleep(this.#host.graceMs, undefined, { signal: waiting.signal }).catch(() => {})
      await Promise.race([ended, patience])
      waiting.abort()
    }
    for (const { controller } of this.#items.values()) controller?.abort(CLOSING)
    await ended
  }

  #add(owed: OwedEffect): Item {
    const item: Item = {
      owed,
      busy: false,
      controller: undefined,
      cancelAlarm: undefined,
      missing: false,
      over: false,
    }
    this.#items.set(owed.key, item)
    return item
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work)
    work.catch((error: unknown) => this.#host.onError(error)).finally(() => this.#underWay.delete(work))
  }

  /** Runs it when it is due and there is a place. */
  #schedule(item: Item): void {
    if (this.#closed) return
    const { retry_at, phase } = item.owed
    item.missing = this.#codeOf(item.owed) === undefined
    if (phase === 'asked' || item.missing) return
    const line = (): void => {
      item.cancelAlarm = undefined
      item.busy = true
      this.#queue.push(item)
      this.#pump()
    }
    if (retry_at === undefined) line()
    else item.cancelAlarm = setAlarm(this.#host.clock, Date.parse(retry_at), line)
  }

  #pump(): void {
    while (this.#taken < CONCURRENCY && !this.#closed) {
      const item = this.#queue.shift()
      if (item === undefined) return
      if (!this.#isOwed(item)) continue
      this.#taken += 1
      const done = (): void => {
        this.#taken -= 1
        this.#pump()
      }
      this.#track(this.#take(item).finally(done))
    }
  }

  async #take(item: Item, live?: RawAction): Promise<void> {
    const code = this.#codeOf(item.owed)
    item.missing = code === undefined
    if (code === undefined) return
    item.busy = true
    try {
      if (isDoubtful(code.policy, item.owed)) await this.#resolve(item, code)
      else await this.#attempt(item, code, live)
    } finally {
      item.busy = false
      item.controller = undefined
    }
    if (this.#isOwed(item)) this.#schedule(item)
  }

  async #attempt(item: Item, code: Code, live?: RawAction): Promise<void> {
    if ((code.policy.policy ?? 'retry') !== 'retry') {
      await this.#record(item, 'started', {
        facts: { attempt: item.owed.failed + 1 },
        owed: { ...item.owed, phase: 'started' },
      })
      // Nothing was touched yet, and nobody has to be asked for that.
      if (this.#closed)
        return this.#record(item, 'held', { facts: {}, owed: { ...item.owed, phase: 'owed' } })
      if (!this.#isOwed(item)) return
    }
    const { owed } = item
    const info = live?.info ?? { context: owed.context, event: owed.event }
    let output: unknown
    try {
      output = await this.#limited(item, code, (effect) => {
        const self = this.#host.self(owed.stream_id)
        const params = live === undefined ? owed.params : live.params
        return code.run({ system: self.system, ...info, self, effect }, params)
      })
    } catch (error) {
      await this.#follow(item, error, (failure) => afterFailure(code.policy, item.owed, failure))
      return
    }
    await this.#carry(item, { kind: 'done', output })
  }

  /** It may have touched the world: by its policy. */
  async #resolve(item: Item, code: Code): Promise<void> {
    const { policy } = code
    if (policy.policy !== 'verify') return this.#carry(item, asked(item.owed, 'the process ended in between'))
    let answer: EffectAnswer
    try {
      answer = await this.#limited(item, code, (effect) => {
        const { context, event, params } = item.owed
        return policy.verify({ context, event, effect }, params as never)
      })
    } catch (error) {
      await this.#follow(item, error, (failure) => afterSilence(policy, item.owed, failure))
      return
    }
    await this.#carry(item, afterAnswer(policy, item.owed, answer))
  }

  /** I3: what was cut off by the close is left as it is on disk. */
  async #follow(
    item: Item,
    error: unknown,
    decide: (failure: { error: unknown; now: number; random: () => number }) => Decision,
  ): Promise<void> {
    if (error === CLOSING) return
    const { clock, random } = this.#host
    await this.#carry(item, decide({ error, now: clock.now(), random }))
  }

  /** Records a decision, unless somebody has settled the effect meanwhile. */
  async #carry(item: Item, decision: Decision): Promise<void> {
    if (!this.#isOwed(item)) return
    const attempt = item.owed.failed + 1
    switch (decision.kind) {
      case 'done': {
        const { output, by } = decision
        item.over = true
        await this.#record(item, 'done', { facts: { attempt, output, ...(by !== undefined && { by }) } })
        this.#items.delete(item.owed.key)
        break
      }
      case 'wait': {
        const { reason, retry_at } = decision.owed
        await this.#record(item, 'failed', { facts: { attempt, reason, retry_at }, owed: decision.owed })
        break
      }
      case 'cleared':
        await this.#record(item, 'cleared', { facts: { by: 'verify' }, owed: decision.owed })
        break
      case 'ask':
        await this.#record(item, 'asked', { facts: { reason: decision.owed.reason }, owed: decision.owed })
        break
      case 'give_up': {
        const { owed, error } = decision
        const reason = textOf(error)
        const beside = buryEffect(owed, { reason, time: this.#host.clock.now() })
        item.over = true
        await this.#record(item, 'given_up', { facts: { attempt, reason, dead_letter: beside.id }, beside })
        this.#items.delete(owed.key)
        this.#host.onError(effectGivenUp(owed, beside.id, error))
      }
    }
  }

  /** Calls at once; rejects with what it throws, when its time is up, and when it is aborted. */
  #limited<T>(item: Item, { policy }: Code, work: (effect: EffectRun) => T | Promise<T>): Promise<T> {
    const controller = new AbortController()
    item.controller = controller
    const { key, action, failed, original_key: originalKey } = item.owed
    const { signal } = controller
    const effect: EffectRun = {
      key,
      attempt: failed + 1,
      signal,
      ...(originalKey !== undefined && { originalKey }),
    }
    const { timeoutMs: ms } = policy
    const { clock } = this.#host
    const limit =
      ms === undefined
        ? undefined
        : { clock, ms, error: () => effectTimedOut(`Action "${action}" (${key})`, ms) }
    return withinTime(() => work(effect), controller, limit)
  }

  /** Writes what became of an effect, and what is owed of it from now on. */
  async #record(item: Item, type: string, { facts, owed, beside }: Record): Promise<void> {
    const at = new Date(this.#host.clock.now()).toISOString()
    const before = item.owed
    if (owed !== undefined) item.owed = owed
    await this.#host.store.appendBatch({
      appends: [
        effectEvent(before, type, { at, ...facts }),
        ...(beside === undefined ? [] : [beside.append]),
      ],
      entries: [effectEntry(before, owed), ...(beside === undefined ? [] : [beside.entry])],
      outcome: true,
    })
  }

  /** Whether nobody has settled it meanwhile. */
  #isOwed(item: Item): boolean {
    return !item.over && this.#items.get(item.owed.key) === item
  }

  #codeOf({ machine: name, action }: OwedEffect): Code | undefined {
    const machine = this.#host.machine(name)
    const run = machine?.original.implementations.actions[action] as Code['run'] | undefined
    const policy = machine?.policies.effects?.[action]
    return run === undefined || policy === undefined ? undefined : { run, policy }
  }
}

const CLOSING = new DOMException('The runtime is closing.', 'AbortError')
