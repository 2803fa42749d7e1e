/**
 * The durable-actor engine: spawns, finds, wakes and stops actors of any registered machine.
 *
 * Owns: the machines by name, those who watch actors, the list of what is parked; its registry has the live families.
 * Never: knows what a session, an agent or a tool is.
 *
 * I1. After `recover`, every stream that owes work is awake or parked with its reason.
 * I2. Once the store takes no more writes, nobody is woken: what is owed would be done and not recorded.
 * I3. Those who watch an actor go on watching it when its cell is replaced.
 */
import { setMaxListeners } from 'node:events'
import type { AnyStateMachine } from 'xstate'
import { createEventIds } from '../../eventstore/event-id.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { assertId, isRecordedId } from './actor-id.ts'
import { createAsk, type Ask } from './cell/ask.ts'
import { Audience } from './cell/audience.ts'
import type { Cell, Receipt, SendOptions } from './cell/cell.ts'
import { rootOf } from './fold/child-address.ts'
import type { Clock } from './clock.ts'
import { Crashes } from './family/crashes.ts'
import { createDeadLetters, type DeadLetters } from './delivery/dead-letter-desk.ts'
import { recordDefinition } from './definition.ts'
import { durableActor, type ActorHost, type DurableActor } from './cell/durable-actor.ts'
import { durableMachine, nameOf, withDescendants, type DurableMachine } from './fold/durable-machine.ts'
import {
  actorExists,
  assertSameMachine,
  closed,
  duplicateMachine,
  noActor,
  unknownMachine,
  unregisteredMachine,
} from './engine-errors.ts'
import { EffectSelf } from './effects/effect-self.ts'
import { Effects } from './effects/effects.ts'
import { beginIndex } from './recovery/actor-index.ts'
import { createForks, type Forks } from './forks/forks.ts'
import { Family, type FamilyHost } from './family/family.ts'
import { firstDue } from './family/family-rest.ts'
import { FamilyRegistry } from './family/family-registry.ts'
import { Mailboxes } from './family/mailbox.ts'
import { SnapshotKeeper } from './snapshots/snapshot-keeper.ts'
import type { EngineOptions } from './engine-options.ts'
import type { SpawnOptions } from './spawn-options.ts'
import { parkedEffect, type Parked } from './parked.ts'
import { bringUpToDate } from './migration/migration.ts'
import { asRegistered } from './policies.ts'
import { recover } from './recovery/recovery.ts'
import { forget } from './recovery/forgetting.ts'
import { Sleepers } from './recovery/sleepers.ts'
import { Successors } from './cell/successors.ts'
import { Postman } from './delivery/postman.ts'
import { createRefusalLog } from './refusal-log.ts'
import { isEndOfStore, notWoken } from './store-end.ts'

/** How many actors stay in memory by default. */
const MAX_RESIDENT = 10_000

export type FoundActor = {
  readonly machine: string
  readonly actor: DurableActor
  /** What all its events belong to. */
  readonly correlationId: string
}

export interface Engine {
  readonly store: EventStore
  readonly clock: Clock
  /**
   * The actor with this id: a new one, its first event on disk, or the one that exists, woken.
   *
   * @throws RuntimeError `MACHINE_UNKNOWN`, `ACTOR_EXISTS`, `ACTOR_MACHINE_MISMATCH`, `INPUT_INVALID`, `ACTOR_DIVERGED`
   */
  spawn<TMachine extends AnyStateMachine>(
    machine: TMachine,
    options: SpawnOptions<TMachine>,
  ): Promise<DurableActor<TMachine>>
  /**
   * The actor with this id, awake; `undefined` if there is none.
   *
   * @throws RuntimeError `MACHINE_UNKNOWN`, `ACTOR_MACHINE_MISMATCH`, `ACTOR_DIVERGED`
   */
  get<TMachine extends AnyStateMachine>(
    machine: TMachine,
    id: string,
  ): Promise<DurableActor<TMachine> | undefined>
  /** An actor that is in memory; `undefined` for one at rest. Wakes nobody. */
  inMemory(id: string): Pick<Cell, 'mailbox'> | undefined
  /** The same, whatever its machine. */
  find(id: string): Promise<FoundActor | undefined>
  /** @throws RuntimeError `ACTOR_NOT_FOUND`, and what `DurableActor.send` throws */
  send(id: string, event: { type: string }, options?: SendOptions): Promise<Receipt>
  readonly ask: Ask
  /**
   * Lets a root that crashed, and is parked, go on from before the event that it crashed on. Child actors that its
   * crash ended begin anew.
   *
   * @throws RuntimeError `ACTOR_NOT_FOUND`
   */
  revive(id: string, options?: SendOptions): Promise<Receipt>
  /** Like `send`, for outcomes of work that already happened. */
  sendOutcome(id: string, event: { type: string }, options?: SendOptions): Promise<Receipt>
  /** Wakes every actor that owes work; what cannot be woken is parked. */
  recover(): Promise<void>
  readonly parked: readonly Parked[]
  /** Actors that were begun from a part of others. */
  readonly forks: Forks
  /** What was given up on. */
  readonly deadLetters: DeadLetters
  /** Named actions that are owed. */
  readonly effects: Pick<Effects, 'list' | 'settle'>
  onError(error: unknown): void
  /** Puts these roots out of memory, with all that was derived from their streams: their subject was erased. */
  forget(roots: readonly string[]): Promise<void>
  /** Stops what runs, finishes what is being written. */
  close(): Promise<void>
}

/**
 * Opens an engine over a store. `recover()` wakes what owes work.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`, `MACHINE_DUPLICATE`
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { store, clock, onError } = options
  const machines = new Map<string, DurableMachine>()
  for (const given of options.machines) {
    const { machine, ...policies } = asRegistered(given)
    const isIndexed = options.indexed?.includes(machine.id)
    const durable: DurableMachine = { ...durableMachine(machine, policies), isIndexed }
    if (machines.has(durable.name)) throw duplicateMachine(durable.name)
    machines.set(durable.name, durable)
  }
  // All of them hold, so that a machine that does not leaves nothing behind.
  await beginIndex(store, options.indexed ?? [])
  const byName = new Map<string, DurableMachine>()
  for (const durable of machines.values()) {
    for (const one of withDescendants(durable)) {
      byName.set(one.name, one)
      for (const warning of one.warnings) options.onWarning?.(`${one.label}: ${warning}`)
      if (one.kind === 'machine') await recordDefinition(store, one)
    }
  }

  const audiences = new Map<string, Audience>()
  const parked = new Map<string, Parked>()
  let endOfStore: unknown
  const refusals = createRefusalLog({ store, clock, onError })
  const post = new Postman({ store, clock, onError, use: (root, take) => families.use(root, take) })
  const { openSnapshots, snapshotEvery: every, onWarning = () => {} } = options
  const snapshots = openSnapshots && new SnapshotKeeper({ open: openSnapshots, every, onError, onWarning })
  const { random = Math.random } = options
  const mailboxes = new Mailboxes(options.mailboxLimit)
  const crashes = new Crashes()
  const storeFailed = (error: unknown): void => {
    if (isEndOfStore(error)) endOfStore ??= error
    options.onStoreFailure?.(error)
  }
  const effects = new Effects({
    store,
    clock,
    onError: (error) => {
      if (isEndOfStore(error)) storeFailed(error)
      onError(error)
    },
    random,
    graceMs: options.graceMs ?? 2_000,
    machine: (name) => byName.get(name),
    self: (id) =>
      new EffectSelf(id, {
        snapshot: () => families.live.get(rootOf(id))?.member(id)?.shown,
        send: (to, event) =>
          void useExisting(to, (cell) => cell.sendOutcome(event, { source: to })).catch(onError),
      }).ref,
  })
  const host: FamilyHost = {
    post,
    effects,
    snapshots,
    store,
    clock,
    random,
    mailboxes,
    crashes,
    newEventId: options.newEventId ?? createEventIds(Date.now),
    onError,
    // oxlint-disable-next-line no-console -- where XState's own `log` goes
    log: options.log ?? ((...values) => console.log(...values)),
    audience: (id) => audiences.get(id),
    recordRefusal: (refusal) => refusals.record(refusal),
    onBroken(family, error) {
      families.forget(family)
      storeFailed(error)
    },
    forward(root, take) {
      const forwarded = families.use(root, (family) => family && take(family))
      forwarded.catch((error: unknown) => {
        if ((error as { code?: string }).code !== closed().code) onError(error)
      })
    },
    onIdle: () => families.ease(),
  }
  const load = async (id: string): Promise<Family | undefined> => {
    if (endOfStore !== undefined) throw notWoken(id, endOfStore)
    const head = await store.head(id)
    // A stream that belongs to no machine is no actor.
    if (head === undefined || head.machine === '') return undefined
    const machine = machines.get(nameOf(head.machine))
    if (machine === undefined)
      throw unknownMachine(
        id,
        head.machine,
        Array.from(machines.values(), ({ label }) => label),
      )
    const world = await forks.worldOf(id, { machine, host })
    await bringUpToDate(world.host, { id, label: head.machine, machine })
    const family = new Family(id, world.machine, world.host)
    await family.load()
    for (const { id: one } of parked.values()) if (rootOf(one) === id) parked.delete(one)
    return family
  }
  const successors = new Successors()
  const families: FamilyRegistry = new FamilyRegistry({
    load,
    maxResident: options.maxResident ?? MAX_RESIDENT,
    onArrived(family) {
      for (const cell of family.members()) successors.arrived(cell)
    },
    onLeft(family) {
      for (const cell of family.members()) successors.left(cell)
      // One that is broken waits until somebody asks for it.
      const due = family.isBroken ? undefined : firstDue(family.members())
      if (due !== undefined) sleepers.note(due)
    },
  })
  const wake = async (root: string): Promise<void> => {
    try {
      await families.use(root, () => undefined)
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'ACTOR_FAILED'
      // Closing in the middle of a recovery parks nobody; and who was erased waits for nothing.
      if (code !== closed().code && code !== 'ACTOR_ERASED')
        parked.set(root, { id: root, code, reason: (error as Error).message })
    }
  }
  const isSeenTo = (root: string): boolean => families.live.has(root) || parked.has(root)
  const sleepers = new Sleepers({ store, clock, isSeenTo, wake, onError })
  const forks = createForks({ store, clock, machines, crashes, effects, families: () => families, assertId })

  const registered = (machine: AnyStateMachine): DurableMachine => {
    const durable = machines.get(machine.id)
    if (durable === undefined) throw unregisteredMachine(machine.id, [...machines.keys()])
    return durable
  }
  const use = <T>(id: string, take: (cell: Cell | undefined) => T | Promise<T>): Promise<T> =>
    families.use(rootOf(id), (family) => {
      const cell = family?.member(id)
      // A child that has ended is no member any more; it can still be looked at.
      if (cell !== undefined || family === undefined || id === family.id) return take(cell)
      return family.past(id).then(take)
    })
  const find = async (id: string): Promise<Cell | undefined> =>
    isRecordedId(id) ? use(id, (cell) => cell) : undefined
  const useExisting = <T>(id: string, take: (cell: Cell) => Promise<T>): Promise<T> =>
    use(id, (cell) => {
      if (cell === undefined) throw noActor(id)
      return take(cell)
    })
  const offer: ActorHost['offer'] = (id, take) =>
    mailboxes.whileAsleep(id, (awake) =>
      useExisting(id, (cell) => {
        awake()
        return take(cell)
      }),
    )
  const actorHost: ActorHost = {
    use: useExisting,
    offer,
    audience(id, version) {
      const known = audiences.get(id)
      if (known !== undefined) return known
      const audience: Audience = new Audience(onError, () => actorHost.dismiss(id, audience))
      audience.seen = version
      audiences.set(id, audience)
      return audience
    },
    dismiss(id, audience) {
      if (audience.empty && audiences.get(id) === audience) audiences.delete(id)
    },
    onError,
  }
  const reference = <TMachine extends AnyStateMachine>(cell: Cell): DurableActor<TMachine> =>
    durableActor<TMachine>(cell, actorHost)
  const closing = new AbortController()
  // Each question that waits listens to it, and takes its listener back.
  setMaxListeners(0, closing.signal)
  const ask = createAsk({
    clock,
    closing: closing.signal,
    async find(id) {
      const cell = await find(id)
      if (cell === undefined) throw noActor(id)
      return reference(cell)
    },
  })
  const create = async (durable: DurableMachine, spawn: SpawnOptions<AnyStateMachine>): Promise<Family> => {
    const family = new Family(spawn.id, durable, host)
    await family.create({
      type: spawn.createdAs ?? 'actor.created',
      input: spawn.input,
      correlationId: spawn.correlationId ?? spawn.id,
      source: spawn.source ?? '',
    })
    return family
  }

  return {
    store,
    clock,
    onError,
    forks,
    get parked() {
      return [...parked.values(), ...crashes.list(), ...effects.list().flatMap(parkedEffect)]
    },
    deadLetters: createDeadLetters({ store, clock, effects, post, useActor: useExisting }),
    effects,
    async spawn(machine, spawn) {
      const durable = registered(machine)
      assertId(spawn.id)
      for (;;) {
        const existing = await find(spawn.id)
        if (existing !== undefined) {
          assertSameMachine(existing, durable)
          if (spawn.ifExists === 'error') throw actorExists(spawn.id)
          return reference(existing)
        }
        // Somebody else may have begun to create it meanwhile: then wait for that one.
        const created = families.create(spawn.id, () => create(durable, spawn))
        if (created !== undefined) return reference((await created).root)
      }
    },
    async get(machine, id) {
      const durable = registered(machine)
      const cell = await find(id)
      if (cell === undefined) return undefined
      assertSameMachine(cell, durable)
      return reference(cell)
    },
    inMemory: (id) => families.live.get(rootOf(id))?.member(id),
    async find(id) {
      const cell = await find(id)
      return cell && { machine: cell.machine.name, actor: reference(cell), correlationId: cell.correlationId }
    },
    send: (id, event, sendOptions) => offer(id, (cell) => cell.send(event, sendOptions)),
    ask,
    revive: (id, by) => useExisting(id, (cell) => cell.revive(by)),
    sendOutcome: (id, event, sendOptions) => useExisting(id, (cell) => cell.sendOutcome(event, sendOptions)),
    async recover() {
      await crashes.load(store)
      await effects.recover()
      await recover({ store, now: () => clock.now(), wake, sleepUntil: (dueAt) => sleepers.note(dueAt) })
    },
    forget: (roots) => forget({ store, families, effects, crashes, audiences, parked, snapshots }, roots),
    async close() {
      sleepers.close()
      mailboxes.empty()
      closing.abort(closed())
      await families.close()
      await effects.close()
      await refusals.flush()
      await snapshots?.close()
    },
  }
}
