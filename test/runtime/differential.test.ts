/** A durable actor is what XState's own actor is: same states, actions, emitted events and leaves, after any sequence. */
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createActor,
  SimulatedClock,
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate'
import { eventOf } from '../../src/runtime/canonical.ts'
import { isChildAddress } from '../../src/runtime/child-address.ts'
import type { DurableActor } from '../../src/runtime/durable-actor.ts'
import { durableMachine } from '../../src/runtime/durable-machine.ts'
import { createFolder, type CellState } from '../../src/runtime/fold.ts'
import { createTestClock, type TestClock } from '../../src/testing/test-clock.ts'
import { eventsOf, openEngine, reopen, type Opened } from './engine-under-test.ts'
import { LeafWorld, type Settlement } from './leaf-world.ts'
import { families } from './families-by-hand.ts'
import { samples, type Sample } from './machines-by-hand.ts'

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 25)
/** All delays of the samples are multiples of it. */
const TICK_MS = 10

type Move =
  | { readonly kind: 'send'; readonly event: AnyEventObject }
  | { readonly kind: 'wait'; readonly ticks: number }
  | { readonly kind: 'settle'; readonly what: Settlement }
  | { readonly kind: 'reopen' }

function movesOf(sample: Sample): fc.Arbitrary<Move[]> {
  const send = fc.constantFrom(...sample.events).map((event): Move => ({ kind: 'send', event }))
  const wait = fc.integer({ min: 1, max: 8 }).map((ticks): Move => ({ kind: 'wait', ticks }))
  const again = fc.constant<Move>({ kind: 'reopen' })
  const choices = [
    { weight: 8, arbitrary: send },
    { weight: 2, arbitrary: wait },
    { weight: 1, arbitrary: again },
  ]
  if (sample.leaves !== undefined) {
    const settle = fc.record({
      leaf: fc.constantFrom(...sample.leaves),
      how: fc.constantFrom('succeed' as const, 'fail' as const, 'say' as const),
      value: fc.integer({ min: 0, max: 3 }),
    })
    choices.push({ weight: 5, arbitrary: settle.map((what): Move => ({ kind: 'settle', what })) })
  }
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength: 25 })
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
    output,
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

  constructor(sample: Sample) {
    this.#actor = createActor(sample.machine(this.world), { clock: this.#clock })
    watch(this.world, this.#actor)
    this.#actor.start()
  }

  async play(move: Move): Promise<void> {
    // An XState actor that has ended warns of what it is sent; a durable one says no.
    if (move.kind === 'send' && this.#actor.getSnapshot().status === 'active') this.#actor.send(move.event)
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
  readonly #clock: TestClock = createTestClock()
  #engine: Opened | undefined
  #actor: DurableActor | undefined
  /** The state at each version, as it was when it was published. */
  readonly published = new Map<number, object>()

  constructor(sample: Sample) {
    this.#machine = sample.machine(this.world)
  }

  async start(): Promise<void> {
    this.#engine = await openEngine({ machines: [this.#machine], clock: this.#clock })
    this.#actor = await this.#engine.spawn(this.#machine, { id: 'actor-1', input: undefined })
    // What the first step emitted nobody could hear; XState's watchers come before its start.
    watch(this.world, this.#actor)
    this.#note()
    await rest()
  }

  async play(move: Move): Promise<void> {
    const { engine, actor } = this
    if (move.kind === 'send') await actor.send(move.event)
    if (move.kind === 'settle') this.world.settle(move.what)
    if (move.kind === 'wait') {
      for (let i = 0; i < move.ticks; i += 1) {
        await this.#clock.advance(TICK_MS)
        await rest()
      }
    }
    if (move.kind === 'reopen') {
      const { status } = actor.getSnapshot()
      this.#engine = await reopen(engine, [this.#machine])
      const same = await this.#engine.get(this.#machine, 'actor-1')
      if (same === undefined) throw new Error('the actor is gone')
      this.#actor = same
      if (status === 'active') watch(this.world, same)
    }
    await rest()
    this.#note()
  }

  get engine(): Opened {
    if (this.#engine === undefined) throw new Error('not started')
    return this.#engine
  }

  get actor(): DurableActor {
    if (this.#actor === undefined) throw new Error('not started')
    return this.#actor
  }

  get machine(): AnyStateMachine {
    return this.#machine
  }

  async view(): Promise<View> {
    const { trace, running, received } = this.world
    const snapshot = this.actor.getSnapshot()
    const look: Look = async (ref) => {
      if (!isChildAddress(ref.sessionId)) return undefined
      return (await this.engine.find(ref.sessionId))?.actor.getSnapshot()
    }
    const children = snapshot.status === 'active' ? await childrenOf(snapshot, look) : {}
    return { state: stateOf(snapshot), children, trace, running, received }
  }

  #note(): void {
    this.published.set(this.actor.version, stateOf(this.actor.getSnapshot()))
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

describe.each([...samples, ...families].map((sample) => [sample.name, sample] as const))(
  '%s',
  (_name, sample) => {
    test('runs as in XState, also over restarts, and replays to the same state at every version', async () => {
      await fc.assert(
        fc.asyncProperty(movesOf(sample), async (moves) => {
          const plain = new Plain(sample)
          const durable = new Durable(sample)
          await durable.start()
          plain.world.trace.length = 0
          durable.world.trace.length = 0
          expect(await durable.view()).toEqual(await plain.view())
          for (const move of moves) {
            await plain.play(move)
            await durable.play(move)
            expect(changes(await durable.view())).toEqual(changes(await plain.view()))
          }
          await assertReplays(durable)
          expect(durable.engine.errors.filter(isTrouble)).toEqual([])
          await durable.engine.close()
        }),
        { numRuns: RUNS },
      )
    }, 120_000)
  },
)

/** An actor that ended in error without anybody watching says so; that is no trouble here. */
function isTrouble(error: unknown): boolean {
  return (error as { code?: string }).code !== 'ACTOR_FAILED'
}

async function assertReplays(durable: Durable): Promise<void> {
  const { world, machine, engine } = durable
  const before = { trace: [...world.trace], starts: new Map(world.starts), received: [...world.received] }
  const folder = createFolder(durableMachine(machine), 'actor-1')
  let state: CellState | undefined
  for (const record of await eventsOf(engine.store, 'actor-1')) {
    const outcome = folder.fold(state, {
      version: record.version,
      time: Date.parse(record.timestamp),
      eventId: record.event_id,
      event: eventOf(record),
    })
    if (outcome.kind !== 'accepted')
      throw new Error(`version ${record.version} is ${outcome.kind}: ${outcome.reason}`)
    state = outcome.state
    const folded = stateOf(state.snapshot)
    expect(folded).toEqual(durable.published.get(record.version) ?? folded)
  }
  expect({ trace: world.trace, starts: world.starts, received: world.received }).toEqual(before)
}
