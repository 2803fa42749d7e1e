/**
 * The forks of an engine: makes them, holds back what the paused ones intend, and lets them go.
 *
 * Owns: which forks are paused, and which are being let go at this moment.
 * Never: writes to the stream that a fork comes from; runs an effect itself.
 *
 * I1. A paused fork is woken in the held world, by whoever and after every restart, until it is resumed.
 * I2. While a fork is being let go nobody wakes it; who asks waits.
 * I3. What a fork holds back becomes owed in one batch with the event that says so.
 */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { Clock } from '../clock.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { noActor } from '../engine-errors.ts'
import type { Crashes } from '../family/crashes.ts'
import type { FamilyHost } from '../family/family.ts'
import type { FamilyRegistry } from '../family/family-registry.ts'
import { planFork, writeFork, type Fork, type ForkWish } from './fork-copy.ts'
import { pausedEntry, pausedForks, releasedEntries } from './fork-hold.ts'
import { abandoned, readHeldBack, type HeldBack } from './held-back.ts'
import { forkResumed, forkStream } from './fork-link.ts'
import { heldHost, heldMachine } from './fork-world.ts'
import { RuntimeError } from '../runtime-error.ts'

/** What an actor is woken with. */
export type World = { readonly machine: DurableMachine; readonly host: FamilyHost }

export interface Forks {
  /** The same for most actors; what a paused fork gets instead does nothing to the world. */
  worldOf(id: string, world: World): Promise<World>
  /** @throws RuntimeError `INPUT_INVALID`, and what `planFork` and `writeFork` throw */
  fork(wish: ForkWish): Promise<Fork>
  /** What a fork holds back. @throws RuntimeError `ACTOR_NOT_FOUND`, `FORK_UNKNOWN` */
  heldBack(id: string): Promise<HeldBack>
  /**
   * Lets a paused fork go: what it holds back is owed from now on, and is begun. A fork that was let go stays as it is.
   *
   * @throws RuntimeError `ACTOR_NOT_FOUND`, `FORK_UNKNOWN`, `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`, `EFFECT_UNKNOWN`
   */
  resume(id: string, options?: ResumeOptions): Promise<void>
}

export type ResumeOptions = {
  /** Keys of actions that are not to be run. */
  readonly abandon?: readonly string[]
  /** Who says so, for the record; default `a person`. */
  readonly by?: string
}

export type ForksHost = {
  readonly store: EventStore
  readonly clock: Pick<Clock, 'now'>
  /** By name. */
  readonly machines: ReadonlyMap<string, DurableMachine>
  readonly families: () => FamilyRegistry
  readonly crashes: Pick<Crashes, 'note'>
  readonly effects: { recover(id: string): Promise<void> }
  /** @throws RuntimeError `INPUT_INVALID` for what cannot be the id of an actor. */
  assertId(id: string): void
}

export function createForks(engine: ForksHost): Forks {
  const { store, machines, families } = engine
  const held = new Map<string, DurableMachine>()
  const resuming = new Map<string, Promise<void>>()
  let reading: Promise<Set<string>> | undefined
  const pausedNow = (): Promise<Set<string>> => (reading ??= pausedForks(store))

  const assertFork = async (id: string): Promise<void> => {
    if ((await store.head(id)) === undefined) throw noActor(id)
    if ((await store.head(forkStream(id))) === undefined) throw notAFork(id)
  }
  const letGo = async (id: string, version: number, options: ResumeOptions): Promise<void> => {
    const { abandon: keys = [], by = 'a person' } = options
    const at = new Date(engine.clock.now()).toISOString()
    const unwanted = await abandoned(store, id, { keys, by, at })
    const appends = [{ stream_id: forkStream(id), events: [forkResumed(version)] }, ...unwanted.appends]
    await store.appendBatch({
      appends,
      // What was owed last under a key is what holds.
      entries: [pausedEntry(id), ...(await releasedEntries(store, id)), ...unwanted.entries],
    })
    ;(await pausedNow()).delete(id)
    await engine.effects.recover(id)
  }
  const wake = (id: string): Promise<void> => families().use(id, () => undefined)

  return {
    async worldOf(id, world) {
      // Whether that went well is for whoever asked for it.
      await resuming.get(id)?.catch(() => {})
      if (!(await pausedNow()).has(id)) return world
      const { label } = world.machine
      const machine = held.get(label) ?? heldMachine(world.machine)
      held.set(label, machine)
      return { machine, host: heldHost(world.host, id) }
    },
    async fork(wish) {
      engine.assertId(wish.newId)
      const labelled = new Map(Array.from(machines.values(), (machine) => [machine.label, machine]))
      const plan = await planFork(store, { ...wish, machines: labelled })
      const paused = await pausedNow()
      // Before anybody can find the stream.
      const isNew = wish.paused && !paused.has(wish.newId)
      if (isNew) paused.add(wish.newId)
      try {
        await writeFork(store, plan)
      } catch (error) {
        if (isNew) paused.delete(wish.newId)
        throw error
      }
      engine.crashes.note(wish.newId, plan.state)
      if (!wish.paused) {
        await wake(wish.newId)
        await engine.effects.recover(wish.newId)
      }
      return plan.fork
    },
    async heldBack(id) {
      await assertFork(id)
      return readHeldBack(store, id)
    },
    async resume(id, options = {}) {
      const paused = await pausedNow()
      if (!paused.has(id) && !resuming.has(id)) return assertFork(id)
      // Woken first, so that it is there at once below, and nobody else waits for it to wake.
      await wake(id)
      let moving = resuming.get(id)
      await families().use(id, (family) => {
        if (family === undefined || moving !== undefined || !paused.has(id)) return
        families().forget(family)
        moving = family.close().then(() => letGo(id, family.root.version, options))
        resuming.set(id, moving)
        const over = (): void => void resuming.delete(id)
        moving.then(over, over)
      })
      await moving
      await wake(id)
    },
  }
}

function notAFork(id: string): RuntimeError {
  return new RuntimeError('FORK_UNKNOWN', {
    happened: `"${id}" is no fork.`,
    expected: 'The id of an actor that fork() made.',
    todo: 'Use the id that fork() returned; any other actor runs without being resumed.',
    details: { stream_id: id },
  })
}
