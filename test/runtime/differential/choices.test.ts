/** Differential: guards, wildcards, queued actions, and failures run as in XState. */
import { and, assign, cancel, emit, enqueueActions, not, or, setup } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, types, type Sample } from './sample.ts'

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

runsAsInXState([guarded, wildcards, enqueuer, failing])
