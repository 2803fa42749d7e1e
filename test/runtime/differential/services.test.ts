/** Differential: machines of services that call out, fail and try again run as in XState. */
import { assign, emit, enqueueActions, raise, sendTo, setup } from 'xstate'
import { runsAsInXState } from './compare.ts'
import {
  count,
  empty,
  note,
  noteEvent,
  noteOutcome,
  put,
  types,
  type Context,
  type Sample,
} from './sample.ts'

const upload: Sample = {
  name: 'a file upload in parts, tried again with a growing delay',
  input: { parts: 3 },
  events: [{ type: 'start' }, { type: 'cancel' }, { type: 'pause' }, { type: 'resume' }, { type: 'retry' }],
  leaves: ['part', 'finish'],
  machine: (world) =>
    setup({
      types,
      actors: { part: world.promise('part'), finish: world.promise('finish') },
      guards: {
        last: ({ context }) => context.n + 1 >= Number(context['parts']),
        tired: ({ context }) => Number(context['tries']) >= 3,
      },
      delays: { backoff: ({ context }) => 10 * 2 ** Number(context['tries']) },
    }).createMachine({
      id: 'upload',
      context: ({ input }) => ({ ...empty, ...input, tries: 0 }),
      initial: 'idle',
      states: {
        idle: { on: { start: 'sending' } },
        sending: {
          initial: 'part',
          tags: ['busy'],
          on: { cancel: 'cancelled', pause: 'paused' },
          states: {
            part: {
              invoke: {
                id: 'part',
                src: 'part',
                input: ({ context }: { context: Context }) => ({ name: 'part', number: context.n }),
                onDone: [
                  { guard: 'last', target: 'finishing', actions: count },
                  {
                    target: 'part',
                    reenter: true,
                    actions: [
                      count,
                      put('tries', () => 0),
                      emit(({ context }) => ({ type: 'progress', done: context.n })),
                    ],
                  },
                ],
                onError: [
                  { guard: 'tired', target: '#upload.failed', actions: noteOutcome },
                  { target: 'waiting', actions: put('tries', ({ context }) => Number(context['tries']) + 1) },
                ],
              },
            },
            waiting: { after: { backoff: 'part' }, on: { retry: 'part' } },
            finishing: {
              invoke: {
                id: 'finish',
                src: 'finish',
                onDone: { target: '#upload.sent', actions: put('receipt', ({ event }) => event['output']) },
                onError: 'waiting',
              },
            },
            was: { type: 'history' },
          },
        },
        paused: { on: { resume: 'sending.was', cancel: 'cancelled' } },
        failed: { on: { retry: { target: 'sending', actions: put('tries', () => 0) } } },
        cancelled: { type: 'final' },
        sent: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n, receipt: context['receipt'] }),
    }),
}

const chat: Sample = {
  name: 'a chat that loses its connection, waits and sends what was kept',
  events: [
    { type: 'connect' },
    { type: 'say', text: 'hi' },
    { type: 'say', text: 'there' },
    { type: 'hang up' },
    { type: 'lost' },
  ],
  leaves: ['socket'],
  machine: (world) =>
    setup({
      types,
      actors: { socket: world.callback('socket') },
      guards: { hopeless: ({ context }) => context.n >= 4 },
      delays: { backoff: ({ context }) => 10 + 10 * context.n },
      actions: {
        keep: put('kept', ({ context, event }) =>
          [...((context['kept'] ?? []) as string[]), event['text']].slice(-5),
        ),
      },
    }).createMachine({
      id: 'chat',
      context: { ...empty, kept: [] },
      initial: 'offline',
      states: {
        offline: { on: { connect: 'online', say: { actions: 'keep' } } },
        online: {
          invoke: { id: 'socket', src: 'socket' },
          on: {
            'child.complained': { target: 'waiting', actions: [count, noteEvent] },
            lost: { target: 'waiting', actions: count },
            'hang up': 'offline',
          },
          initial: 'opening',
          states: {
            opening: {
              on: { 'child.said': 'open', say: { actions: 'keep' } },
              after: { 60: { actions: raise({ type: 'lost' }) } },
            },
            open: {
              entry: [
                enqueueActions(({ enqueue, context }) => {
                  for (const text of (context['kept'] ?? []) as string[])
                    enqueue.sendTo('socket', { type: 'out', text })
                  enqueue.assign({ kept: [], n: 0 })
                }),
              ],
              on: {
                say: { actions: sendTo('socket', ({ event }) => ({ type: 'out', text: event['text'] })) },
                'child.said': { actions: noteEvent },
              },
            },
          },
        },
        waiting: {
          always: {
            guard: 'hopeless',
            target: 'offline',
            actions: [put('n', () => 0), emit({ type: 'given.up' })],
          },
          after: { backoff: 'online' },
          on: { connect: 'online', 'hang up': 'offline', say: { actions: 'keep' } },
        },
      },
      on: { 'child.heard': { actions: noteEvent } },
    }),
}

const login: Sample = {
  name: 'a login with a second factor that runs out and a lockout',
  events: [
    { type: 'password', right: true },
    { type: 'password', right: false },
    { type: 'code' },
    { type: 'resend' },
    { type: 'logout' },
  ],
  leaves: ['sms', 'check'],
  machine: (world) =>
    setup({
      types,
      actors: { sms: world.promise('sms'), check: world.promise('check') },
      guards: {
        right: ({ event }) => event['right'] === true,
        passed: ({ event }) => Number(event['output']) > 0,
      },
    }).createMachine({
      id: 'login',
      context: empty,
      initial: 'out',
      states: {
        out: {
          always: { guard: ({ context }) => context.n >= 3, target: 'locked' },
          on: { password: [{ guard: 'right', target: 'second' }, { actions: count }] },
        },
        second: {
          initial: 'sending',
          after: { 80: { target: 'out', actions: note('too late') } },
          states: {
            sending: { invoke: { id: 'sms', src: 'sms', onDone: 'waiting', onError: '#login.out' } },
            waiting: { on: { code: 'checking', resend: 'sending' } },
            checking: {
              invoke: {
                id: 'check',
                src: 'check',
                onDone: [
                  {
                    guard: 'passed',
                    target: '#login.in',
                    actions: put('token', ({ event }) => event['output']),
                  },
                  { target: 'waiting', actions: count },
                ],
                onError: { target: 'waiting', actions: noteOutcome },
              },
            },
          },
        },
        in: {
          entry: put('n', () => 0),
          on: { logout: 'out' },
          after: { 90: { target: 'out', actions: emit({ type: 'expired' }) } },
        },
        locked: { after: { 60: { target: 'out', actions: put('n', () => 0) } } },
      },
    }),
}

const form: Sample = {
  name: 'a form whose fields are checked side by side before it is sent',
  events: [
    { type: 'name', value: 'ann' },
    { type: 'name', value: '' },
    { type: 'mail', value: 'a@b' },
    { type: 'mail', value: 'ab' },
    { type: 'submit' },
  ],
  leaves: ['taken', 'send'],
  machine: (world) => {
    const bad = (key: string) => ({ invalid: { on: { [key]: 'editing' } } })
    return setup({
      types,
      actors: { taken: world.promise('taken'), send: world.promise('send') },
      guards: {
        full: ({ event }) => event['value'] !== '',
        mailLike: ({ event }) => String(event['value']).includes('@'),
      },
    }).createMachine({
      id: 'form',
      context: empty,
      initial: 'filling',
      states: {
        filling: {
          type: 'parallel',
          onDone: 'ready',
          states: {
            name: {
              initial: 'empty',
              states: {
                empty: {
                  on: {
                    name: [
                      {
                        guard: 'full',
                        target: 'checking',
                        actions: put('name', ({ event }) => event['value']),
                      },
                      { target: 'invalid' },
                    ],
                  },
                },
                checking: {
                  invoke: {
                    id: 'taken',
                    src: 'taken',
                    input: ({ context }: { context: Context }) => ({ name: 'taken', of: context['name'] }),
                    onDone: [
                      { guard: ({ event }) => event.output === 0, target: 'invalid' },
                      { target: 'valid' },
                    ],
                    onError: { target: 'empty', actions: count },
                  },
                  on: {
                    name: {
                      target: 'checking',
                      reenter: true,
                      actions: put('name', ({ event }) => event['value']),
                    },
                  },
                },
                invalid: {
                  tags: 'wrong',
                  on: {
                    name: {
                      guard: 'full',
                      target: 'checking',
                      actions: put('name', ({ event }) => event['value']),
                    },
                  },
                },
                valid: { type: 'final' },
              },
            },
            mail: {
              initial: 'editing',
              states: {
                editing: {
                  on: {
                    mail: [
                      {
                        guard: 'mailLike',
                        target: 'valid',
                        actions: put('mail', ({ event }) => event['value']),
                      },
                      { target: 'invalid' },
                    ],
                  },
                  after: { 60: { actions: emit({ type: 'hint' }) } },
                },
                ...bad('mail'),
                valid: { type: 'final' },
              },
            },
          },
        },
        ready: { on: { submit: 'sending', name: 'filling' } },
        sending: {
          invoke: {
            id: 'send',
            src: 'send',
            onDone: 'sent',
            onError: { target: 'ready', actions: noteOutcome },
          },
        },
        sent: { type: 'final' },
      },
      output: ({ context }) => ({ name: context['name'], mail: context['mail'] }),
    })
  },
}

const saga: Sample = {
  name: 'an order saga that takes back what it did, in reverse',
  events: [{ type: 'order' }, { type: 'abort' }, { type: 'again' }],
  leaves: ['reserve', 'charge', 'ship', 'undo'],
  machine: (world) => {
    const step = (name: string, next: string) => ({
      invoke: {
        id: name,
        src: name,
        onDone: {
          target: next,
          actions: [put('done', ({ context }) => [...((context['done'] ?? []) as string[]), name]), count],
        },
        onError: { target: 'undoing', actions: noteOutcome },
      },
      after: { 80: { target: 'undoing', actions: note(`${name} takes too long`) } },
      on: { abort: 'undoing' },
    })
    return setup({
      types,
      actors: {
        reserve: world.promise('reserve'),
        charge: world.promise('charge'),
        ship: world.promise('ship'),
        undo: world.promise('undo'),
      },
    }).createMachine({
      id: 'saga',
      context: { ...empty, done: [] },
      initial: 'idle',
      states: {
        idle: { on: { order: 'reserving' } },
        reserving: step('reserve', 'charging') as never,
        charging: step('charge', 'shipping') as never,
        shipping: step('ship', 'complete') as never,
        undoing: {
          always: {
            guard: ({ context }: { context: Context }) => (context['done'] as string[]).length === 0,
            target: 'undone',
          },
          invoke: {
            id: 'undo',
            src: 'undo',
            input: ({ context }: { context: Context }) => ({
              name: 'undo',
              of: (context['done'] as string[]).at(-1),
            }),
            onDone: {
              target: 'undoing',
              reenter: true,
              actions: assign({
                done: ({ context }: { context: Context }) => (context['done'] as string[]).slice(0, -1),
              } as never),
            },
            onError: { target: 'undoing', reenter: true, actions: count },
          },
        },
        undone: { on: { again: 'idle' } },
        complete: { type: 'final', entry: emit({ type: 'shipped' }) },
      },
      output: ({ context }: { context: Context }) => context['done'],
    })
  },
}

runsAsInXState([upload, chat, login, form, saga])
