/** Differential: children held by reference, in regions, re-entered, run as in XState. */
import { assign, sendTo, setup, stopChild, sendParent, type AnyActorRef } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteOutcome, types, type Context, type Sample } from './sample.ts'

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
      on: { hello: { actions: note('hello') }, 'heard.*': { actions: [noteOutcome, 'act'] } },
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
        'i.am': { actions: [noteOutcome, 'act'] },
        'xstate.done.actor.*': { actions: [noteOutcome, 'act'] },
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
            onDone: { target: 'off', actions: noteOutcome as never },
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
            ready: { actions: noteOutcome },
            close: 'closed',
          },
          onDone: 'closed',
        },
        closed: { on: { open: 'open' } },
      },
    })
  },
}

runsAsInXState([reentered, spawnedList, regions])
