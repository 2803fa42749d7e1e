/** Differential: games, wizards and bids, where the context decides, run as in XState. */
import { assign, emit, enqueueActions, raise, setup } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, put, types, type Context, type Sample } from './sample.ts'

const LINES = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
]
const board = (context: Context): string[] => context['board'] as string[]
const turnOf = (context: Context): string => (context.n % 2 === 0 ? 'x' : 'o')

const ticTacToe: Sample = {
  name: 'tic-tac-toe',
  events: [
    ...Array.from({ length: 9 }, (_, at) => ({ type: 'play', at })),
    { type: 'reset' },
    { type: 'undo' },
  ],
  machine: () =>
    setup({
      types,
      guards: {
        free: ({ context, event }) => board(context)[event['at'] as number] === '',
        won: ({ context }) =>
          LINES.some((line) => ['x', 'o'].some((who) => line.every((at) => board(context)[at] === who))),
        full: ({ context }) => context.n === 9,
      },
      actions: {
        place: assign(({ context, event }) => ({
          board: board(context).with(event['at'] as number, turnOf(context)),
          moves: [...(context['moves'] as number[]), event['at'] as number],
          n: context.n + 1,
        })),
        takeBack: assign(({ context }) => ({
          board: board(context).with((context['moves'] as number[]).at(-1) ?? 0, ''),
          moves: (context['moves'] as number[]).slice(0, -1),
          n: context.n - 1,
        })),
      },
    }).createMachine({
      id: 'tic-tac-toe',
      context: { ...empty, board: Array(9).fill(''), moves: [] },
      initial: 'playing',
      states: {
        playing: {
          always: [
            { guard: 'won', target: 'over.won' },
            { guard: 'full', target: 'over.drawn' },
          ],
          on: {
            play: [
              {
                guard: 'free',
                actions: ['place', emit(({ context }) => ({ type: 'placed', by: context.n }))],
              },
              { actions: note('taken') },
            ],
            undo: { guard: ({ context }) => context.n > 0, actions: 'takeBack' },
          },
        },
        over: { initial: 'drawn', states: { won: { tags: 'winner' }, drawn: { tags: 'draw' } } },
      },
      on: {
        reset: {
          target: '.playing',
          actions: assign({ board: Array(9).fill(''), moves: [], n: 0 }),
        },
      },
    }),
}

const wizard: Sample = {
  name: 'a wizard with branches, help from anywhere and a way back',
  events: [
    { type: 'next' },
    { type: 'back' },
    { type: 'help' },
    { type: 'close' },
    { type: 'set', company: true },
    { type: 'set', company: false },
    { type: 'save' },
  ],
  leaves: ['save'],
  machine: (world) =>
    setup({
      types,
      actors: { save: world.promise('save') },
      guards: {
        company: ({ context }) => context['company'] === true,
        chosen: ({ context }) => context['company'] !== undefined,
      },
    }).createMachine({
      id: 'wizard',
      context: empty,
      initial: 'form',
      states: {
        form: {
          initial: 'kind',
          on: {
            help: 'help',
            save: 'saving',
            set: { actions: put('company', ({ event }) => event['company']) },
          },
          states: {
            kind: {
              on: {
                next: [
                  { guard: 'company', target: 'company' },
                  { guard: 'chosen', target: 'person' },
                  { actions: emit({ type: 'choose.first' }) },
                ],
              },
            },
            company: {
              initial: 'name',
              states: {
                name: { on: { next: 'vat' } },
                vat: { on: { back: 'name', next: 'done' } },
                done: { type: 'final' },
              },
              onDone: 'summary',
              on: { back: 'kind' },
            },
            person: { on: { back: 'kind', next: 'summary' } },
            summary: {
              on: { back: [{ guard: 'company', target: 'company' }, { target: 'person' }] },
              entry: count,
            },
            was: { type: 'history', history: 'deep' },
          },
        },
        help: { on: { close: 'form.was', help: { actions: note('still help') } }, after: { 80: 'form.was' } },
        saving: {
          invoke: {
            id: 'save',
            src: 'save',
            onDone: 'saved',
            onError: { target: 'form.was', actions: note('not saved') },
          },
        },
        saved: { type: 'final' },
      },
    }),
}

const auction: Sample = {
  name: 'an auction that late bids prolong',
  events: [
    { type: 'open' },
    { type: 'bid', by: 'ann', amount: 5 },
    { type: 'bid', by: 'bob', amount: 6 },
    { type: 'bid', by: 'cy', amount: 20 },
    { type: 'withdraw', by: 'bob' },
  ],
  machine: (world) =>
    setup({
      types,
      actions: { strike: world.act('strike') },
      guards: {
        higher: ({ context, event }) => event['amount'] > context.n && event['by'] !== context['leader'],
        leads: ({ context, event }) => event['by'] === context['leader'],
      },
    }).createMachine({
      id: 'auction',
      context: { ...empty, leader: null },
      initial: 'announced',
      states: {
        announced: { on: { open: 'open' } },
        open: {
          initial: 'quiet',
          on: {
            bid: [
              {
                guard: 'higher',
                target: '.quiet',
                reenter: true,
                actions: [
                  assign(({ event }) => ({ n: event['amount'] as number, leader: event['by'] as string })),
                  emit(({ event }) => ({ type: 'leads', by: event['by'] })),
                ],
              },
              { actions: note('too low') },
            ],
            withdraw: { guard: 'leads', actions: [put('leader', () => null), raise({ type: 'reopened' })] },
            reopened: { target: '.quiet', reenter: true },
          },
          states: {
            quiet: { after: { 40: 'once' } },
            once: { entry: 'strike', after: { 20: 'twice' } },
            twice: {
              entry: 'strike',
              after: {
                20: [
                  { guard: ({ context }) => context['leader'] === null, target: '#auction.unsold' },
                  { target: '#auction.sold' },
                ],
              },
            },
          },
        },
        sold: { type: 'final', entry: ['strike', emit({ type: 'sold' })] },
        unsold: { type: 'final' },
      },
      output: ({ context }) => ({ to: context['leader'], at: context.n }),
    }),
}

const undoable: Sample = {
  name: 'an editor that undoes and redoes, and saves by itself',
  events: [{ type: 'write', text: 'a' }, { type: 'write', text: 'bc' }, { type: 'undo' }, { type: 'redo' }],
  leaves: ['store'],
  machine: (world) => {
    const list = (context: Context, name: string): string[] => (context[name] ?? []) as string[]
    return setup({
      types,
      actors: { store: world.promise('store') },
    }).createMachine({
      id: 'editor',
      context: { ...empty, text: '', past: [], future: [] },
      type: 'parallel',
      states: {
        text: {
          on: {
            write: {
              actions: [
                assign(({ context, event }) => ({
                  past: [...list(context, 'past'), context['text']],
                  text: `${String(context['text'])}${event['text']}`.slice(-9),
                  future: [],
                })),
                raise({ type: 'changed' }),
              ],
            },
            undo: {
              guard: ({ context }) => list(context, 'past').length > 0,
              actions: enqueueActions(({ enqueue, context }) => {
                enqueue.assign({
                  text: list(context, 'past').at(-1),
                  past: list(context, 'past').slice(0, -1),
                  future: [context['text'], ...list(context, 'future')],
                })
                enqueue.raise({ type: 'changed' })
              }),
            },
            redo: {
              guard: ({ context }) => list(context, 'future').length > 0,
              actions: enqueueActions(({ enqueue, context }) => {
                enqueue.assign({
                  text: list(context, 'future')[0],
                  future: list(context, 'future').slice(1),
                  past: [...list(context, 'past'), context['text']],
                })
                enqueue.raise({ type: 'changed' })
              }),
            },
          },
        },
        disk: {
          initial: 'clean',
          states: {
            clean: { on: { changed: 'dirty' } },
            dirty: { after: { 30: 'saving' }, on: { changed: { target: 'dirty', reenter: true } } },
            saving: {
              invoke: {
                id: 'store',
                src: 'store',
                input: ({ context }: { context: Context }) => ({ name: 'store', text: context['text'] }),
                onDone: { target: 'clean', actions: [count, emit({ type: 'saved' })] },
                onError: 'dirty',
              },
              on: { changed: 'dirty' },
            },
          },
        },
      },
    })
  },
}

runsAsInXState([ticTacToe, wizard, auction, undoable])
