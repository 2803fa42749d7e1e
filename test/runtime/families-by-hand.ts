/** Machines with children that are machines or transition functions: every way of starting, sending, ending and failing. */
import {
  assign,
  emit,
  forwardTo,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import type { Sample } from './machines-by-hand.ts'

type Context = Record<string, unknown> & { n: number; seen: string[] }
const empty = { n: 0, seen: [] as string[] }
const types = {
  context: {} as Context,
  events: {} as AnyEventObject,
  emitted: {} as AnyEventObject,
  input: {} as Record<string, unknown> | undefined,
}
const note = (what: string) =>
  assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
    seen: ({ context }) => [...context.seen.slice(-20), what],
  })
const noteEvent = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  seen: ({ context, event }) => {
    const { type, value, output, by } = event
    const error = (event['error'] as Error | undefined)?.message
    return [...context.seen.slice(-20), JSON.stringify({ type, value, output, by, error })]
  },
})
const count = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  n: ({ context }) => context.n + 1,
})

const pingPong: Sample = {
  name: 'a parent and a child that send to and fro',
  events: [{ type: 'serve', rallies: 1 }, { type: 'serve', rallies: 5 }, { type: 'ping' }, { type: 'stop' }],
  machine: (world) => {
    const child = setup({ types, actions: { act: world.act('child') } }).createMachine({
      id: 'child',
      context: empty,
      on: {
        ping: {
          actions: [
            count,
            'act',
            sendParent(({ event }) => ({ type: 'pong', left: event['left'] })),
            emit({ type: 'x' }),
          ],
        },
      },
    })
    return setup({ types, actors: { child }, actions: { act: world.act('parent') } }).createMachine({
      id: 'ping-pong',
      context: empty,
      initial: 'playing',
      states: {
        playing: {
          invoke: { id: 'child', src: 'child' },
          on: {
            serve: {
              actions: [
                sendTo('child', ({ event }) => ({ type: 'ping', left: event['rallies'] })),
                'act',
                count,
              ],
            },
            pong: [
              {
                guard: ({ event }) => event['left'] > 1,
                actions: [
                  'act',
                  emit(({ event }) => ({ type: 'again', left: event['left'] })),
                  sendTo('child', ({ event }) => ({ type: 'ping', left: event['left'] - 1 })),
                ],
              },
              { actions: [noteEvent, 'act'] },
            ],
            stop: 'over',
          },
        },
        over: { on: { serve: 'playing' } },
      },
    })
  },
}

const finisher: Sample = {
  name: 'a child that finishes with output',
  events: [{ type: 'add', by: 1 }, { type: 'add', by: 3 }, { type: 'again' }, { type: 'away' }],
  machine: (world) => {
    const sum = setup({ types, actions: { act: world.act('sum') } }).createMachine({
      id: 'sum',
      context: ({ input }) => ({ ...empty, n: Number(input?.['from'] ?? 0) }),
      initial: 'adding',
      states: {
        adding: {
          entry: 'act',
          on: { add: { actions: [assign({ n: ({ context, event }) => context.n + event['by'] }), 'act'] } },
          always: { guard: ({ context }) => context.n >= 5, target: 'enough' },
        },
        enough: { type: 'final', entry: 'act' },
      },
      output: ({ context }) => ({ sum: context.n }),
    })
    return setup({ types, actors: { sum }, actions: { act: world.act('parent') } }).createMachine({
      id: 'finisher',
      context: empty,
      initial: 'working',
      states: {
        working: {
          entry: 'act',
          invoke: {
            id: 'sum',
            src: 'sum',
            input: ({ context }: { context: Context }) => ({ from: context.n % 7 }),
            onDone: {
              target: 'done',
              actions: [
                noteEvent,
                assign({ n: ({ event }) => (event.output as { sum: number }).sum }),
                'act',
              ],
            },
          },
          on: { add: { actions: forwardTo('sum') }, away: 'idle' },
        },
        idle: { on: { again: 'working' } },
        done: { on: { again: 'working', away: 'over' } },
        over: { type: 'final' },
      },
      output: ({ context }) => context.n,
    })
  },
}

const failing = (caught: boolean): Sample => ({
  name: `a child that fails, ${caught ? 'caught' : 'not caught'} by its parent`,
  events: [{ type: 'ok' }, { type: 'break' }, { type: 'guard' }, { type: 'again' }],
  machine: (world) => {
    const brittle = setup({ types, actions: { act: world.act('brittle') } }).createMachine({
      id: 'brittle',
      context: ({ input }) => {
        if (input?.['n'] === 3) throw new Error('not three')
        return empty
      },
      on: {
        ok: { actions: ['act', count] },
        break: {
          actions: [
            'act',
            assign(() => {
              throw new Error('broken')
            }),
          ],
        },
        guard: {
          guard: () => {
            throw new Error('no guard')
          },
        },
      },
    })
    const forward = { actions: forwardTo('brittle') as never }
    return setup({ types, actors: { brittle }, actions: { act: world.act('parent') } }).createMachine({
      id: 'failing',
      context: empty,
      initial: 'on',
      states: {
        on: {
          entry: [count, 'act'],
          invoke: {
            id: 'brittle',
            src: 'brittle',
            input: ({ context }: { context: Context }) => ({ n: context.n }),
            ...(caught && { onError: { target: 'off', actions: [noteEvent, 'act'] } }),
          },
          on: { ok: forward, break: forward, guard: forward, again: { target: 'on', reenter: true } },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
})

const threeLevels: Sample = {
  name: 'children of children of children',
  events: [{ type: 'down' }, { type: 'up' }, { type: 'reset' }, { type: 'finish' }],
  machine: (world) => {
    const leaf = setup({ types, actions: { act: world.act('c') } }).createMachine({
      id: 'c',
      context: empty,
      initial: 'on',
      entry: ['act', sendParent({ type: 'born', by: 'c' })],
      exit: 'act',
      states: {
        on: {
          on: {
            down: { actions: [count, 'act', sendParent({ type: 'up' })] },
            finish: 'over',
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context.n,
    })
    const middle = setup({ types, actors: { leaf }, actions: { act: world.act('b') } }).createMachine({
      id: 'b',
      context: empty,
      initial: 'on',
      entry: ['act', sendParent({ type: 'born', by: 'b' })],
      exit: 'act',
      states: {
        on: {
          invoke: { id: 'leaf', src: 'leaf', onDone: { target: 'over', actions: [noteEvent, 'act'] } },
          on: {
            born: {
              actions: [noteEvent, sendParent(({ event }) => ({ type: 'born', by: `b/${event['by']}` }))],
            },
            down: { actions: ['act', forwardTo('leaf')] },
            up: { actions: ['act', count, sendParent({ type: 'up' })] },
            finish: { actions: forwardTo('leaf') },
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n }),
    })
    return setup({ types, actors: { middle }, actions: { act: world.act('a') } }).createMachine({
      id: 'a',
      context: empty,
      initial: 'on',
      entry: 'act',
      states: {
        on: {
          invoke: { id: 'middle', src: 'middle', onDone: { target: 'off', actions: [noteEvent, 'act'] } },
          on: {
            born: { actions: [noteEvent, 'act'] },
            down: { actions: [sendTo('middle', { type: 'down' }), 'act'] },
            up: { actions: ['act', count] },
            reset: { target: 'on', reenter: true },
            finish: { actions: forwardTo('middle') },
          },
        },
        off: { on: { reset: 'on' } },
      },
    })
  },
}

const reentered: Sample = {
  name: 'a child whose state is re-entered, told of it on the way out',
  events: [{ type: 'tick' }, { type: 'again' }, { type: 'leave' }, { type: 'back' }],
  machine: (world) => {
    const worker = setup({ types, actions: { act: world.act('worker') } }).createMachine({
      id: 'worker',
      context: ({ input }) => ({ ...empty, round: input?.['round'] }),
      entry: ['act', sendParent({ type: 'hello' })],
      exit: 'act',
      on: { tick: { actions: [count, 'act'] }, bye: { actions: ['act', sendParent({ type: 'heard.bye' })] } },
    })
    return setup({ types, actors: { worker }, actions: { act: world.act('parent') } }).createMachine({
      id: 'reentered',
      context: empty,
      initial: 'on',
      states: {
        on: {
          entry: [count, 'act'],
          exit: ['act', sendTo('worker', { type: 'bye' })],
          invoke: {
            id: 'worker',
            src: 'worker',
            input: ({ context }: { context: Context }) => ({ round: context.n }),
          },
          on: {
            tick: { actions: sendTo('worker', { type: 'tick' }) },
            again: { target: 'on', reenter: true },
            leave: 'off',
          },
        },
        off: { on: { back: 'on' } },
      },
      on: { hello: { actions: note('hello') }, 'heard.*': { actions: [noteEvent, 'act'] } },
    })
  },
}

const spawnedList: Sample = {
  name: 'a list of spawned children, sent to by reference',
  events: [{ type: 'new' }, { type: 'all' }, { type: 'last', by: 2 }, { type: 'drop' }, { type: 'who' }],
  machine: (world) => {
    const item = setup({ types, actions: { act: world.act('item') } }).createMachine({
      id: 'item',
      context: ({ input }) => ({ ...empty, name: input?.['name'] }),
      initial: 'on',
      states: {
        on: {
          on: {
            add: { actions: [assign({ n: ({ context, event }) => context.n + event['by'] }), 'act'] },
            // It answers whoever asked, by the reference in the event.
            who: {
              actions: sendTo(
                ({ event }) => event['from'] as AnyActorRef,
                ({ context }) => ({ type: 'i.am', value: context['name'] }),
              ),
            },
          },
          always: { guard: ({ context }) => context.n >= 6, target: 'full' },
        },
        full: { type: 'final' },
      },
      output: ({ context }) => ({ name: context['name'], n: context.n }),
    })
    const refs = (context: Context): AnyActorRef[] => (context['refs'] ?? []) as AnyActorRef[]
    return setup({ types, actors: { item }, actions: { act: world.act('parent') } }).createMachine({
      id: 'list',
      context: { ...empty, refs: [] },
      on: {
        new: {
          actions: [
            assign({
              n: ({ context }) => context.n + 1,
              refs: ({ context, spawn }) => [
                ...refs(context),
                spawn('item', { id: `item-${context.n}`, input: { name: `n${context.n}` } }),
              ],
            }),
            'act',
          ],
        },
        all: {
          actions: [
            sendTo(({ context, self }) => refs(context)[0] ?? (self as AnyActorRef), { type: 'add', by: 1 }),
            sendTo(({ context, self }) => refs(context)[1] ?? (self as AnyActorRef), { type: 'add', by: 1 }),
          ],
        },
        last: {
          actions: sendTo(
            ({ context, self }) => refs(context).at(-1) ?? (self as AnyActorRef),
            ({ event }) => ({ type: 'add', by: event['by'] }),
          ),
        },
        drop: {
          guard: ({ context }) => refs(context).length > 0,
          actions: [
            stopChild(({ context }) => refs(context)[0] as AnyActorRef),
            assign({ refs: ({ context }) => refs(context).slice(1) }),
          ],
        },
        who: {
          guard: ({ context }) => refs(context).length > 0,
          actions: sendTo(
            ({ context }) => refs(context)[0] as AnyActorRef,
            ({ self }) => ({ type: 'who', from: self }),
          ),
        },
        'i.am': { actions: [noteEvent, 'act'] },
        'xstate.done.actor.*': { actions: [noteEvent, 'act'] },
      },
    })
  },
}

const regions: Sample = {
  name: 'parallel regions with a child each, that know of each other through their parent',
  events: [{ type: 'left' }, { type: 'right' }, { type: 'both' }, { type: 'close' }, { type: 'open' }],
  machine: (world) => {
    const side = setup({ types, actions: { act: world.act('side') } }).createMachine({
      id: 'side',
      context: ({ input }) => ({ ...empty, side: input?.['side'] }),
      initial: 'on',
      states: {
        on: {
          entry: sendParent(({ context }) => ({ type: 'ready', by: context['side'] })),
          on: {
            hit: {
              actions: [
                count,
                'act',
                sendParent(({ context }) => ({ type: 'was.hit', by: context['side'] })),
              ],
            },
            passed: { actions: [note('passed'), 'act'] },
          },
          always: { guard: ({ context }) => context.n >= 3, target: 'over' },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context['side'],
    })
    const region = (name: string) => ({
      initial: 'on',
      states: {
        on: {
          invoke: {
            id: name,
            src: 'side' as const,
            input: { side: name },
            onDone: { target: 'off', actions: noteEvent as never },
          },
          on: {
            [name]: { actions: sendTo(name, { type: 'hit' }) },
            both: { actions: sendTo(name, { type: 'hit' }) },
          },
        },
        off: { type: 'final' as const },
      },
    })
    return setup({ types, actors: { side }, actions: { act: world.act('parent') } }).createMachine({
      id: 'regions',
      context: empty,
      initial: 'open',
      states: {
        open: {
          type: 'parallel',
          states: { l: region('left'), r: region('right') } as never,
          on: {
            'was.hit': [
              {
                guard: ({ event }) => event['by'] === 'left',
                actions: ['act', sendTo(({ self }) => (self.getSnapshot(), self), { type: 'noted' })],
              },
              { actions: ['act', count] },
            ],
            noted: { actions: note('noted') },
            ready: { actions: noteEvent },
            close: 'closed',
          },
          onDone: 'closed',
        },
        closed: { on: { open: 'open' } },
      },
    })
  },
}

const transitions: Sample = {
  name: 'a transition function as a child',
  events: [
    { type: 'add', by: 2 },
    { type: 'add', by: 0 },
    { type: 'fail' },
    { type: 'again' },
    { type: 'tell' },
  ],
  machine: (world) => {
    const tally = fromTransition(
      (state: { n: number }, event: AnyEventObject) => {
        if (event.type === 'fail') throw new Error('no tally')
        return event.type === 'add' && event['by'] > 0 ? { n: state.n + event['by'] } : state
      },
      ({ input }: { input: { from: number } }) => ({ n: input.from }),
    )
    const forward = { actions: forwardTo('tally') as never }
    return setup({ types, actors: { tally }, actions: { act: world.act('parent') } }).createMachine({
      id: 'transitions',
      context: empty,
      initial: 'on',
      states: {
        on: {
          invoke: {
            id: 'tally',
            src: 'tally',
            input: ({ context }: { context: Context }) => ({ from: context.n }),
            onError: { target: 'off', actions: [noteEvent, count] },
          },
          on: { add: forward, fail: forward, tell: forward, again: { target: 'on', reenter: true } },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
}

const watched: Sample = {
  name: 'a child whose snapshots its parent hears',
  events: [{ type: 'add', by: 1 }, { type: 'add', by: 2 }, { type: 'nothing' }, { type: 'again' }],
  machine: (world) => {
    const child = setup({ types, actions: { act: world.act('child') } }).createMachine({
      id: 'child',
      context: empty,
      initial: 'low',
      states: {
        low: { always: { guard: ({ context }) => context.n > 2, target: 'high' } },
        high: { always: { guard: ({ context }) => context.n > 5, target: 'over' } },
        over: { type: 'final' },
      },
      on: { add: { actions: [assign({ n: ({ context, event }) => context.n + event['by'] }), 'act'] } },
    })
    return setup({ types, actors: { child }, actions: { act: world.act('parent') } }).createMachine({
      id: 'watched',
      context: { ...empty, shown: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            id: 'child',
            src: 'child',
            onSnapshot: {
              actions: [
                assign({
                  shown: ({ context, event }) => [
                    ...(context['shown'] as unknown[]).slice(-10),
                    [event.snapshot.value, event.snapshot.context.n, event.snapshot.status],
                  ],
                }),
                'act',
              ],
            },
            onDone: 'off',
          },
          on: {
            add: { actions: forwardTo('child') },
            nothing: { actions: forwardTo('child') },
            again: { target: 'on', reenter: true },
          },
        },
        off: { on: { again: 'on' } },
      },
    })
  },
}

const bySystemId: Sample = {
  name: 'siblings that find each other by systemId, and timers of children',
  events: [{ type: 'ask' }, { type: 'later' }, { type: 'stop' }, { type: 'start' }, { type: 'drop' }],
  machine: (world) => {
    const logger = setup({ types, actions: { act: world.act('logger') } }).createMachine({
      id: 'logger',
      context: empty,
      on: { log: { actions: [noteEvent, 'act'] } },
      initial: 'a',
      states: {
        a: { after: { 30: 'b' } },
        b: { entry: 'act', after: { 20: { target: 'a', actions: sendParent({ type: 'turned' }) } } },
      },
    })
    const asker = setup({ types, actions: { act: world.act('asker') } }).createMachine({
      id: 'asker',
      context: empty,
      on: {
        ask: {
          guard: ({ event }) => event['there'] === true,
          actions: [
            sendTo(
              ({ system }) => system.get('logger') as AnyActorRef,
              ({ context }) => ({ type: 'log', value: context.n }),
            ),
            count,
          ],
        },
        later: { actions: sendParent({ type: 'came.late', value: 1 }, { delay: 40, id: 'late' }) },
        drop: { actions: ({ system }) => void system.get('logger') },
      },
    })
    return setup({ types, actors: { logger, asker }, actions: { act: world.act('parent') } }).createMachine({
      id: 'by-system-id',
      context: empty,
      initial: 'on',
      entry: spawnChild('asker', { id: 'asker' }),
      on: {
        'came.late': { actions: [noteEvent, 'act'] },
        turned: { actions: [count, 'act'] },
        later: { actions: forwardTo('asker') },
      },
      states: {
        on: {
          invoke: { id: 'logger', src: 'logger', systemId: 'logger' },
          on: { ask: { actions: sendTo('asker', { type: 'ask', there: true }) }, stop: 'off' },
        },
        off: { on: { ask: { actions: sendTo('asker', { type: 'ask', there: false }) }, start: 'on' } },
      },
    })
  },
}

const leafBelow: Sample = {
  name: 'a child with leaves of its own',
  events: [{ type: 'go' }, { type: 'abort' }, { type: 'poke' }],
  leaves: ['work', 'line'],
  machine: (world) => {
    const job = setup({
      types,
      actors: { work: world.promise('work'), line: world.callback('line') },
      actions: { act: world.act('job') },
    }).createMachine({
      id: 'job',
      context: empty,
      invoke: { id: 'line', src: 'line' },
      on: {
        poke: { actions: sendTo('line', { type: 'poke' }) },
        'child.*': { actions: [noteEvent, 'act', sendParent({ type: 'progress' })] },
      },
      initial: 'working',
      states: {
        working: {
          invoke: { id: 'work', src: 'work', onDone: { target: 'over', actions: noteEvent } },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => context.seen.length,
    })
    return setup({ types, actors: { job }, actions: { act: world.act('parent') } }).createMachine({
      id: 'leaf-below',
      context: empty,
      initial: 'idle',
      on: { progress: { actions: [count, 'act'] } },
      states: {
        idle: { on: { go: 'busy' } },
        busy: {
          invoke: {
            id: 'job',
            src: 'job',
            onDone: { target: 'idle', actions: noteEvent },
            onError: { target: 'idle', actions: noteEvent },
          },
          on: { abort: 'idle', poke: { actions: forwardTo('job') } },
        },
      },
    })
  },
}

export const families: readonly Sample[] = [
  pingPong,
  finisher,
  failing(true),
  failing(false),
  threeLevels,
  reentered,
  spawnedList,
  regions,
  transitions,
  watched,
  bySystemId,
  leafBelow,
]
