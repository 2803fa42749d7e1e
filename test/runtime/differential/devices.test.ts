/** Differential: machines of devices, with timers in earnest, run as in XState. */
import { assign, cancel, emit, raise, setup, type AnyEventObject } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, put, types, type Context, type Sample } from './sample.ts'

const calls = (context: Context): number[] => (context['calls'] ?? []) as number[]

const elevator: Sample = {
  name: 'an elevator with calls, doors and an emergency stop',
  events: [
    { type: 'call', floor: 0 },
    { type: 'call', floor: 2 },
    { type: 'call', floor: 5 },
    { type: 'obstacle' },
    { type: 'emergency' },
    { type: 'release' },
  ],
  machine: () =>
    setup({
      types,
      guards: {
        wanted: ({ context }) => calls(context).length > 0,
        here: ({ context }) => calls(context)[0] === context.n,
        valid: ({ context, event }) =>
          event['floor'] <= 4 && !calls(context).includes(event['floor'] as number),
      },
      actions: {
        move: assign({
          n: ({ context }) => context.n + Math.sign((calls(context)[0] ?? context.n) - context.n),
        }),
        serve: put('calls', ({ context }) => calls(context).slice(1)),
      },
    }).createMachine({
      id: 'elevator',
      context: { ...empty, calls: [] },
      initial: 'service',
      on: {
        call: [
          {
            guard: 'valid',
            actions: put('calls', ({ context, event }) => [...calls(context), event['floor']]),
          },
          { guard: ({ event }) => event['floor'] > 4, actions: emit({ type: 'no.such.floor' }) },
        ],
      },
      states: {
        service: {
          initial: 'idle',
          on: { emergency: 'halted' },
          states: {
            idle: {
              always: [
                { guard: 'here', target: 'open' },
                { guard: 'wanted', target: 'moving' },
              ],
            },
            moving: { after: { 20: [{ target: 'arriving', actions: 'move' }] } },
            arriving: { always: [{ guard: 'here', target: 'open' }, { target: 'moving' }] },
            open: {
              entry: ['serve', emit(({ context }) => ({ type: 'open', floor: context.n }))],
              tags: 'open',
              after: { 30: 'idle' },
              on: { obstacle: { target: 'open', reenter: true, actions: note('obstacle') } },
            },
            was: { type: 'history' },
          },
        },
        halted: { tags: ['alarm'], on: { release: 'service.was', call: {} } },
      },
    }),
}

const vending: Sample = {
  name: 'a vending machine with coins, change and a stuck product',
  events: [
    { type: 'coin', value: 1 },
    { type: 'coin', value: 5 },
    { type: 'choose', what: 'tea' },
    { type: 'choose', what: 'wine' },
    { type: 'cancel' },
    { type: 'kick' },
  ],
  leaves: ['motor'],
  machine: (world) =>
    setup({
      types,
      actors: { motor: world.promise('motor') },
      guards: {
        known: ({ event }) => event['what'] === 'tea' || event['what'] === 'soup',
        enough: ({ context }) => context.n >= 3,
      },
      actions: { payOut: world.act('pay out') },
    }).createMachine({
      id: 'vending',
      context: empty,
      initial: 'idle',
      states: {
        idle: {
          on: {
            coin: { actions: assign({ n: ({ context, event }) => context.n + event['value'] }) },
            choose: [
              { guard: ({ event }) => event['what'] === 'wine', actions: emit({ type: 'not.sold.here' }) },
              { guard: 'enough', target: 'serving', actions: put('what', ({ event }) => event['what']) },
              { actions: note('too little') },
            ],
            cancel: { actions: ['payOut', put('n', () => 0)] },
          },
          after: { 80: { guard: ({ context }) => context.n > 0, actions: raise({ type: 'cancel' }) } },
        },
        serving: {
          invoke: {
            id: 'motor',
            src: 'motor',
            input: ({ context }: { context: Context }) => ({ name: 'motor', what: context['what'] }),
            onDone: { target: 'idle', actions: [assign({ n: ({ context }) => context.n - 3 }), 'payOut'] },
            onError: 'stuck',
          },
          on: { coin: { actions: emit({ type: 'coin.returned' }) } },
        },
        stuck: {
          on: { kick: 'serving', cancel: { target: 'idle', actions: note('given up') } },
          after: { 50: 'serving' },
        },
      },
    }),
}

const doorLock: Sample = {
  name: 'a door lock with codes, a lockout that grows and a door left open',
  events: [
    { type: 'code', code: '1234' },
    { type: 'code', code: '0000' },
    { type: 'open' },
    { type: 'close' },
    { type: 'new', code: '1234' },
    { type: 'inside' },
  ],
  machine: () =>
    setup({
      types,
      guards: {
        right: ({ context, event }) => event['code'] === context['code'],
        patient: ({ context }) => context.n < 2,
      },
      delays: { lockout: ({ context }) => 20 * context.n, ajar: 40 },
    }).createMachine({
      id: 'lock',
      context: { ...empty, code: '1234' },
      initial: 'locked',
      states: {
        locked: {
          on: {
            code: [
              { guard: 'right', target: 'unlocked', actions: put('n', () => 0) },
              { guard: 'patient', actions: count },
              { target: 'lockout', actions: [count, emit({ type: 'alarm' })] },
            ],
            inside: 'unlocked',
          },
        },
        lockout: {
          after: { lockout: 'locked' },
          on: { inside: { target: 'unlocked', actions: note('from inside') } },
        },
        unlocked: {
          initial: 'closed',
          states: {
            closed: {
              after: { 50: '#lock.locked' },
              on: { open: 'open', new: { actions: put('code', ({ event }) => event['code']) } },
            },
            open: {
              entry: raise({ type: 'ajar' }, { delay: 'ajar', id: 'ajar' }),
              exit: cancel('ajar'),
              on: {
                close: 'closed',
                ajar: {
                  actions: [
                    noteEvent,
                    emit({ type: 'beep' }),
                    raise({ type: 'ajar' }, { delay: 20, id: 'ajar' }),
                  ],
                },
              },
            },
          },
        },
      },
    }),
}

const thermostat: Sample = {
  name: 'a thermostat that reads a sensor and keeps its distance',
  events: [{ type: 'want', degrees: 1 }, { type: 'want', degrees: 3 }, { type: 'off' }, { type: 'on' }],
  leaves: ['sensor'],
  machine: (world) =>
    setup({
      types,
      actors: { sensor: world.eventObservable('sensor') },
      guards: {
        cold: ({ context }) => context.n < Number(context['want']),
        warm: ({ context }) => context.n >= Number(context['want']),
      },
      actions: { read: assign({ n: ({ event }) => event['value'] as number }) },
    }).createMachine({
      id: 'thermostat',
      context: { ...empty, want: 2 },
      initial: 'on',
      on: { want: { actions: put('want', ({ event }) => event['degrees']) } },
      states: {
        on: {
          invoke: {
            id: 'sensor',
            src: 'sensor',
            onDone: 'broken',
            onError: { target: 'broken', actions: note('sensor') },
          },
          initial: 'idle',
          on: { off: 'off', 'child.said': { actions: 'read' } },
          states: {
            idle: { always: { guard: 'cold', target: 'heating' } },
            heating: {
              entry: emit({ type: 'burner.on' }),
              exit: emit({ type: 'burner.off' }),
              always: { guard: 'warm', target: 'resting' },
              after: { 60: { target: 'resting', actions: note('too long') } },
            },
            resting: { after: { 30: 'idle' } },
          },
        },
        off: { on: { on: 'on' } },
        broken: { tags: 'broken', on: { on: 'on' }, after: { 70: 'on' } },
      },
    }),
}

const chessClock: Sample = {
  name: 'a chess clock with a move counter and a flag',
  events: [
    { type: 'press', by: 'white' },
    { type: 'press', by: 'black' },
    { type: 'pause' },
    { type: 'resume' },
  ],
  machine: () => {
    const side = (name: string, other: string) => ({
      initial: 'running',
      states: {
        running: {
          after: {
            10: {
              target: 'running',
              reenter: true,
              actions: put(name, ({ context }) => Number(context[name]) - 1),
            },
          },
          always: {
            guard: ({ context }: { context: Context }) => Number(context[name]) <= 0,
            target: '#clock.over',
          },
        },
      },
      on: {
        press: {
          guard: ({ event }: { event: { by?: unknown } }) => event.by === name,
          target: other,
          actions: count,
        },
      },
    })
    return setup({ types }).createMachine({
      id: 'clock',
      context: { ...empty, white: 6, black: 6 },
      initial: 'ready',
      states: {
        ready: {
          on: {
            press: {
              guard: ({ event }: { event: AnyEventObject }) => event['by'] === 'black',
              target: 'game',
            },
          },
        },
        game: {
          initial: 'white',
          on: { pause: 'paused' },
          states: {
            white: side('white', 'black') as never,
            black: side('black', 'white') as never,
            was: { type: 'history' },
          },
        },
        paused: { on: { resume: 'game.was' } },
        over: { type: 'final' },
      },
      output: ({ context }: { context: Context }) => ({
        moves: context.n,
        white: context['white'],
        black: context['black'],
      }),
    })
  },
}

runsAsInXState([elevator, vending, doorLock, thermostat, chessClock])
