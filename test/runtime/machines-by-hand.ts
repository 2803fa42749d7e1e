/** Machines that between them use every feature of XState that leaves no child machine behind; small ones and lifelike ones. */
import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
  type AnyEventObject,
  type AnyStateMachine,
} from 'xstate'
import type { LeafWorld } from './leaf-world.ts'

export type Sample = {
  readonly name: string
  readonly machine: (world: LeafWorld) => AnyStateMachine
  readonly events: readonly AnyEventObject[]
  /** Leaves that a sequence may settle. */
  readonly leaves?: readonly string[]
}

type Context = Record<string, unknown> & { n: number; seen: string[] }
const empty = { n: 0, seen: [] as string[] }
const types = { context: {} as Context, events: {} as AnyEventObject, emitted: {} as AnyEventObject }
const note = (what: string) =>
  assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
    seen: ({ context }) => [...context.seen.slice(-20), what],
  })
const noteEvent = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  seen: ({ context, event }) => [...context.seen.slice(-20), JSON.stringify(event)],
})
const count = assign<Context, AnyEventObject, undefined, AnyEventObject, never>({
  n: ({ context }) => context.n + 1,
})

const counter: Sample = {
  name: 'a counter with guards, parameters and emitted events',
  events: [
    { type: 'add', by: 2 },
    { type: 'add', by: 50 },
    { type: 'take', by: 1 },
    { type: 'reset' },
    { type: 'other' },
  ],
  machine: (world) =>
    setup({
      types,
      guards: {
        fits: ({ context, event }, params: { max: number }) => context.n + event['by'] <= params.max,
        has: ({ context, event }) => context.n >= event['by'],
      },
      actions: { tell: world.act('tell') },
    }).createMachine({
      id: 'counter',
      context: empty,
      on: {
        add: {
          guard: { type: 'fits', params: { max: 10 } },
          actions: [
            assign({ n: ({ context, event }) => context.n + event['by'] }),
            'tell',
            emit(({ context }) => ({ type: 'grown', to: context.n })),
          ],
        },
        take: [
          {
            guard: 'has',
            actions: [
              assign({ n: ({ context, event }) => context.n - event['by'] }),
              emit({ type: 'shrunk' }),
            ],
          },
          { actions: { type: 'tell', params: ({ context }: { context: Context }) => ({ left: context.n }) } },
        ],
        reset: { actions: [{ type: 'tell', params: { why: 'reset' } }, assign({ n: 0 })] },
      },
    }),
}

const nested: Sample = {
  name: 'nested states with entry and exit, final states and output',
  events: [
    { type: 'in' },
    { type: 'out' },
    { type: 'deep' },
    { type: 'finish' },
    { type: 'again' },
    { type: 'end' },
  ],
  machine: (world) =>
    setup({ types, actions: { say: world.act('say') } }).createMachine({
      id: 'nested',
      context: empty,
      initial: 'a',
      entry: 'say',
      output: ({ context, event }) => ({
        n: context.n,
        of: event.type,
        result: (event as AnyEventObject)['output'],
      }),
      states: {
        a: {
          initial: 'a1',
          tags: ['first'],
          entry: [note('enter a'), { type: 'say', params: { at: 'a' } }],
          exit: note('leave a'),
          states: {
            a1: { entry: note('enter a1'), exit: note('leave a1'), on: { in: 'a2' } },
            a2: {
              initial: 'x',
              tags: ['inner'],
              states: {
                x: { on: { deep: 'y', again: { target: 'x', reenter: true } }, entry: note('enter x') },
                y: { type: 'final', output: ({ context }) => ({ from: 'y', n: context.n }) },
              },
              onDone: { target: 'a3', actions: [note('done a2'), count] },
            },
            a3: { type: 'final' },
          },
          on: { out: { target: 'b', actions: [count, 'say'] }, again: { target: 'a', reenter: true } },
          onDone: { target: 'b', actions: note('done a') },
        },
        b: { on: { in: 'a', deep: '#nested.a.a2', end: 'z', finish: { actions: raise({ type: 'end' }) } } },
        z: { type: 'final', entry: note('enter z'), output: ({ context }) => context.seen.length },
      },
    }),
}

const parallel: Sample = {
  name: 'parallel regions that look at each other, done when both are',
  events: [{ type: 'left' }, { type: 'right' }, { type: 'both' }, { type: 'back' }, { type: 'close' }],
  machine: () =>
    setup({ types }).createMachine({
      id: 'parallel',
      context: empty,
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          states: {
            l: {
              initial: 'one',
              states: {
                one: { on: { left: 'two', both: 'two' }, tags: 'l1' },
                two: {
                  on: {
                    left: 'three',
                    back: 'one',
                    close: { guard: stateIn('#right3') as never, target: 'three' },
                  },
                },
                three: { type: 'final' },
              },
            },
            r: {
              initial: 'one',
              states: {
                one: { on: { right: { target: 'two', actions: count }, both: 'two' } },
                two: {
                  on: {
                    right: { guard: not(stateIn({ work: { l: 'one' } })) as never, target: 'three' },
                    back: 'one',
                  },
                },
                three: { id: 'right3', on: { close: 'four', back: 'one' }, tags: ['r3'] },
                four: { type: 'final' },
              },
            },
          },
          on: { back: { actions: noteEvent } },
          onDone: { target: 'over', actions: emit({ type: 'all.done' }) },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n }),
    }),
}

const history: Sample = {
  name: 'shallow and deep history, with and without a default',
  events: [
    { type: 'next' },
    { type: 'down' },
    { type: 'leave' },
    { type: 'shallow' },
    { type: 'deep' },
    { type: 'default' },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'history',
      context: empty,
      initial: 'wizard',
      states: {
        wizard: {
          initial: 'name',
          states: {
            name: { on: { next: 'address' }, entry: note('name') },
            address: {
              initial: 'street',
              states: {
                street: { on: { down: 'city' } },
                city: { on: { down: 'country' }, entry: note('city') },
                country: {},
              },
              on: { next: 'pay' },
            },
            pay: {
              type: 'parallel',
              states: {
                card: {
                  initial: 'off',
                  states: { off: { on: { down: 'on' } }, on: { on: { next: 'off' } } },
                },
                bill: { initial: 'off', states: { off: { on: { next: 'on' } }, on: {} } },
              },
            },
            was: { type: 'history', history: 'shallow' },
            wasExactly: { type: 'history', history: 'deep' },
            wasOrPay: { type: 'history', history: 'deep', target: 'pay' },
          },
          on: { leave: 'away', default: '#history.other' },
        },
        away: {
          on: { shallow: 'wizard.was', deep: 'wizard.wasExactly', default: 'wizard.wasOrPay' },
          entry: count,
        },
        other: { on: { leave: 'away', default: 'wizard.wasOrPay' } },
      },
    }),
}

const eventless: Sample = {
  name: 'transitions without an event, and raised events in their order',
  events: [{ type: 'go', n: 1 }, { type: 'go', n: 3 }, { type: 'spin' }, { type: 'stay' }, { type: 'peek' }],
  machine: (world) =>
    setup({ types, actions: { act: world.act('act') } }).createMachine({
      id: 'eventless',
      context: empty,
      initial: 'idle',
      always: {
        guard: and([({ event }) => event.type === 'peek', not(stateIn('peeked'))]) as never,
        actions: note('peeked'),
        target: '.peeked',
      },
      states: {
        idle: {
          on: {
            go: { target: 'counting', actions: assign({ n: ({ event }) => event['n'] }) },
            spin: { actions: [raise({ type: 'one' }), raise({ type: 'two' }), note('spin')] },
            one: { actions: [note('one'), raise({ type: 'three' })] },
            two: { actions: note('two') },
            three: { target: 'counting', actions: [note('three'), assign({ n: 2 })] },
          },
        },
        counting: {
          always: [
            { guard: ({ context }) => context.n <= 0, target: 'landed' },
            {
              actions: [assign({ n: ({ context }) => context.n - 1 }), 'act'],
              target: 'counting',
              reenter: true,
            },
          ],
        },
        landed: { entry: [raise({ type: 'home' }), 'act'], on: { home: 'idle' } },
        peeked: { on: { stay: { target: 'idle', actions: noteEvent } } },
      },
    }),
}

const guarded: Sample = {
  name: 'guards made of guards',
  events: [
    { type: 'try', a: true, b: true },
    { type: 'try', a: true, b: false },
    { type: 'try', a: false, b: false },
    { type: 'arm' },
    { type: 'never' },
  ],
  machine: () =>
    setup({
      types,
      guards: {
        a: ({ event }) => event['a'] === true,
        b: ({ event }) => event['b'] === true,
        armed: ({ context }) => context['armed'] === true,
        both: and(['a', 'b']),
        at: ({ context }, params: { least: number }) => context.n >= params.least,
      },
    }).createMachine({
      id: 'guarded',
      context: empty,
      on: {
        arm: { actions: [assign({ armed: ({ context }) => context['armed'] !== true }), count] },
        try: [
          { guard: and(['both', not('armed')]), actions: note('both, unarmed') },
          {
            guard: or([
              and(['armed', { type: 'at', params: { least: 3 } }]),
              ({ event }) => event['b'] === 1,
            ]),
            actions: note('armed thrice'),
          },
          { guard: not(or(['a', 'b'])), actions: note('neither') },
        ],
        never: { guard: and([() => true, not(() => true)]), actions: note('impossible') },
      },
    }),
}

const enqueuer: Sample = {
  name: 'actions put together while running',
  events: [
    { type: 'run', n: 1 },
    { type: 'run', n: 2 },
    { type: 'later' },
    { type: 'drop' },
    { type: 'mark' },
  ],
  machine: (world) =>
    setup({
      types,
      guards: { odd: ({ context }) => context.n % 2 === 1 },
      actions: { act: world.act('act') },
    }).createMachine({
      id: 'enqueuer',
      context: empty,
      entry: enqueueActions(({ enqueue }) => {
        enqueue.assign({ n: 1 })
        enqueue('act')
      }),
      on: {
        run: {
          actions: enqueueActions(({ context, event, enqueue, check }) => {
            enqueue.assign({ n: context.n + event['n'] })
            if (check('odd')) enqueue.emit({ type: 'was.odd', n: context.n })
            else enqueue.raise({ type: 'mark' })
            enqueue({ type: 'act', params: { odd: check(not('odd')) } })
            enqueue(note('queued'))
          }),
        },
        later: {
          actions: enqueueActions(({ enqueue, context }) => {
            enqueue.cancel('mark')
            enqueue.raise({ type: 'mark', from: context.n }, { id: 'mark', delay: 30 })
          }),
        },
        drop: { actions: cancel('mark') },
        mark: { actions: [noteEvent, emit(({ event }) => ({ type: 'marked', event }))] },
      },
    }),
}

const timers: Sample = {
  name: 'after, delayed events, and their cancellation',
  events: [
    { type: 'start' },
    { type: 'poke' },
    { type: 'twice' },
    { type: 'cancel' },
    { type: 'slow', ms: 40 },
    { type: 'self' },
    { type: 'stop' },
  ],
  machine: () =>
    setup({
      types,
      delays: { soon: 20, grown: ({ context }) => 10 + context.n * 10 },
      guards: { few: ({ context }) => context.n < 3 },
    }).createMachine({
      id: 'timers',
      context: empty,
      initial: 'idle',
      on: {
        rung: { actions: [noteEvent, emit({ type: 'rang' })] },
        cancel: { actions: [cancel('bell'), note('cancel')] },
        self: {
          actions: sendTo(({ self }) => self, { type: 'rung', by: 'self' }, { delay: 20, id: 'bell' }),
        },
      },
      states: {
        idle: {
          on: {
            start: 'waiting',
            twice: {
              actions: [
                raise({ type: 'rung', by: 1 }, { id: 'bell', delay: 30 }),
                raise({ type: 'rung', by: 2 }, { id: 'bell', delay: 10 }),
              ],
            },
            slow: {
              actions: raise(({ event }) => ({ type: 'rung', of: event['ms'] }), {
                delay: ({ event }) => event['ms'],
              }),
            },
          },
        },
        waiting: {
          entry: count,
          after: {
            soon: { guard: 'few', target: 'waiting', reenter: true, actions: note('soon') },
            50: [
              { guard: ({ context }) => context.n > 100, target: 'idle' },
              { target: 'late', actions: note('fifty') },
            ],
            grown: { actions: note('grown') },
          },
          on: { poke: { target: 'waiting', reenter: true }, stop: 'idle' },
        },
        late: { after: { 10: 'idle' }, entry: assign({ n: 0 }) },
      },
    }),
}

const promises: Sample = {
  name: 'an invoked promise: done, failed, tried again, left behind',
  events: [{ type: 'load' }, { type: 'retry' }, { type: 'abandon' }, { type: 'again' }],
  leaves: ['fetch'],
  machine: (world) =>
    setup({
      types,
      actors: { fetch: world.promise('fetch') },
      actions: { act: world.act('act') },
    }).createMachine({
      id: 'promises',
      context: empty,
      initial: 'idle',
      states: {
        idle: { on: { load: 'loading' } },
        loading: {
          tags: 'busy',
          entry: 'act',
          invoke: {
            id: 'fetch',
            src: 'fetch',
            onDone: [
              {
                guard: ({ event }) => event.output === 0,
                target: 'loading',
                reenter: true,
                actions: note('nothing yet'),
              },
              {
                target: 'loaded',
                actions: assign({ got: ({ event }) => event.output, n: ({ context }) => context.n + 1 }),
              },
            ],
            onError: {
              target: 'failed',
              actions: assign({ why: ({ event }) => (event.error as Error).message }),
            },
          },
          on: { abandon: 'idle', again: { target: 'loading', reenter: true } },
        },
        loaded: { type: 'final', entry: emit({ type: 'loaded' }) },
        failed: { on: { retry: 'loading' } },
      },
      output: ({ context }) => ({ got: context['got'], n: context.n }),
    }),
}

const callbacks: Sample = {
  name: 'an invoked callback that is sent to and sends back',
  events: [
    { type: 'open' },
    { type: 'tell', what: 1 },
    { type: 'close' },
    { type: 'reopen' },
    { type: 'forward' },
  ],
  leaves: ['socket'],
  machine: (world) =>
    setup({ types, actors: { socket: world.callback('socket') } }).createMachine({
      id: 'callbacks',
      context: empty,
      initial: 'closed',
      on: { 'child.heard': { actions: noteEvent } },
      states: {
        closed: { on: { open: 'open' } },
        open: {
          entry: sendTo('socket', { type: 'hello' }),
          exit: sendTo('socket', { type: 'bye' }),
          invoke: {
            id: 'socket',
            src: 'socket',
            input: ({ context }: { context: Context }) => ({ name: 'socket', at: context.n }),
          },
          on: {
            tell: { actions: sendTo('socket', ({ event }) => ({ type: 'told', what: event['what'] })) },
            forward: { actions: forwardTo('socket') },
            'child.said': { actions: [count, noteEvent] },
            'child.complained': { target: 'closed', actions: noteEvent },
            close: 'closed',
            reopen: { target: 'open', reenter: true },
          },
        },
      },
    }),
}

const observables: Sample = {
  name: 'invoked observables whose values are seen',
  events: [{ type: 'watch' }, { type: 'unwatch' }, { type: 'other' }],
  leaves: ['ticks', 'news'],
  machine: (world) =>
    setup({
      types,
      actors: { ticks: world.observable('ticks'), news: world.eventObservable('news') },
    }).createMachine({
      id: 'observables',
      context: empty,
      initial: 'off',
      states: {
        off: { on: { watch: 'on' } },
        on: {
          invoke: [
            {
              id: 'ticks',
              src: 'ticks',
              onSnapshot: {
                actions: assign({
                  tick: ({ event }) => (event.snapshot as unknown as { context: unknown }).context ?? null,
                }),
              },
              onDone: { actions: note('no more ticks') },
              onError: {
                target: 'off',
                actions: assign({ why: ({ event }) => (event.error as Error).message }),
              },
            },
            { id: 'news', src: 'news', onDone: 'off' },
          ],
          on: { 'child.said': { actions: noteEvent }, unwatch: 'off' },
        },
      },
    }),
}

const spawner: Sample = {
  name: 'spawned children, in assign and as actions, found by their system id',
  events: [
    { type: 'hire' },
    { type: 'hire2' },
    { type: 'fire' },
    { type: 'fire2' },
    { type: 'ask' },
    { type: 'ask2' },
    { type: 'end' },
  ],
  leaves: ['one', 'two'],
  machine: (world) =>
    setup({ types, actors: { worker: world.callback('worker'), job: world.promise('job') } }).createMachine({
      id: 'spawner',
      context: empty,
      initial: 'open',
      states: {
        open: {
          on: {
            hire: {
              guard: ({ context }) => context['hired'] !== true,
              actions: assign({
                hired: true,
                n: ({ context, spawn }) => {
                  spawn('worker', { id: 'one', systemId: 'boss', input: { name: 'one' } })
                  return context.n + 1
                },
              }),
            },
            fire: { actions: [stopChild('one'), assign({ hired: false })] },
            hire2: {
              guard: ({ context }) => context['hired2'] !== true,
              actions: [spawnChild('job', { id: 'two', input: { name: 'two' } }), assign({ hired2: true })],
            },
            fire2: { actions: [stopChild('two'), assign({ hired2: false })] },
            ask: {
              guard: ({ context }) => context['hired'] === true,
              actions: sendTo(({ system }) => system.get('boss'), { type: 'question' }),
            },
            ask2: {
              guard: ({ context }) => context['hired'] === true,
              actions: sendTo('one', { type: 'late' }, { delay: 20 }),
            },
            end: 'closed',
            'child.*': { actions: noteEvent },
            'xstate.done.actor.two': { actions: note('two is done') },
            'xstate.error.actor.two': { actions: note('two has failed') },
          },
        },
        closed: { type: 'final' },
      },
    }),
}

const selfSender: Sample = {
  name: 'a machine that sends to itself',
  events: [{ type: 'burst', n: 2 }, { type: 'burst', n: 5 }, { type: 'end' }, { type: 'mixed' }],
  machine: (world) =>
    setup({ types, actions: { act: world.act('act') } }).createMachine({
      id: 'self',
      context: empty,
      initial: 'on',
      states: {
        on: {
          on: {
            burst: {
              guard: ({ event }) => event['n'] > 0,
              actions: [
                noteEvent,
                'act',
                sendTo(
                  ({ self }) => self,
                  ({ event }) => ({ type: 'burst', n: event['n'] - 1 }),
                ),
                sendTo(({ self }) => self, { type: 'echo' }),
              ],
            },
            echo: { actions: [count, 'act', emit({ type: 'echoed' })] },
            mixed: {
              actions: [sendTo(({ self }) => self, { type: 'echo' }), raise({ type: 'echo' }), note('mixed')],
            },
            end: {
              target: 'off',
              actions: [sendTo(({ self }) => self, { type: 'echo' }), emit({ type: 'ended' })],
            },
          },
        },
        off: { type: 'final' },
      },
    }),
}

const failing: Sample = {
  name: 'a machine that can fail: in an assign, in a guard, by a child nobody minds',
  events: [{ type: 'ok' }, { type: 'assign' }, { type: 'guard' }, { type: 'child' }, { type: 'halfway' }],
  leaves: ['fragile'],
  machine: (world) =>
    setup({
      types,
      actors: { fragile: world.promise('fragile') },
      actions: { act: world.act('act') },
    }).createMachine({
      id: 'failing',
      context: empty,
      initial: 'idle',
      states: {
        idle: {
          on: {
            ok: { actions: count },
            assign: {
              guard: ({ context }) => context.n > 2,
              actions: assign(() => {
                throw new Error('assign threw')
              }),
            },
            guard: {
              guard: ({ context }) => {
                if (context.n > 3) throw new Error('guard threw')
                return false
              },
              actions: count,
            },
            halfway: {
              guard: ({ context }) => context.n > 4,
              actions: ['act', emit({ type: 'never heard' }), assign({ n: () => JSON.parse('{') })],
            },
            child: 'waiting',
          },
        },
        waiting: { invoke: { id: 'fragile', src: 'fragile' }, on: { ok: 'idle' } },
      },
    }),
}

const wildcards: Sample = {
  name: 'wildcards, partial wildcards and forbidden events',
  events: [
    { type: 'mouse.move' },
    { type: 'mouse.click.left' },
    { type: 'mouse' },
    { type: 'key.down' },
    { type: 'lock' },
    { type: 'mousey' },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'wildcards',
      context: empty,
      initial: 'free',
      on: {
        '*': { actions: [noteEvent, note('any')] },
        'key.*': { guard: ({ context }) => context.n < 3, actions: count },
      },
      states: {
        free: {
          on: {
            'mouse.*': { actions: note('mouse') },
            'mouse.click.*': { actions: note('click') },
            'mouse.move': { target: 'free', reenter: true, actions: note('move') },
            lock: 'locked',
          },
        },
        locked: { on: { 'mouse.*': {}, 'key.down': {}, lock: { target: 'free' } } },
      },
    }),
}

const checkout: Sample = {
  name: 'a checkout',
  events: [
    { type: 'item.add', price: 5 },
    { type: 'item.remove' },
    { type: 'checkout' },
    { type: 'address', to: 'x' },
    { type: 'pay' },
    { type: 'back' },
  ],
  leaves: ['charge'],
  machine: (world) =>
    setup({
      types,
      actors: { charge: world.promise('charge') },
      guards: {
        something: ({ context }) => context.n > 0,
        addressed: ({ context }) => context['to'] !== undefined,
      },
      delays: { patience: 80 },
    }).createMachine({
      id: 'checkout',
      context: empty,
      initial: 'shopping',
      states: {
        shopping: {
          on: {
            'item.add': { actions: assign({ n: ({ context, event }) => context.n + event['price'] }) },
            'item.remove': { guard: 'something', actions: assign({ n: ({ context }) => context.n - 5 }) },
            checkout: { guard: 'something', target: 'paying.was' },
          },
        },
        paying: {
          initial: 'address',
          on: { back: 'shopping' },
          states: {
            address: {
              on: { address: { target: 'confirm', actions: assign({ to: ({ event }) => event['to'] }) } },
            },
            confirm: { on: { pay: { guard: 'addressed', target: 'charging' } } },
            charging: {
              tags: ['busy'],
              invoke: {
                id: 'charge',
                src: 'charge',
                input: ({ context }: { context: Context }) => ({ name: 'charge', amount: context.n }),
                onDone: {
                  target: '#checkout.paid',
                  actions: assign({ receipt: ({ event }) => event.output }),
                },
                onError: 'confirm',
              },
              after: { patience: { target: 'confirm', actions: emit({ type: 'too.slow' }) } },
            },
            was: { type: 'history', history: 'deep' },
          },
        },
        paid: { type: 'final' },
      },
      output: ({ context }) => ({ receipt: context['receipt'], n: context.n }),
    }),
}

const light: Sample = {
  name: 'a traffic light with a pedestrian',
  events: [{ type: 'press' }, { type: 'break' }, { type: 'repair' }],
  machine: () =>
    createMachine({
      id: 'light',
      initial: 'working',
      states: {
        working: {
          initial: 'green',
          on: { break: 'broken' },
          states: {
            green: { on: { press: 'yellow' }, after: { 60: 'yellow' } },
            yellow: { after: { 20: 'red' } },
            red: {
              initial: 'wait',
              after: { 50: 'green' },
              states: {
                wait: { after: { 10: 'walk' } },
                walk: { after: { 20: 'stop' }, tags: ['walk'] },
                stop: {},
              },
            },
          },
        },
        broken: {
          type: 'parallel',
          states: {
            lamp: { initial: 'on', states: { on: { after: { 10: 'off' } }, off: { after: { 10: 'on' } } } },
            box: {
              initial: 'shut',
              states: { shut: { on: { press: 'open' } }, open: { on: { repair: '#light.working' } } },
            },
          },
        },
      },
    }),
}

export const samples: readonly Sample[] = [
  counter,
  nested,
  parallel,
  history,
  eventless,
  guarded,
  enqueuer,
  timers,
  promises,
  callbacks,
  observables,
  spawner,
  selfSender,
  failing,
  wildcards,
  checkout,
  light,
]
