/**
 * Random families under random policies: they crash, are restarted, revived, forked and reopened, their leaves and
 * actions fail for good and are tried again; after each move what is listed is what is, and the log replays.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  assign,
  cancel,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import { withPolicies, type ActorPolicy, type RootPolicies } from '../../src/runtime/policies.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { rest } from './engine-under-test.ts'

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 20)
const ROOT = 'root'

const types = { context: {} as { n: number }, events: {} as AnyEventObject }
const context = { n: 0 }
const count = assign<{ n: number }, AnyEventObject, undefined, AnyEventObject, never>({
  n: ({ context: { n } }) => n + 1,
})
const crash = assign<{ n: number }, AnyEventObject, undefined, AnyEventObject, never>(() => {
  throw new Error('broke')
})

/** What runs outside of the log: promises that the sequence settles, an action that fails every third time. */
class World {
  readonly pending: { succeed(): void; fail(): void }[] = []
  #acts = 0

  /** A root with two workers, each with a child of its own; a leaf at each level. `takes`: who takes failures. */
  machine(takes: readonly boolean[]) {
    const leaf = fromPromise(
      ({ signal }) =>
        new Promise((resolve, reject) => {
          const one = { succeed: () => resolve(1), fail: () => reject(new Error('failed')) }
          this.pending.push(one)
          signal.addEventListener('abort', () => this.pending.splice(this.pending.indexOf(one) >>> 0, 1))
        }),
    )
    const act = (): void => {
      this.#acts += 1
      if (this.#acts % 3 === 0) throw new Error('act failed')
    }
    const below = setup({ types, actors: { leaf }, actions: { act } }).createMachine({
      id: 'below',
      context,
      initial: 'on',
      states: {
        on: {
          invoke: { id: 'leaf', src: 'leaf', onDone: 'off' },
          after: { 500: { target: 'on', actions: count, reenter: true } },
        },
        off: {},
      },
      on: { crash: { actions: crash }, count: { actions: [count, 'act'] } },
    })
    const worker = setup({ types, actors: { below } }).createMachine({
      id: 'worker',
      context,
      initial: 'a',
      states: {
        a: {
          invoke: { id: 'below', src: 'below', ...(takes[0] === true && { onError: 'b' }) },
          on: { swap: 'b' },
        },
        b: { entry: sendParent({ type: 'noted' }), on: { swap: 'a' } },
      },
      on: {
        crash: { actions: crash },
        count: { actions: [count, sendParent({ type: 'noted' })] },
        deep: {
          actions: sendTo(
            ({ self }) =>
              (self.getSnapshot() as { children: Record<string, AnyActorRef> }).children['below'] ?? self,
            ({ event }) => ({ type: event['what'] as string }),
          ),
        },
      },
    })
    return setup({ types, actors: { worker, leaf } }).createMachine({
      id: 'top',
      context,
      initial: 'on',
      states: {
        on: {
          invoke: [
            { src: 'worker', id: 'w1', ...(takes[1] === true && { onError: { actions: count } }) },
            { src: 'worker', id: 'w2' },
            { src: 'leaf', id: 'leaf', ...(takes[2] === true && { onError: {} }) },
          ],
          on: { off: 'off' },
        },
        off: { on: { on: 'on' }, after: { 2_000: 'on' } },
      },
      on: {
        noted: { actions: count },
        crash: { actions: crash },
        to: {
          actions: sendTo(
            ({ event }) => event['who'] as never,
            ({ event }) => event['event'] as never,
          ),
        },
        later: { actions: sendTo('w1', { type: 'count' }, { delay: 300, id: 'later' }) },
        never: { actions: cancel('later') },
      },
    })
  }
}

const retries = fc.option(
  fc.integer({ min: 1, max: 3 }).map((attempts) => ({ retries: { attempts, delayMs: 100, jitter: 0 } })),
  { nil: {} },
)
const supervision = fc.record({
  onCrash: fc.constantFrom<NonNullable<ActorPolicy['onCrash']>>('escalate', 'restart', 'resume', 'stop'),
  budget: fc.record({ max: fc.nat(3), withinMs: fc.constant(1_000) }),
})
const strategy = fc.constantFrom('one-for-one' as const, 'all-for-one' as const)
const act = fc.constantFrom(
  { policy: 'ask' as const },
  { policy: 'retry' as const, retries: { attempts: 2, delayMs: 50, jitter: 0 } },
)

const policies: fc.Arbitrary<RootPolicies> = fc
  .record({
    root: fc.constantFrom('park' as const, 'resume' as const),
    worker: supervision,
    below: supervision,
    strategies: fc.tuple(strategy, strategy),
    leaves: fc.tuple(retries, retries),
    act,
  })
  .map((drawn) => ({
    onCrash: drawn.root,
    strategy: drawn.strategies[0],
    actors: {
      leaf: drawn.leaves[0],
      worker: {
        ...drawn.worker,
        strategy: drawn.strategies[1],
        actors: { below: { ...drawn.below, effects: { act: drawn.act }, actors: { leaf: drawn.leaves[1] } } },
      },
    },
  }))

type Move =
  | { readonly kind: 'send'; readonly event: AnyEventObject }
  | { readonly kind: 'settle'; readonly how: 'succeed' | 'fail'; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'letters'; readonly how: 'retry' | 'discard' }
  | { readonly kind: 'asked'; readonly answer: 'done' | 'retry' | 'abandon' }
  | { readonly kind: 'fork'; readonly at: number }
  | { readonly kind: 'revive' | 'restart' | 'release' }

const who = fc.constantFrom('w1', 'w2')
const toWorker = fc.constantFrom('crash', 'count', 'swap').map((type): AnyEventObject => ({ type }))
const toChild = fc.constantFrom('crash', 'count').map((what): AnyEventObject => ({ type: 'deep', what }))
const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(who, fc.oneof(toWorker, toChild))
      .map(([one, said]) => ({ type: 'to', who: one, event: said })),
  },
  { weight: 3, arbitrary: fc.constantFrom('crash', 'off', 'on', 'later', 'never').map((type) => ({ type })) },
)
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: event.map((one): Move => ({ kind: 'send', event: one as AnyEventObject })) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('settle' as const),
        how: fc.constantFrom('succeed' as const, 'fail' as const),
        which: fc.nat(5),
      }),
    },
    { weight: 2, arbitrary: fc.constantFrom(50, 100, 400, 1_200).map((ms): Move => ({ kind: 'wait', ms })) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('retry' as const, 'discard' as const)
        .map((how): Move => ({ kind: 'letters', how })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('done' as const, 'retry' as const, 'abandon' as const)
        .map((answer): Move => ({ kind: 'asked', answer })),
    },
    { weight: 1, arbitrary: fc.nat(20).map((at): Move => ({ kind: 'fork', at })) },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom('revive' as const, 'restart' as const, 'release' as const)
        .map((kind): Move => ({ kind })),
    },
  ),
  { minLength: 10, maxLength: 50 },
)

class Life {
  readonly world = new World()
  readonly machine
  readonly ids: string[] = [ROOT]
  runtime: TestRuntime | undefined
  readonly #policies: RootPolicies

  constructor(takes: readonly boolean[], drawn: RootPolicies) {
    this.machine = this.world.machine(takes)
    this.#policies = drawn
  }

  get now(): TestRuntime {
    if (this.runtime === undefined) throw new Error('not begun')
    return this.runtime
  }

  async begin(): Promise<void> {
    const machines = [withPolicies(this.machine, this.#policies as never)]
    this.runtime = await createTestRuntime({ machines, maxResident: 2, snapshotEvery: 2 })
    await this.runtime.spawn(this.machine, { id: ROOT })
  }

  async play(move: Move, turn: number): Promise<void> {
    const { now: runtime, ids, world } = this
    if (move.kind === 'send') await runtime.send(ids[turn % ids.length] ?? ROOT, move.event)
    if (move.kind === 'settle') world.pending.splice(move.which, 1)[0]?.[move.how]()
    if (move.kind === 'wait') await runtime.clock.advance(move.ms)
    if (move.kind === 'letters')
      for (const { id } of await runtime.deadLetters()) await runtime.deadLetters[move.how](id)
    if (move.kind === 'asked') {
      for (const { key, state } of runtime.effects.list())
        if (state === 'asked') await runtime.effects.settle(key, { answer: move.answer })
    }
    if (move.kind === 'fork') await this.#fork(move.at)
    if (move.kind === 'release') for (const id of ids.slice(1)) await runtime.resumeFork(id)
    if (move.kind === 'revive')
      for (const { id, code } of runtime.parked) if (code === 'ACTOR_FAILED') await runtime.revive(id)
    if (move.kind === 'restart') {
      world.pending.length = 0
      this.runtime = await runtime.restart()
    }
    await rest()
  }

  /** What must hold whatever has happened. */
  async view(): Promise<{ readonly listed: object; readonly found: object; readonly troubles: unknown[] }> {
    const { now: runtime } = this
    const failed = runtime.parked.filter(({ code }) => code === 'ACTOR_FAILED').map(({ id }) => id)
    const strange = runtime.parked.filter(({ code }) => !['ACTOR_FAILED', 'EFFECT_IN_DOUBT'].includes(code))
    const letters = (await runtime.deadLetters()).flatMap(({ id, kind }) => (kind === 'leaf' ? [id] : []))
    const inError: string[] = []
    for (const id of this.ids) {
      if ((await runtime.get(this.machine, id))?.getSnapshot().status === 'error') inError.push(id)
    }
    const givenUp: string[] = []
    for await (const { value } of runtime.store.entries('owed/')) {
      const { dead_letter } = value as { dead_letter?: string }
      if (dead_letter !== undefined) givenUp.push(dead_letter)
    }
    return {
      listed: { failed: failed.sort(), strange, letters: letters.sort() },
      found: { failed: inError.sort(), strange: [], letters: givenUp.sort() },
      troubles: runtime.troubles.filter(
        (trouble) => !['ACTOR_FAILED', 'EFFECT_FAILED'].includes((trouble as { code: string }).code),
      ),
    }
  }

  async #fork(at: number): Promise<void> {
    const { head_version } = await this.now.replay(ROOT)
    const options = at === 0 ? {} : { at: 1 + (at % head_version) }
    const forked = this.now.fork(ROOT, options).then(
      ({ id }) => [id],
      (error: unknown) => {
        // In the middle of a turn.
        if ((error as { code?: string }).code !== 'FORK_REFUSED') throw error
        return []
      },
    )
    this.ids.push(...(await forked))
  }
}

test('what is parked, listed and owed is what there is, and every stream replays, whatever has happened', async () => {
  const takes = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean())
  const property = fc.asyncProperty(takes, policies, moves, async (taken, drawn, played) => {
    const life = new Life(taken, drawn)
    await life.begin()
    for (const [turn, move] of played.entries()) {
      await life.play(move, turn)
      const { listed, found, troubles } = await life.view()
      expect(listed).toEqual(found)
      expect(troubles).toEqual([])
    }
    expect((await life.now.verify()).problems).toEqual([])
    life.runtime = await life.now.restart()
    const { listed, found } = await life.view()
    expect(listed).toEqual(found)
    await life.now.close()
  })
  await fc.assert(property, { numRuns: RUNS })
}, 1_800_000)
