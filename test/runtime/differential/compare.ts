/**
 * Runs a machine in XState and as a durable actor, side by side, over random sequences: after each event both are in
 * the same state, and so is every replay, every opening of the log, and every fork.
 */
import { deepStrictEqual } from 'node:assert'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createActor,
  SimulatedClock,
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate'
import { createMemoryEventStore, createMemorySnapshots } from '../../../eventstore/index.ts'
import { knownMachines } from '../../../src/query/state-at.ts'
import { verifyLog } from '../../../src/query/verify-log.ts'
import { isChildAddress } from '../../../src/runtime/fold/child-address.ts'
import type { DurableActor } from '../../../src/runtime/cell/durable-actor.ts'
import { createEngine, type Engine } from '../../../src/runtime/engine.ts'
import { Replayer } from '../../../src/runtime/fold/replay.ts'
import { createTestClock, type TestClock } from '../../../src/testing/test-clock.ts'
import { LeafWorld, type Settlement } from '../leaf-world.ts'
import type { Sample } from './sample.ts'

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 25)
/** All delays of the samples are multiples of it. */
const TICK_MS = 10

const ID = 'actor-1'

type Move =
  | { readonly kind: 'send'; readonly event: AnyEventObject }
  | { readonly kind: 'wait'; readonly ticks: number }
  | { readonly kind: 'settle'; readonly what: Settlement }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'stop' }

/** Compares each of these machines, in a test of its own. */
export function runsAsInXState(samples: readonly Sample[]): void {
  // XState tells the console of events that come too late; that they do is a part of what is compared.
  beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}))
  describe.each(samples.map((sample) => [sample.name, sample] as const))('%s', (_name, sample) => {
    test('runs as in XState, over restarts, in replays and in forks', async () => {
      const property = fc.asyncProperty(movesOf(sample), fc.nat(), (moves, at) =>
        compare(sample, { moves, at }),
      )
      await expect(fc.assert(property, { numRuns: RUNS })).resolves.toBeUndefined()
    }, 1_800_000)
  })
}

function movesOf(sample: Sample): fc.Arbitrary<Move[]> {
  const send = fc.constantFrom(...sample.events).map((event): Move => ({ kind: 'send', event }))
  const wait = fc.integer({ min: 1, max: 8 }).map((ticks): Move => ({ kind: 'wait', ticks }))
  const choices = [
    { weight: 32, arbitrary: send },
    { weight: 8, arbitrary: wait },
    { weight: 4, arbitrary: fc.constant<Move>({ kind: 'reopen' }) },
    { weight: 1, arbitrary: fc.constant<Move>({ kind: 'stop' }) },
  ]
  if (sample.leaves !== undefined) {
    const settle = fc.record({
      leaf: fc.constantFrom(...sample.leaves),
      how: fc.constantFrom('succeed' as const, 'fail' as const, 'say' as const),
      value: fc.integer({ min: 0, max: 3 }),
    })
    choices.push({ weight: 20, arbitrary: settle.map((what): Move => ({ kind: 'settle', what })) })
  }
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength: 25 })
}

async function compare(
  sample: Sample,
  { moves, at }: { readonly moves: readonly Move[]; readonly at: number },
): Promise<void> {
  const plain = new Plain(sample)
  const durable = new Durable(sample)
  await durable.start()
  plain.world.trace.length = 0
  durable.world.trace.length = 0
  deepStrictEqual(await durable.view(), await plain.view())
  for (const move of moves) {
    await plain.play(move)
    await durable.play(move)
    const [theirs, ours] = [changes(await plain.view()), changes(await durable.view())]
    deepStrictEqual(ours, theirs)
  }
  const { trace, starts, received } = durable.world
  const done = structuredClone({ trace, starts, received })
  await durable.assertReplays()
  await durable.assertForks(at)
  deepStrictEqual({ trace, starts, received }, done)
  deepStrictEqual(durable.trouble, [])
  await durable.close()
}

/** What two runs of a machine must agree on. */
type View = {
  readonly state: object
  readonly children: Kids
  readonly trace: readonly string[]
  readonly running: readonly string[]
  readonly received: readonly string[]
}

/** A reference to an actor is what the parent calls it; its address is nobody's business. */
function plainly(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_key, inner: { xstate$$type?: number; id?: string } | null) =>
      inner?.xstate$$type === 1 ? `ref ${inner.id}` : inner,
    ),
  )
}

/** The children that have not ended, with theirs. */
type Kids = Record<string, unknown>
type Look = (ref: AnyActorRef) => Promise<AnyMachineSnapshot | undefined>

async function childrenOf(snapshot: AnyMachineSnapshot, look: Look): Promise<Kids> {
  const kids: Kids = {}
  for (const [id, ref] of Object.entries((snapshot.children ?? {}) as Record<string, AnyActorRef>)) {
    const child = await look(ref)
    if (child === undefined || child.status !== 'active') continue
    // A leaf is seen by what it says.
    if (child.context === undefined || '_subscription' in child) continue
    const { value, context, status } = child
    const own = child.machine === undefined ? {} : await childrenOf(child, look)
    kids[id] = { value, context: plainly(context), status, own }
  }
  return kids
}

function stateOf(snapshot: AnyMachineSnapshot): object {
  const { value, context, status, tags, output, error, historyValue } = snapshot
  return {
    value,
    context: plainly(context),
    status,
    tags: [...tags].sort(),
    meta: snapshot.getMeta(),
    output: plainly(output),
    error: (error as Error | undefined)?.message,
    history: Object.entries(historyValue as Record<string, { id: string }[]>).map(([id, nodes]) => [
      id,
      nodes.map((node) => node.id).sort(),
    ]),
  }
}

function watch(world: LeafWorld, actor: Pick<DurableActor, 'getSnapshot' | 'subscribe' | 'on'>): void {
  let last = JSON.stringify(stateOf(actor.getSnapshot()))
  actor.subscribe({
    next: (snapshot) => {
      const state = JSON.stringify(stateOf(snapshot))
      // XState shows the same state again for an event that means nothing.
      if (state !== last) world.trace.push(`state ${state}`)
      last = state
    },
    error: (error) => world.trace.push(`error ${(error as Error).message}`),
    complete: () => world.trace.push('complete'),
  })
  actor.on('*', (event) => world.trace.push(`emit ${JSON.stringify(event)}`))
}

async function rest(): Promise<void> {
  for (let i = 0; i < 8; i += 1) await turn()
}

class Plain {
  readonly world = new LeafWorld()
  readonly #clock = new SimulatedClock()
  readonly #actor

  constructor({ machine, input }: Sample) {
    this.#actor = createActor(machine(this.world), {
      id: ID,
      input,
      clock: this.#clock,
      logger: (...values) => this.world.log(values),
    })
    watch(this.world, this.#actor)
    this.#actor.start()
  }

  async play(move: Move): Promise<void> {
    // An XState actor that has ended warns of what it is sent; a durable one says no.
    const isActive = this.#actor.getSnapshot().status === 'active'
    if (move.kind === 'send' && isActive) this.#actor.send(move.event)
    if (move.kind === 'stop' && isActive) this.#actor.stop()
    if (move.kind === 'settle') this.world.settle(move.what)
    if (move.kind === 'wait') {
      for (let i = 0; i < move.ticks; i += 1) {
        this.#clock.increment(TICK_MS)
        await rest()
      }
    }
    await rest()
  }

  async view(): Promise<View> {
    const { trace, running, received } = this.world
    const snapshot = this.#actor.getSnapshot()
    const look: Look = async (ref) => ref.getSnapshot() as AnyMachineSnapshot
    const children = snapshot.status === 'active' ? await childrenOf(snapshot, look) : {}
    return { state: stateOf(snapshot), children, trace, running, received }
  }
}

class Durable {
  readonly world = new LeafWorld()
  readonly #machine: AnyStateMachine
  readonly #input: unknown
  readonly #clock: TestClock = createTestClock()
  readonly #store = createMemoryEventStore({ clock: () => this.#clock.now() })
  readonly #snapshots = createMemorySnapshots()
  #engine: Engine | undefined
  #actor: DurableActor | undefined
  /** The state at each version, as it was when it was published. */
  readonly #published = new Map<number, object>()
  readonly trouble: unknown[] = []

  constructor(sample: Sample) {
    this.#machine = sample.machine(this.world)
    this.#input = sample.input
  }

  async start(): Promise<void> {
    this.#engine = await this.#open()
    this.#actor = await this.#engine.spawn(this.#machine, { id: ID, input: this.#input })
    // What the first step emitted nobody could hear; XState's watchers come before its start.
    watch(this.world, this.#actor)
    this.#note()
    await rest()
  }

  async play(move: Move): Promise<void> {
    const { engine, actor } = this
    if (move.kind === 'send') await actor.send(move.event)
    if (move.kind === 'stop') await actor.stop()
    if (move.kind === 'settle') this.world.settle(move.what)
    if (move.kind === 'wait') {
      for (let i = 0; i < move.ticks; i += 1) {
        await this.#clock.advance(TICK_MS)
        await rest()
      }
    }
    if (move.kind === 'reopen') {
      const { status } = actor.getSnapshot()
      await engine.close()
      this.#engine = await this.#open()
      this.#actor = await this.#engine.get(this.#machine, ID)
      if (status === 'active') watch(this.world, this.actor)
    }
    await rest()
    this.#note()
  }

  async view(): Promise<View> {
    const { trace, running, received } = this.world
    const snapshot = this.actor.getSnapshot()
    const children = snapshot.status === 'active' ? await childrenOf(snapshot, (ref) => this.#look(ref)) : {}
    return { state: stateOf(snapshot), children, trace, running, received }
  }

  /** Every stream of the family folds to what was shown at each version, and owes what is on disk. */
  async assertReplays(): Promise<void> {
    const machines = knownMachines([this.#machine])
    deepStrictEqual((await verifyLog(this.#store, { machines })).problems, [])
    const machine = machines.get((await this.#store.head(ID))?.machine ?? '')
    if (machine === undefined) throw new Error('the machine is not known')
    const replayer = new Replayer(machine, ID)
    for await (const record of this.#store.readStream(ID)) {
      const replayed = replayer.take(record)
      if (replayed.kind !== 'agrees') throw new Error('does not replay')
      const folded = stateOf(replayed.state.snapshot)
      deepStrictEqual(folded, this.#published.get(record.version) ?? folded)
    }
  }

  /** A fork at the last version, and one somewhere before, are in the state that the original was in. */
  async assertForks(somewhere: number): Promise<void> {
    const versions = [...this.#published.keys()]
    const before = versions[somewhere % versions.length] ?? 1
    const last = this.actor.version
    for (const version of new Set([before, last])) {
      const id = `fork-${version}`
      const at = version === last ? 'last' : version
      await this.engine.forks.fork({ id: ID, at, newId: id, paused: true })
      const fork = await this.engine.get(this.#machine, id)
      if (fork === undefined) throw new Error('there is no fork')
      const plain = (state: unknown): unknown => JSON.parse(JSON.stringify(state).replaceAll(id, ID))
      deepStrictEqual(plain(stateOf(fork.getSnapshot())), plain(this.#published.get(version)))
      if (version !== last) continue
      const children = (snapshot: AnyMachineSnapshot): Promise<Kids> =>
        snapshot.status === 'active' ? childrenOf(snapshot, (ref) => this.#look(ref)) : Promise.resolve({})
      deepStrictEqual(
        plain(await children(fork.getSnapshot())),
        plain(await children(this.actor.getSnapshot())),
      )
    }
    const machines = knownMachines([this.#machine])
    deepStrictEqual((await verifyLog(this.#store, { machines })).problems, [])
  }

  async close(): Promise<void> {
    await this.engine.close()
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('not started')
    return this.#engine
  }

  get actor(): DurableActor {
    if (this.#actor === undefined) throw new Error('not started')
    return this.#actor
  }

  async #open(): Promise<Engine> {
    const engine = await createEngine({
      store: this.#store,
      clock: this.#clock,
      machines: [this.#machine],
      // Often, so that nearly every restart goes on from a snapshot.
      openSnapshots: async () => this.#snapshots,
      snapshotEvery: 2,
      log: (...values) => this.world.log(values),
      onError: (error) => {
        // An actor that ended in error without anybody watching says so; that is no trouble here.
        if ((error as { code?: string }).code !== 'ACTOR_FAILED') this.trouble.push(error)
      },
    })
    await engine.recover()
    return engine
  }

  async #look(ref: AnyActorRef): Promise<AnyMachineSnapshot | undefined> {
    if (!isChildAddress(ref.sessionId)) return undefined
    return (await this.engine.find(ref.sessionId))?.actor.getSnapshot()
  }

  #note(): void {
    this.#published.set(this.actor.version, stateOf(this.actor.getSnapshot()))
  }
}

/** The trace from the first change on: how the first state is shown depends on when one begins to watch. */
function changes(view: View): View {
  let last: string | undefined
  const trace = view.trace.filter((line) => {
    if (!line.startsWith('state ')) return true
    const same = line === last
    last = line
    return !same
  })
  return { ...view, trace }
}
