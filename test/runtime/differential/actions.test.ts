/** Differential: every built-in action, input, meta and parameters made at run time run as in XState. */
import { assign, cancel, emit, enqueueActions, log, raise, sendTo, setup, type AnyEventObject } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, put, types, type Context, type Sample } from './sample.ts'

const logs: Sample = {
  name: 'a machine that logs, with labels and without',
  events: [{ type: 'say', what: 'a' }, { type: 'say', what: 'b' }, { type: 'quiet' }, { type: 'end' }],
  machine: () =>
    setup({ types }).createMachine({
      id: 'logs',
      context: empty,
      initial: 'on',
      entry: log('begins', 'life'),
      exit: log('ends'),
      states: {
        on: {
          on: {
            say: {
              actions: [log(({ event }) => event['what'] as string), count, log(({ context }) => context.n)],
            },
            quiet: { actions: count },
            end: { target: 'off', actions: log() },
          },
        },
        off: { type: 'final', entry: log(({ context }) => ({ n: context.n }), 'last') },
      },
    }),
}

const withInput: Sample = {
  name: 'a machine that is made of its input, with meta and tags',
  input: { floor: 2, names: ['a', 'b'] },
  events: [{ type: 'up' }, { type: 'down' }, { type: 'name' }, { type: 'swap', names: ['c'] }],
  machine: () =>
    setup({
      types,
      guards: { above: ({ context }, { least }: { least: number }) => Number(context['floor']) > least },
    }).createMachine({
      id: 'made',
      context: ({ input }) => ({ ...empty, ...input, made: true }),
      initial: 'still',
      meta: { of: 'machine' },
      states: {
        still: {
          meta: { title: 'Still' },
          tags: ['calm', 'visible'],
          on: {
            up: { actions: put('floor', ({ context }) => Number(context['floor']) + 1) },
            down: [
              {
                guard: {
                  type: 'above',
                  params: ({ context }: { context: Context }) => ({ least: context.n }),
                },
                actions: put('floor', ({ context }) => Number(context['floor']) - 1),
              },
              { target: 'bottom', meta: { why: 'no more' } },
            ],
            swap: { actions: [put('names', ({ event }) => event['names']), count] },
          },
        },
        bottom: {
          meta: { title: 'Bottom', level: 0 },
          tags: 'visible',
          on: { up: { target: 'still', actions: put('floor', () => 1) }, name: { actions: noteEvent } },
        },
      },
    }),
}

const dynamic: Sample = {
  name: 'parameters of actions that are made of the context, the event and the step before',
  events: [{ type: 'go', by: 1 }, { type: 'go', by: 4 }, { type: 'twice' }, { type: 'clear' }],
  machine: (world) =>
    setup({
      types,
      actions: {
        tell: world.act('tell'),
        add: assign({ n: ({ context }, { by }: { by: number }) => context.n + by }),
        shout: emit((_, { text }: { text: string }) => ({ type: 'shout', text })),
        remember: assign({
          seen: ({ context }, { text }: { text: string }) => [...context.seen.slice(-20), text],
        }),
      },
      guards: {
        between: ({ context, event }, { low, high }: { low: number; high: number }) =>
          context.n + Number(event['by'] ?? 0) >= low && context.n < high,
      },
    }).createMachine({
      id: 'dynamic',
      context: empty,
      entry: { type: 'remember', params: { text: 'born' } },
      on: {
        go: [
          {
            guard: { type: 'between', params: ({ event }) => ({ low: 2, high: 10 + Number(event['by']) }) },
            actions: [
              { type: 'add', params: ({ event }) => ({ by: Number(event['by']) }) },
              {
                type: 'tell',
                params: ({ context, event }: { context: Context; event: AnyEventObject }) => ({
                  n: context.n,
                  by: event['by'],
                }),
              },
              { type: 'shout', params: ({ context }) => ({ text: `n is ${context.n}` }) },
            ],
          },
          {
            actions: [
              { type: 'add', params: { by: 1 } },
              { type: 'remember', params: ({ context }) => ({ text: `at ${context.n}` }) },
            ],
          },
        ],
        twice: {
          actions: [
            { type: 'add', params: ({ context }) => ({ by: context.n % 3 }) },
            { type: 'add', params: ({ context }) => ({ by: context.n % 3 }) },
            { type: 'tell', params: ({ context }: { context: Context }) => context.n },
          ],
        },
        clear: { guard: { type: 'between', params: { low: 5, high: 1_000 } }, actions: put('n', () => 0) },
      },
    }),
}

const enqueueAll: Sample = {
  name: 'a queue of every kind of action, children among them',
  events: [
    { type: 'hire' },
    { type: 'work' },
    { type: 'fire' },
    { type: 'later' },
    { type: 'never' },
    { type: 'all' },
  ],
  leaves: ['hand'],
  machine: (world) =>
    setup({
      types,
      actors: { hand: world.callback('hand') },
      actions: { tell: world.act('tell') },
      guards: { hired: ({ context }) => context['hired'] === true },
    }).createMachine({
      id: 'queue',
      context: empty,
      on: {
        hire: {
          guard: ({ context }) => context['hired'] !== true,
          actions: enqueueActions(({ enqueue }) => {
            enqueue.spawnChild('hand', { id: 'hand', input: { name: 'hand' } })
            enqueue.assign({ hired: true })
            enqueue.sendTo('hand', { type: 'welcome' })
          }),
        },
        work: {
          actions: enqueueActions(({ enqueue, check, event }) => {
            if (!check('hired')) {
              enqueue(({ context }) => void context)
              enqueue(note('nobody'))
              return
            }
            enqueue.sendTo('hand', { type: event.type })
            enqueue.raise({ type: 'worked' })
            enqueue('tell')
          }),
        },
        fire: {
          actions: enqueueActions(({ enqueue, check }) => {
            if (check('hired')) enqueue.stopChild('hand')
            enqueue.assign({ hired: false })
          }),
        },
        later: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue.raise({ type: 'rung' }, { id: 'bell', delay: 20 })
            enqueue.raise({ type: 'rung', twice: true }, { id: 'other', delay: 20 })
          }),
        },
        never: { actions: enqueueActions(({ enqueue }) => enqueue.cancel('bell')) },
        all: {
          actions: [
            enqueueActions(({ enqueue }) => {
              enqueue.assign({ n: ({ context }) => context.n + 1 })
              enqueue(
                enqueueActions(({ enqueue: inner, context }) => inner.emit({ type: 'inner', n: context.n })),
              )
              enqueue.raise({ type: 'worked' })
            }),
            'tell',
          ],
        },
        rung: { actions: noteEvent },
        worked: { actions: [count, emit(({ context }) => ({ type: 'worked', n: context.n }))] },
        'child.*': { actions: noteEvent },
      },
    }),
}

const initials: Sample = {
  name: 'initial transitions with actions, entries that raise, exits that cancel',
  events: [{ type: 'in' }, { type: 'out' }, { type: 'deeper' }, { type: 'rung' }, { type: 'again' }],
  machine: (world) =>
    setup({ types, actions: { tell: world.act('tell') } }).createMachine({
      id: 'initials',
      context: empty,
      initial: 'out',
      entry: raise({ type: 'woke' }),
      on: { woke: { actions: note('woke') } },
      states: {
        out: { on: { in: 'in', deeper: '#deep' } },
        in: {
          initial: { target: 'shallow', actions: [note('by default'), { type: 'tell', params: 1 }] },
          entry: [
            raise({ type: 'rung', by: 'entry' }),
            raise({ type: 'rung', by: 'clock' }, { delay: 30, id: 'clock' }),
          ],
          exit: [cancel('clock'), 'tell'],
          on: { out: 'out', rung: { actions: noteEvent }, again: { target: '.shallow', reenter: true } },
          states: {
            shallow: { on: { deeper: 'deep' }, entry: note('shallow'), exit: note('not shallow') },
            deep: {
              id: 'deep',
              initial: { target: 'a', actions: note('a by default') },
              states: { a: { always: { guard: ({ context }) => context.n % 2 === 1, target: 'b' } }, b: {} },
              on: { again: { target: '.a', actions: count } },
            },
          },
        },
      },
    }),
}

const bornDone: Sample = {
  name: 'a machine that is over once it begins',
  events: [{ type: 'anything' }],
  input: { n: 3 },
  machine: (world) =>
    setup({ types, actions: { tell: world.act('tell') } }).createMachine({
      id: 'born-done',
      context: ({ input }) => ({ ...empty, n: Number(input?.['n']) }),
      initial: 'counting',
      states: {
        counting: {
          always: [
            { guard: ({ context }) => context.n === 0, target: 'over' },
            { actions: [put('n', ({ context }) => context.n - 1), 'tell'], target: 'counting' },
          ],
        },
        over: { type: 'final', output: ({ context }) => ({ left: context.n }) },
      },
      output: ({ event }) => (event as AnyEventObject)['output'] as object,
    }),
}

const toWhom: Sample = {
  name: 'events to oneself by name, by reference and late, and to nobody',
  events: [
    { type: 'now' },
    { type: 'late', ms: 20 },
    { type: 'late', ms: 40 },
    { type: 'take back' },
    { type: 'nobody' },
  ],
  machine: () =>
    setup({ types, delays: { said: ({ event }) => Number(event['ms']) } }).createMachine({
      id: 'to-whom',
      context: empty,
      on: {
        now: {
          actions: [
            sendTo(
              ({ self }) => self,
              ({ context }) => ({ type: 'came', n: context.n }),
            ),
            count,
          ],
        },
        late: {
          actions: sendTo(
            ({ self }) => self,
            ({ event }) => ({ type: 'came', late: event['ms'] }),
            {
              delay: 'said',
              id: ({ event }: { event: AnyEventObject }) => `late-${event['ms']}`,
            } as never,
          ),
        },
        'take back': {
          actions: [cancel('late-20'), cancel(({ context }) => `late-${context.n > 2 ? 40 : 0}`)],
        },
        came: { actions: noteEvent },
      },
    }),
}

const routed: Sample = {
  name: 'a machine with routes to its states',
  events: [
    { type: 'to', where: 'a' },
    { type: 'to', where: 'b' },
    { type: 'to', where: 'c' },
    { type: 'next' },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'routed',
      context: empty,
      initial: 'start',
      on: {
        to: { actions: raise(({ event }) => ({ type: 'xstate.route', to: `#${event['where']}` })) },
      },
      states: {
        start: { on: { next: 'a' } },
        a: { id: 'a', route: { actions: note('to a') }, on: { next: 'b' } },
        b: {
          id: 'b',
          route: { guard: ({ context }) => context.n > 1 },
          initial: 'c',
          entry: count,
          states: { c: { id: 'c', route: {}, entry: [note('c'), count], on: { next: '#a' } } },
        },
      },
    }),
}

runsAsInXState([routed, logs, withInput, dynamic, enqueueAll, initials, bornDone, toWhom])
