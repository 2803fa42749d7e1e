/** Differential: children as they are in use, pools, accounts, lists and supervisors, run as in XState. */
import {
  assign,
  emit,
  enqueueActions,
  sendParent,
  sendTo,
  setup,
  stopChild,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteOutcome, put, types, type Context, type Sample } from './sample.ts'

const pool: Sample = {
  name: 'a pool of workers that take jobs from a queue',
  events: [{ type: 'job' }, { type: 'grow' }, { type: 'shrink' }, { type: 'status' }],
  leaves: ['job-0', 'job-1', 'job-2', 'job-3'],
  machine: (world) => {
    const worker = setup({
      types,
      actors: { work: world.promise('work') },
      actions: { act: world.act('worker') },
    }).createMachine({
      id: 'worker',
      context: ({ input }) => ({ ...empty, ...input }),
      initial: 'idle',
      states: {
        idle: {
          entry: sendParent(({ context }) => ({ type: 'idle', by: context['name'] })),
          on: { take: { target: 'busy', actions: put('job', ({ event }) => event['job']) } },
        },
        busy: {
          invoke: {
            id: 'work',
            src: 'work',
            input: ({ context }: { context: Context }) => ({ name: `job-${String(context['job'])}` }),
            onDone: {
              target: 'idle',
              actions: [
                'act',
                sendParent(({ context, event }) => ({
                  type: 'finished',
                  by: context['name'],
                  value: event['output'],
                })),
              ],
            },
            onError: {
              target: 'idle',
              actions: sendParent(({ context }) => ({
                type: 'failed',
                by: context['name'],
                value: context['job'],
              })),
            },
          },
          after: {
            90: {
              target: 'idle',
              actions: sendParent(({ context }) => ({
                type: 'failed',
                by: context['name'],
                value: context['job'],
              })),
            },
          },
        },
      },
    })
    const queue = (context: Context): number[] => context['queue'] as number[]
    const idle = (context: Context): string[] => context['idle'] as string[]
    return setup({ types, actors: { worker }, actions: { act: world.act('pool') } }).createMachine({
      id: 'pool',
      context: { ...empty, queue: [], idle: [], size: 0 },
      always: {
        guard: ({ context }) => queue(context).length > 0 && idle(context).length > 0,
        actions: enqueueActions(({ enqueue, context }) => {
          enqueue.sendTo(idle(context)[0] as string, { type: 'take', job: queue(context)[0] })
          enqueue.assign({ queue: queue(context).slice(1), idle: idle(context).slice(1) })
        }),
      },
      on: {
        job: {
          guard: ({ context }) => context.n < 4,
          actions: [put('queue', ({ context }) => [...queue(context), context.n]), count],
        },
        grow: {
          guard: ({ context }) => Number(context['size']) < 3,
          actions: enqueueActions(({ enqueue, context }) => {
            const name = `w${String(context['size'])}`
            enqueue.spawnChild('worker', { id: name, input: { name } })
            enqueue.assign({ size: Number(context['size']) + 1 })
          }),
        },
        shrink: {
          guard: ({ context }) => Number(context['size']) > 0,
          actions: [
            stopChild(({ context }) => `w${Number(context['size']) - 1}`),
            assign({
              size: ({ context }) => Number(context['size']) - 1,
              idle: ({ context }) =>
                idle(context).filter((name) => name !== `w${Number(context['size']) - 1}`),
            }),
          ],
        },
        idle: { actions: put('idle', ({ context, event }) => [...idle(context), event['by']]) },
        finished: { actions: [noteOutcome, 'act'] },
        failed: {
          actions: [noteOutcome, put('queue', ({ context, event }) => [...queue(context), event['value']])],
        },
      },
    })
  },
}

const bank: Sample = {
  name: 'accounts that are children, and transfers that are taken back',
  events: [
    { type: 'transfer', from: 'ann', to: 'bob', amount: 3 },
    { type: 'transfer', from: 'bob', to: 'ann', amount: 5 },
    { type: 'transfer', from: 'ann', to: 'cy', amount: 2 },
    { type: 'freeze', who: 'bob' },
    { type: 'close', who: 'cy' },
  ],
  machine: (world) => {
    const account = setup({ types, actions: { act: world.act('account') } }).createMachine({
      id: 'account',
      context: ({ input }) => ({ ...empty, n: 5, ...input }),
      initial: 'open',
      on: {
        deposit: { actions: [assign({ n: ({ context, event }) => context.n + event['amount'] }), 'act'] },
      },
      states: {
        open: {
          on: {
            withdraw: [
              {
                guard: ({ context, event }) => context.n >= event['amount'],
                actions: [
                  assign({ n: ({ context, event }) => context.n - event['amount'] }),
                  // Straight to the one that it is for.
                  sendTo(
                    ({ event }) => event['target'] as AnyActorRef,
                    ({ event }) => ({ type: 'deposit', amount: event['amount'] }),
                  ),
                  sendParent(({ context }) => ({ type: 'moved', by: context['name'] })),
                ],
              },
              { actions: sendParent(({ context }) => ({ type: 'short', by: context['name'] })) },
            ],
            freeze: 'frozen',
            close: 'closed',
          },
        },
        frozen: { on: { withdraw: { actions: sendParent({ type: 'frozen' }) }, freeze: 'open' } },
        closed: { type: 'final' },
      },
      output: ({ context }) => ({ name: context['name'], left: context.n }),
    })
    return setup({ types, actors: { account }, actions: { act: world.act('bank') } }).createMachine({
      id: 'bank',
      // Children that are there before the machine has a state.
      context: ({ spawn }) => ({
        ...empty,
        ann: spawn('account', { id: 'ann', input: { name: 'ann' } }),
        bob: spawn('account', { id: 'bob', input: { name: 'bob' } }),
        cy: spawn('account', { id: 'cy', input: { name: 'cy' } }),
      }),
      on: {
        transfer: {
          actions: sendTo(
            ({ context, event }) => context[event['from'] as string] as AnyActorRef,
            ({ context, event }) => ({
              type: 'withdraw',
              amount: event['amount'],
              target: context[event['to'] as string],
            }),
          ),
        },
        freeze: { actions: sendTo(({ event }) => event['who'] as string, { type: 'freeze' }) },
        close: { actions: stopChild(({ event }) => event['who'] as string) },
        'xstate.done.actor.*': { actions: noteOutcome },
        moved: { actions: [count, noteOutcome] },
        short: { actions: [noteOutcome, 'act'] },
        frozen: { actions: note('frozen') },
      },
    })
  },
}

const todos: Sample = {
  name: 'a list whose entries are children that take themselves off',
  events: [
    { type: 'add' },
    { type: 'toggle', n: 0 },
    { type: 'toggle', n: 1 },
    { type: 'edit', n: 0 },
    { type: 'remove', n: 1 },
    { type: 'clear' },
  ],
  machine: (world) => {
    const todo = setup({ types, actions: { act: world.act('todo') } }).createMachine({
      id: 'todo',
      context: ({ input }) => ({ ...empty, ...input }),
      initial: 'reading',
      states: {
        reading: {
          initial: 'pending',
          states: {
            pending: { on: { toggle: 'complete' } },
            complete: {
              tags: 'done',
              entry: emit({ type: 'completed' }),
              on: { toggle: 'pending' },
              after: { 60: '#todo.gone' },
            },
            was: { type: 'history' },
          },
          on: { edit: 'editing', remove: 'gone' },
        },
        editing: {
          after: { 20: 'reading.was' },
          on: { edit: { target: 'reading.was', actions: [count, 'act'] } },
        },
        gone: {
          type: 'final',
          entry: [sendParent(({ context }) => ({ type: 'gone', by: context['id'] })), 'act'],
        },
      },
      output: ({ context }) => context['id'],
    })
    const ids = (context: Context): string[] => context['ids'] as string[]
    const nth = ({ context, event }: { context: Context; event: AnyEventObject }): string =>
      ids(context)[event['n'] as number] as string
    const there = ({ context, event }: { context: Context; event: AnyEventObject }): boolean =>
      ids(context).length > event['n']
    const pass = { guard: there, actions: sendTo(nth, ({ event }) => event) as never }
    return setup({ types, actors: { todo }, actions: { act: world.act('list') } }).createMachine({
      id: 'todos',
      context: { ...empty, ids: [] },
      on: {
        add: {
          guard: ({ context }) => context.n < 6,
          actions: assign(({ context, spawn }) => {
            const id = `todo-${context.n}`
            spawn('todo', { id, input: { id } })
            return { n: context.n + 1, ids: [...ids(context), id] }
          }),
        },
        toggle: pass,
        edit: pass,
        remove: pass,
        gone: {
          actions: [
            put('ids', ({ context, event }) => ids(context).filter((id) => id !== event['by'])),
            'act',
          ],
        },
        clear: {
          actions: [
            enqueueActions(({ enqueue, context }) => ids(context).forEach((id) => enqueue.stopChild(id))),
            put('ids', () => []),
          ],
        },
        'xstate.done.actor.*': { actions: noteOutcome },
      },
    })
  },
}

const supervisor: Sample = {
  name: 'a supervisor that starts a failing child again, so many times',
  events: [{ type: 'work' }, { type: 'break' }, { type: 'hire' }, { type: 'rest' }, { type: 'call' }],
  leaves: ['line'],
  machine: (world) => {
    const fragile = setup({
      types,
      actors: { line: world.promise('line') },
      actions: { act: world.act('fragile') },
    }).createMachine({
      id: 'fragile',
      context: ({ input }) => ({ ...empty, ...input }),
      initial: 'on',
      states: {
        on: {
          on: {
            call: 'calling',
            work: {
              actions: [count, 'act', sendParent(({ context }) => ({ type: 'worked', value: context.n }))],
            },
            break: {
              actions: () => {
                throw new Error('never seen: an action is at most once')
              },
              guard: ({ context }) => {
                if (context.n > 0) throw new Error('broken')
                return false
              },
            },
          },
        },
        // Not while it can throw: XState lets the leaves of a failed actor run on, unheard.
        calling: { invoke: { id: 'line', src: 'line', onDone: 'over' } },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ n: context.n }),
    })
    return setup({
      types,
      actors: { fragile },
      guards: { budget: ({ context }) => context.n < 3 },
      delays: { later: ({ context }) => 10 * context.n },
    }).createMachine({
      id: 'supervisor',
      context: empty,
      initial: 'up',
      states: {
        up: {
          invoke: {
            id: 'fragile',
            src: 'fragile',
            input: ({ context }: { context: Context }) => ({ round: context.n }),
            onError: [
              { guard: 'budget', target: 'waiting', actions: [count, noteOutcome] },
              { target: 'down', actions: noteOutcome },
            ],
            onDone: { target: 'resting', actions: noteOutcome },
          },
          on: {
            work: { actions: sendTo('fragile', { type: 'work' }) },
            break: { actions: sendTo('fragile', { type: 'break' }) },
            call: { actions: sendTo('fragile', { type: 'call' }) },
            worked: { actions: noteOutcome },
            rest: 'resting',
          },
        },
        waiting: { after: { later: 'up' } },
        resting: { on: { hire: 'up' } },
        down: {
          entry: emit({ type: 'gave up' }),
          on: { hire: { target: 'up', actions: put('n', () => 0) } },
        },
      },
    })
  },
}

runsAsInXState([pool, bank, todos, supervisor])
