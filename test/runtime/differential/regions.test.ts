/** Differential: parallel states within one another, several targets at once and their history run as in XState. */
import { and, emit, not, raise, setup, stateIn } from 'xstate'
import { runsAsInXState } from './compare.ts'
import { count, empty, note, noteEvent, put, types, type Sample } from './sample.ts'

const targets: Sample = {
  name: 'transitions with several targets, into regions of regions',
  events: [
    { type: 'both' },
    { type: 'left' },
    { type: 'deep' },
    { type: 'reset' },
    { type: 'away' },
    { type: 'back' },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'targets',
      context: empty,
      initial: 'here',
      states: {
        here: {
          type: 'parallel',
          entry: note('here'),
          exit: note('not here'),
          on: {
            both: { target: ['.l.two', '.r.inner.y.on'], actions: count },
            reset: { target: 'here', reenter: true },
            away: 'there',
          },
          states: {
            l: {
              initial: 'one',
              states: { one: { on: { left: 'two' }, exit: note('one left') }, two: { on: { left: 'one' } } },
            },
            r: {
              initial: 'outer',
              states: {
                outer: { on: { deep: 'inner' } },
                inner: {
                  type: 'parallel',
                  states: {
                    x: {
                      initial: 'off',
                      states: { off: { on: { deep: 'on' } }, on: { on: { left: 'off' } } },
                    },
                    y: {
                      initial: 'off',
                      states: { off: {}, on: { on: { deep: 'off' }, entry: note('y on') } },
                    },
                  },
                },
              },
            },
            was: { type: 'history', history: 'deep' },
          },
        },
        there: {
          on: {
            back: '#targets.here.was',
            both: { target: ['#targets.here.l.two', '#targets.here.r.inner.x.on'] },
          },
        },
      },
    }),
}

const rootRegions: Sample = {
  name: 'a machine that is parallel itself, and over when every region is',
  events: [{ type: 'a' }, { type: 'b' }, { type: 'c' }, { type: 'undo' }, { type: 'tick' }],
  machine: (world) =>
    setup({ types, actions: { tell: world.act('tell') } }).createMachine({
      id: 'root-regions',
      context: empty,
      type: 'parallel',
      on: { tick: { actions: count }, '*': { actions: noteEvent } },
      states: {
        a: {
          initial: 'no',
          states: { no: { on: { a: 'yes' } }, yes: { type: 'final', entry: 'tell', output: 'A' } },
          onDone: { actions: note('a done') },
        },
        b: {
          initial: 'no',
          states: {
            no: { on: { b: { target: 'half', actions: raise({ type: 'half' }) } } },
            half: { on: { b: 'yes', undo: 'no' }, after: { 30: 'no' } },
            yes: { type: 'final', output: ({ context }) => context.n },
          },
          onDone: { actions: [note('b done'), emit({ type: 'b.done' })] },
        },
        c: { initial: 'no', states: { no: { on: { c: 'yes' } }, yes: { type: 'final', entry: 'tell' } } },
      },
      output: ({ context }) => ({ seen: context.seen.length, n: context.n }),
    }),
}

const conflicting: Sample = {
  name: 'regions that want the same event, inner before outer',
  events: [
    { type: 'hit' },
    { type: 'outer' },
    { type: 'swap' },
    { type: 'only', n: 1 },
    { type: 'only', n: 2 },
  ],
  machine: () =>
    setup({ types }).createMachine({
      id: 'conflicting',
      context: empty,
      initial: 'p',
      states: {
        p: {
          type: 'parallel',
          on: { hit: { target: 'q', actions: note('outer hit') }, outer: 'q' },
          states: {
            one: {
              initial: 'a',
              states: {
                a: {
                  on: {
                    hit: { target: 'b', actions: note('one a hit') },
                    only: { guard: ({ event }) => event['n'] === 1, target: 'b' },
                  },
                },
                b: {
                  on: { swap: 'a' },
                  always: {
                    guard: stateIn({ p: { two: 'd' } }) as never,
                    actions: note('d seen'),
                    target: 'c',
                  },
                },
                c: { on: { hit: {}, swap: 'a' } },
              },
            },
            two: {
              initial: 'a',
              states: {
                a: {
                  on: {
                    hit: { actions: [note('two a hit'), count] },
                    swap: 'd',
                    only: { target: 'd', guard: ({ context }) => context.n > 1 },
                  },
                },
                d: {
                  on: {
                    swap: {
                      guard: and([not(stateIn({ p: { one: 'b' } })), () => true]) as never,
                      target: 'a',
                    },
                  },
                },
              },
            },
          },
        },
        q: { on: { hit: 'p', swap: { target: 'p', actions: put('n', () => 0) } } },
      },
    }),
}

const player: Sample = {
  name: 'a media player: tracks, volume and a sleep timer',
  events: [
    { type: 'play' },
    { type: 'pause' },
    { type: 'stop' },
    { type: 'next' },
    { type: 'louder' },
    { type: 'mute' },
    { type: 'sleep' },
    { type: 'wake' },
  ],
  machine: () =>
    setup({
      types,
      guards: { more: ({ context }) => context.n < 3, loud: ({ context }) => Number(context['volume']) > 2 },
      delays: { track: ({ context }) => 30 + 10 * context.n },
    }).createMachine({
      id: 'player',
      context: { ...empty, volume: 1 },
      type: 'parallel',
      states: {
        track: {
          initial: 'stopped',
          on: { stop: '.stopped' },
          states: {
            stopped: { entry: put('n', () => 0), on: { play: 'playing' } },
            playing: {
              tags: ['sounding'],
              after: {
                track: [
                  {
                    guard: 'more',
                    target: 'playing',
                    reenter: true,
                    actions: [count, emit({ type: 'track.next' })],
                  },
                  { target: 'stopped', actions: emit({ type: 'ended' }) },
                ],
              },
              on: {
                pause: 'paused',
                next: { guard: 'more', target: 'playing', reenter: true, actions: count },
              },
            },
            paused: { on: { play: 'playing', pause: 'playing' } },
          },
        },
        volume: {
          initial: 'on',
          states: {
            on: {
              on: {
                louder: [
                  { guard: 'loud', actions: note('loud enough') },
                  { actions: put('volume', ({ context }) => Number(context['volume']) + 1) },
                ],
                mute: 'muted',
              },
            },
            muted: { on: { mute: 'on', louder: 'on' } },
          },
        },
        sleep: {
          initial: 'off',
          states: {
            off: { on: { sleep: 'on' } },
            on: {
              on: { sleep: 'off', wake: 'off' },
              after: { 70: { target: 'off', actions: raise({ type: 'stop' }) } },
            },
          },
        },
      },
    }),
}

runsAsInXState([targets, rootRegions, conflicting, player])
