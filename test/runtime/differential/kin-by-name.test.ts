/** Differential: children that know of each other, speak late, are over at birth or share a name run as in XState. */
import {
  assign,
  cancel,
  emit,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteOutcome, put, types, type Context, type Sample } from './sample.ts'

const introduced: Sample = {
  name: 'siblings that their parent introduces to each other',
  events: [{ type: 'meet' }, { type: 'talk' }, { type: 'part' }, { type: 'again' }],
  machine: (world) => {
    const person = setup({ types, actions: { act: world.act('person') } }).createMachine({
      id: 'person',
      context: ({ input }) => ({ ...empty, ...input }),
      on: {
        'this is': { actions: [put('friend', ({ event }) => event['who']), 'act'] },
        talk: {
          guard: ({ context }) => context['friend'] !== undefined,
          actions: sendTo(
            ({ context }) => context['friend'] as AnyActorRef,
            ({ context, self }) => ({ type: 'hello', by: context['name'], back: self }),
          ),
        },
        hello: {
          actions: [
            noteOutcome,
            sendTo(
              ({ event }) => event['back'] as AnyActorRef,
              ({ context }) => ({ type: 'hello yourself', by: context['name'] }),
            ),
            sendParent({ type: 'heard' }),
          ],
        },
        'hello yourself': { actions: [noteOutcome, count] },
      },
    })
    const of = (name: string) => ({ id: name, src: 'person' as const, input: { name } })
    return setup({ types, actors: { person } }).createMachine({
      id: 'introduced',
      context: empty,
      initial: 'apart',
      invoke: of('ann'),
      on: { heard: { actions: count } },
      states: {
        apart: { on: { meet: 'together' } },
        together: {
          invoke: of('bob'),
          entry: sendTo('ann', ({ self }) => ({
            type: 'this is',
            who:
              (self.getSnapshot() as { children?: Record<string, unknown> } | undefined)?.children?.[
                'none'
              ] ?? self,
          })),
          on: {
            talk: { actions: [sendTo('ann', { type: 'talk' }), sendTo('bob', { type: 'talk' })] },
            hello: {
              actions: [
                noteOutcome,
                sendTo(({ event }) => event['back'] as AnyActorRef, { type: 'hello yourself', by: 'parent' }),
              ],
            },
            again: { target: 'together', reenter: true },
            part: 'apart',
          },
        },
      },
    })
  },
}

const late: Sample = {
  name: 'a child that speaks late, unless it changes its mind or is stopped',
  events: [
    { type: 'promise' },
    { type: 'take back' },
    { type: 'stop' },
    { type: 'start' },
    { type: 'remind', ms: 30 },
  ],
  machine: (world) => {
    const speaker = setup({ types, actions: { act: world.act('speaker') } }).createMachine({
      id: 'speaker',
      context: empty,
      initial: 'quiet',
      entry: sendParent({ type: 'said', by: 'entry' }, { delay: 20 }),
      on: { 'take back': { actions: [cancel('word'), 'act'] } },
      states: {
        quiet: {
          on: {
            promise: {
              target: 'promised',
              // Of two under one name XState would forget the first one, and deliver it when the child is gone.
              actions: [
                cancel('word'),
                sendParent(({ context }) => ({ type: 'said', by: context.n }), { delay: 40, id: 'word' }),
              ],
            },
          },
        },
        promised: { entry: count, after: { 30: { target: 'quiet', actions: 'act' } } },
      },
    })
    return setup({ types, actors: { speaker } }).createMachine({
      id: 'late',
      context: empty,
      initial: 'on',
      on: { said: { actions: noteOutcome } },
      states: {
        on: {
          invoke: { id: 'speaker', src: 'speaker' },
          on: {
            promise: { actions: sendTo('speaker', { type: 'promise' }) },
            'take back': { actions: sendTo('speaker', { type: 'take back' }) },
            remind: { actions: sendTo('speaker', { type: 'promise' }, { delay: 30, id: 'reminder' }) },
            stop: { target: 'off', actions: cancel('reminder') },
          },
        },
        off: { on: { start: 'on' } },
      },
    })
  },
}

const stillborn: Sample = {
  name: 'children that are over when they are born, and theirs',
  events: [
    { type: 'go', n: 0 },
    { type: 'go', n: 1 },
    { type: 'go', n: 2 },
  ],
  machine: (world) => {
    const last = setup({ types, actions: { act: world.act('last') } }).createMachine({
      id: 'last',
      context: empty,
      initial: 'over',
      states: { over: { type: 'final', entry: 'act' } },
      output: 'last words',
    })
    const middle = setup({ types, actors: { last }, actions: { act: world.act('middle') } }).createMachine({
      id: 'middle',
      context: ({ input }) => ({ ...empty, ...input }),
      initial: 'choosing',
      states: {
        choosing: {
          always: [
            { guard: ({ context }) => context['of'] === 0, target: 'over' },
            { guard: ({ context }) => context['of'] === 1, target: 'waiting' },
            {
              target: 'over',
              actions: assign(() => {
                throw new Error('born to fail')
              }),
            },
          ],
        },
        waiting: {
          invoke: {
            id: 'last',
            src: 'last',
            onDone: { target: 'over', actions: [put('heard', ({ event }) => event['output']), 'act'] },
          },
        },
        over: { type: 'final' },
      },
      output: ({ context }) => ({ heard: context['heard'] ?? null }),
    })
    return setup({ types, actors: { middle } }).createMachine({
      id: 'stillborn',
      context: empty,
      initial: 'idle',
      states: {
        idle: { on: { go: { target: 'busy', actions: put('of', ({ event }) => event['n']) } } },
        busy: {
          invoke: {
            id: 'middle',
            src: 'middle',
            input: ({ context }: { context: Context }) => ({ of: context['of'] }),
            onDone: { target: 'idle', actions: [noteOutcome, count] },
            onError: { target: 'idle', actions: noteOutcome },
          },
        },
      },
    })
  },
}

const sameName: Sample = {
  name: 'children that follow one another under one id and one system id',
  events: [{ type: 'next' }, { type: 'ping' }, { type: 'off' }, { type: 'on' }],
  machine: (world) => {
    const child = (name: string) =>
      setup({ types, actions: { act: world.act(name) } }).createMachine({
        id: name,
        context: { ...empty, name },
        exit: 'act',
        on: {
          ping: {
            actions: [
              count,
              'act',
              sendParent(({ context }) => ({ type: 'pong', by: name, value: context.n })),
            ],
          },
        },
      })
    const on = (src: 'a' | 'b', next: string) => ({
      invoke: { id: 'service', src, systemId: 'service' },
      on: { next, off: 'off' },
    })
    return setup({ types, actors: { a: child('a'), b: child('b') } }).createMachine({
      id: 'same-name',
      context: empty,
      initial: 'a',
      on: {
        ping: {
          guard: ({ context }) => context['off'] !== true,
          actions: sendTo(({ system }) => system.get('service') as AnyActorRef, { type: 'ping' }),
        },
        pong: { actions: noteOutcome },
      },
      states: {
        a: on('a', 'b'),
        b: on('b', 'a'),
        off: { entry: put('off', () => true), exit: put('off', () => false), on: { on: 'b' } },
      },
    })
  },
}

const tallies: Sample = {
  name: 'transition functions that are spawned, watched and stopped',
  events: [
    { type: 'new' },
    { type: 'add', by: 1 },
    { type: 'add', by: 2 },
    { type: 'stop' },
    { type: 'emit' },
  ],
  machine: (world) => {
    const tally = fromTransition(
      (state: { n: number }, event: AnyEventObject, { emit: tell }) => {
        if (event.type === 'emit') tell({ type: 'told' })
        return event.type === 'add' ? { n: state.n + event['by'] } : state
      },
      { n: 0 },
    )
    return setup({ types, actors: { tally }, actions: { act: world.act('parent') } }).createMachine({
      id: 'tallies',
      context: { ...empty, shown: [] },
      initial: 'off',
      states: {
        off: {
          on: { new: { target: 'on', actions: spawnChild('tally', { id: 'tally', syncSnapshot: true }) } },
        },
        on: {
          on: {
            add: { actions: sendTo('tally', ({ event }) => event) },
            emit: { actions: sendTo('tally', { type: 'emit' }) },
            stop: { target: 'off', actions: stopChild('tally') },
            'xstate.snapshot.tally': {
              actions: [
                put('shown', ({ context, event }) => [
                  ...(context['shown'] as unknown[]).slice(-5),
                  (event['snapshot'] as { context: unknown }).context,
                ]),
                'act',
              ],
            },
          },
        },
      },
    })
  },
}

const anyError: Sample = {
  name: 'errors and ends of many children, caught by a wildcard',
  events: [{ type: 'new' }, { type: 'break' }, { type: 'end' }, { type: 'quit' }],
  machine: (world) => {
    const child = setup({ types, actions: { act: world.act('child') } }).createMachine({
      id: 'child',
      context: ({ input }) => ({ ...empty, ...input }),
      initial: 'on',
      states: {
        on: {
          on: {
            break: {
              actions: assign(() => {
                throw new Error('as it was told')
              }),
            },
            end: 'over',
          },
        },
        over: { type: 'final', entry: ['act', emit({ type: 'over' })] },
      },
      output: ({ context }) => context['name'],
    })
    return setup({ types, actors: { child }, actions: { act: world.act('parent') } }).createMachine({
      id: 'any-error',
      context: { ...empty, live: [] },
      initial: 'on',
      states: {
        on: {
          on: {
            new: {
              guard: ({ context }) => context.n < 5,
              actions: [
                spawnChild('child', {
                  id: ({ context }) => `c${context.n}`,
                  input: ({ context }: { context: Context }) => ({ name: `c${context.n}` }),
                }),
                put('live', ({ context }) => [...(context['live'] as string[]), `c${context.n}`]),
                count,
              ],
            },
            break: {
              guard: ({ context }) => (context['live'] as string[]).length > 0,
              actions: sendTo(({ context }) => (context['live'] as string[])[0] as string, { type: 'break' }),
            },
            end: {
              guard: ({ context }) => (context['live'] as string[]).length > 0,
              actions: sendTo(({ context }) => (context['live'] as string[])[0] as string, { type: 'end' }),
            },
            'xstate.error.actor.*': {
              actions: [
                noteOutcome,
                put('live', ({ context }) => (context['live'] as string[]).slice(1)),
                note('error'),
              ],
            },
            'xstate.done.actor.*': {
              actions: [
                noteOutcome,
                put('live', ({ context }) => (context['live'] as string[]).slice(1)),
                'act',
              ],
            },
            quit: 'off',
          },
        },
        off: { type: 'final', entry: 'act' },
      },
    })
  },
}

runsAsInXState([introduced, late, stillborn, sameName, tallies, anyError])
