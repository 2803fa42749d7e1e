/** What a client and its actors do, to be cut short at every write. */
import {
  assign,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import { withPolicies } from '../../../src/runtime/policies.ts'
import type { Life, Machines } from './life.ts'

export type Scenario = {
  readonly name: string
  readonly machines: Machines
  /**
   * The next thing that the client does, by what it sees; `over` when there is nothing left to do, `restart` to close
   * the engine and open the next one.
   */
  readonly act: (life: Life) => Promise<'more' | 'over' | 'restart'>
  /** How often each step begins when nothing goes wrong. */
  readonly steps: Readonly<Record<string, number>>
  /** Whether an actor may have to wait for its client between two things that it does. */
  readonly parks?: boolean
  /** How often the client closes the engine in the middle of a step. */
  readonly restarts?: number
}

type Context = Record<string, unknown> & { n: number }
const types = { context: {} as Context, events: {} as AnyEventObject }
const count = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  n: ({ context }) => context.n + 1,
})

async function see(life: Life, name: string, id: string): Promise<unknown> {
  const actor = await life.engine.spawn(life.machine(name), { id, input: undefined })
  return actor.getSnapshot().value
}

const promises: Scenario = {
  name: 'a step that succeeds, one that fails, and one after it',
  steps: { first: 1, second: 1, third: 1 },
  machines: (life) => ({
    job: setup({
      types,
      actors: { first: life.step('first'), second: life.step('second', Infinity), third: life.step('third') },
    }).createMachine({
      id: 'job',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { go: 'first' } },
        first: { invoke: { id: 'first', src: 'first', onDone: { target: 'second', actions: count } } },
        second: {
          invoke: {
            id: 'second',
            src: 'second',
            onDone: 'never',
            onError: { target: 'third', actions: count },
          },
        },
        third: { invoke: { id: 'third', src: 'third', onDone: 'over' } },
        never: {},
        over: { type: 'final' },
      },
    }),
  }),
  async act(life) {
    const state = await see(life, 'job', 'job-1')
    if (state === 'idle') await life.engine.send('job-1', { type: 'go' })
    return state === 'over' ? 'over' : 'more'
  },
}

const timers: Scenario = {
  name: 'a timer that rings, a step, and a timer that is too late',
  steps: { wake: 1 },
  machines: (life) => ({
    alarm: setup({ types, actors: { wake: life.step('wake') } }).createMachine({
      id: 'alarm',
      context: { n: 0 },
      initial: 'asleep',
      states: {
        asleep: { after: { 1_000: { target: 'waking', actions: count } } },
        waking: {
          after: { 3_600_000: 'never' },
          invoke: { id: 'wake', src: 'wake', onDone: 'awake' },
        },
        awake: { after: { 2_000: { target: 'over', actions: count } } },
        never: {},
        over: {},
      },
    }),
  }),
  async act(life) {
    return (await see(life, 'alarm', 'alarm-1')) === 'over' ? 'over' : 'more'
  },
}

const cascade: Scenario = {
  name: 'a parent and a child that work in turn',
  steps: { dig: 2, report: 1 },
  machines: (life) => {
    const digger = setup({ types, actors: { dig: life.step('dig') } }).createMachine({
      id: 'digger',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { dig: 'digging', enough: 'over' } },
        digging: {
          invoke: {
            id: 'dig',
            src: 'dig',
            onDone: { target: 'idle', actions: [count, sendParent({ type: 'dug' })] },
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context.n,
    })
    const site = setup({ types, actors: { digger, report: life.step('report') } }).createMachine({
      id: 'site',
      context: { n: 0 },
      initial: 'closed',
      states: {
        closed: { on: { go: 'open' } },
        open: {
          invoke: {
            id: 'digger',
            src: 'digger',
            onDone: { target: 'reporting', actions: assign({ dug: ({ event }) => event.output }) },
          },
          entry: sendTo('digger', { type: 'dig' }),
          on: {
            dug: [
              { guard: ({ context }) => context.n < 1, actions: [count, sendTo('digger', { type: 'dig' })] },
              { actions: [count, sendTo('digger', { type: 'enough' })] },
            ],
          },
        },
        reporting: { invoke: { id: 'report', src: 'report', onDone: 'over' } },
        over: { type: 'final' },
      },
    })
    return { site }
  },
  async act(life) {
    const state = await see(life, 'site', 'site-1')
    if (state === 'closed') await life.engine.send('site-1', { type: 'go' })
    return state === 'over' ? 'over' : 'more'
  },
}

const mail: Scenario = {
  name: 'mail between families, there and back',
  steps: { answer: 2 },
  machines: (life) => ({
    asker: setup({ types }).createMachine({
      id: 'asker',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: {
          on: {
            ask: {
              target: 'asking',
              actions: [
                sendTo(
                  ({ event }) => event['whom'] as AnyActorRef,
                  ({ self }) => ({ type: 'question', n: 1, back: self }),
                ),
                sendTo(
                  ({ event }) => event['whom'] as AnyActorRef,
                  ({ self }) => ({ type: 'question', n: 2, back: self }),
                ),
              ],
            },
          },
        },
        asking: {
          on: { answer: { actions: [count, assign({ last: ({ event }) => event['n'] as number })] } },
          always: { guard: ({ context }) => context.n === 2, target: 'over' },
        },
        over: {},
      },
    }),
    oracle: setup({ types, actors: { answer: life.step('answer') } }).createMachine({
      id: 'oracle',
      context: { n: 0, open: [] },
      initial: 'idle',
      on: {
        question: {
          actions: assign({
            open: ({ context, event }) => [
              ...(context['open'] as unknown[]),
              { n: event['n'], back: event['back'] },
            ],
          }),
        },
      },
      states: {
        idle: {
          always: { guard: ({ context }) => (context['open'] as unknown[]).length > 0, target: 'thinking' },
        },
        thinking: {
          invoke: {
            id: 'answer',
            src: 'answer',
            onDone: {
              target: 'idle',
              actions: [
                sendTo(
                  ({ context }) => (context['open'] as { back: AnyActorRef }[])[0]?.back as AnyActorRef,
                  ({ context }) => ({ type: 'answer', n: (context['open'] as { n: number }[])[0]?.n }),
                ),
                assign({
                  open: ({ context }) => (context['open'] as unknown[]).slice(1),
                  n: ({ context }) => context.n + 1,
                }),
              ],
            },
          },
        },
      },
    }),
  }),
  async act(life) {
    const oracle = await life.engine.spawn(life.machine('oracle'), { id: 'oracle-1', input: undefined })
    const state = await see(life, 'asker', 'asker-1')
    if (state === 'idle') await life.engine.send('asker-1', { type: 'ask', whom: oracle } as AnyEventObject)
    return state === 'over' ? 'over' : 'more'
  },
}

const spawning: Scenario = {
  name: 'children that are spawned, one of them stopped in its work',
  steps: { keep: 1, job: 1 },
  machines: (life) => {
    const worker = setup({ types, actors: { job: life.step('job') } }).createMachine({
      id: 'worker',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { go: 'working' } },
        working: { invoke: { id: 'job', src: 'job', onDone: 'over' } },
        over: { type: 'final' },
      },
    })
    return {
      boss: setup({ types, actors: { worker, keep: life.step('keep') } }).createMachine({
        id: 'boss',
        context: { n: 0 },
        initial: 'none',
        states: {
          none: {
            on: {
              hire: {
                target: 'two',
                actions: [
                  spawnChild('worker', { id: 'a' }),
                  spawnChild('worker', { id: 'b' }),
                  spawnChild('keep', { id: 'keep' }),
                ],
              },
            },
          },
          two: { on: { fire: { target: 'one', actions: [stopChild('a'), sendTo('b', { type: 'go' })] } } },
          one: { on: { 'xstate.done.actor.b': { target: 'over', actions: count } } },
          over: {},
        },
      }),
    }
  },
  async act(life) {
    const state = await see(life, 'boss', 'boss-1')
    if (state === 'none') await life.engine.send('boss-1', { type: 'hire' })
    if (state === 'two') await life.engine.send('boss-1', { type: 'fire' })
    return state === 'over' ? 'over' : 'more'
  },
}

const refusals: Scenario = {
  name: 'a command that is refused, one that is ignored and one that is taken',
  steps: { serve: 1 },
  machines: (life) => ({
    bar: setup({
      types,
      actors: { serve: life.step('serve') },
      guards: { grown: ({ event }) => event['age'] >= 18 },
    }).createMachine({
      id: 'bar',
      context: { n: 0 },
      initial: 'open',
      states: {
        open: { on: { order: { guard: 'grown', target: 'serving' } } },
        serving: { invoke: { id: 'serve', src: 'serve', onDone: 'over' } },
        over: {},
      },
    }),
  }),
  async act(life) {
    const state = await see(life, 'bar', 'bar-1')
    if (state === 'open') {
      await life.engine.send('bar-1', { type: 'order', age: 9 } as AnyEventObject)
      await life.engine.send('bar-1', { type: 'whistle' })
      await life.engine.send('bar-1', { type: 'order', age: 19 } as AnyEventObject)
    }
    return state === 'over' ? 'over' : 'more'
  },
}

const forks: Scenario = {
  name: 'a fork that is made paused and let go',
  steps: { once: 2 },
  machines: (life) => ({
    plan: setup({ types, actors: { once: life.step('once') } }).createMachine({
      id: 'plan',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { go: 'doing' } },
        doing: { invoke: { id: 'once', src: 'once', onDone: 'waiting' } },
        waiting: { after: { 1_000: 'over' } },
        over: {},
      },
    }),
  }),
  async act(life) {
    const { engine } = life
    const state = await see(life, 'plan', 'plan-1')
    if (state === 'idle') await engine.send('plan-1', { type: 'go' })
    if (state !== 'over') return 'more'
    if ((await engine.find('plan-2')) === undefined) {
      await engine.forks.fork({ id: 'plan-1', at: 2, newId: 'plan-2', paused: true })
      return 'more'
    }
    await engine.forks.resume('plan-2')
    return (await see(life, 'plan', 'plan-2')) === 'over' ? 'over' : 'more'
  },
}

const closing: Scenario = {
  name: 'a shutdown in the middle of a step and of a wait',
  steps: { work: 1 },
  restarts: 1,
  machines: (life) => ({
    shop: setup({ types, actors: { work: life.step('work') } }).createMachine({
      id: 'shop',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { go: 'working' } },
        working: { invoke: { id: 'work', src: 'work', onDone: 'resting' } },
        resting: { after: { 1_000: 'over' } },
        over: {},
      },
    }),
  }),
  async act(life) {
    const state = await see(life, 'shop', 'shop-1')
    if (state === 'idle') {
      await life.engine.send('shop-1', { type: 'go' })
      return 'restart'
    }
    return state === 'over' ? 'over' : 'more'
  },
}

async function countOf(life: Life, id: string, type: string): Promise<number> {
  let count = 0
  for await (const { event_type } of life.log.readStream(id)) if (event_type === type) count += 1
  return count
}

const supervised: Scenario = {
  name: 'children that crash and are restarted, alone and together, until one escalates and its root is revived',
  steps: {},
  parks: true,
  machines: () => {
    const worker = setup({ types }).createMachine({
      id: 'worker',
      context: { n: 0 },
      on: {
        work: { actions: [count, sendParent({ type: 'worked' })] },
        crash: {
          actions: assign(() => {
            throw new Error('broke')
          }),
        },
      },
    })
    const team = (id: string): AnyStateMachine =>
      setup({ types, actors: { worker } }).createMachine({
        id,
        context: { n: 0 },
        initial: 'at work',
        invoke: [
          { src: 'worker', id: 'a' },
          { src: 'worker', id: 'b' },
        ],
        states: { 'at work': { on: { end: 'over' } }, over: {} },
        on: {
          worked: { actions: count },
          crash: { actions: [sendTo('b', { type: 'work' }), sendTo('a', { type: 'crash' })] },
        },
      })
    const budget = { max: 2, withinMs: 1e9 }
    const actors = { worker: { onCrash: 'restart' as const, budget } }
    return {
      alone: withPolicies(team('alone'), { actors }),
      together: withPolicies(team('together'), { actors, strategy: 'all-for-one' }),
    }
  },
  async act(life) {
    let over = 0
    for (const name of ['alone', 'together']) {
      const id = `${name}-1`
      const state = await see(life, name, id)
      const [restarted, revived] = [
        await countOf(life, id, 'xstate.restart'),
        await countOf(life, id, 'xstate.revive'),
      ]
      if (state === 'over') over += 1
      else if (life.engine.parked.some((parked) => parked.id === id)) await life.engine.revive(id)
      else if (restarted < 2 || revived === 0) await life.engine.send(id, { type: 'crash' })
      else await life.engine.send(id, { type: 'end' })
    }
    return over === 2 ? 'over' : 'more'
  },
}

const abandoned: Scenario = {
  name: 'a step that is given up, and tried again when the client has seen that',
  steps: {},
  machines: (life) => {
    const delivery = setup({ types, actors: { step: life.step('step', 2) } }).createMachine({
      id: 'delivery',
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { go: 'delivering' } },
        delivering: { invoke: { id: 'step', src: 'step', onDone: { target: 'over', actions: count } } },
        over: {},
      },
    })
    return {
      delivery: withPolicies(delivery, { actors: { step: { retries: { attempts: 2, delayMs: 500 } } } }),
    }
  },
  async act(life) {
    const state = await see(life, 'delivery', 'delivery-1')
    if (state === 'idle') await life.engine.send('delivery-1', { type: 'go' })
    for (const { id } of await life.engine.deadLetters()) await life.engine.deadLetters.retry(id)
    return state === 'over' ? 'over' : 'more'
  },
}

export const scenarios: readonly Scenario[] = [
  promises,
  timers,
  cascade,
  mail,
  spawning,
  refusals,
  forks,
  closing,
  supervised,
  abandoned,
]
