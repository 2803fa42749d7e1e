/**
 * Runs parents with children that count together, and mail between families; made to be killed at any moment.
 *
 * Arguments: the folder, and `run` to go on for ever or `check` to recover and end. Output: `open`, then `sent <n>`
 * for what was acknowledged; `check` ends with one line of JSON.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  assign,
  enqueueActions,
  sendParent,
  sendTo,
  setup,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { createEngine } from '../../../src/runtime/engine.ts'

const [folder = '', mode = 'run'] = process.argv.slice(2)
const PARENTS = 3

type Context = { n: number; rounds: number; heard: number; sent: number; last: number; ordered: boolean }
const empty: Context = { n: 0, rounds: 0, heard: 0, sent: 0, last: 0, ordered: true }
const types = { context: {} as Context, events: {} as AnyEventObject }

const child = setup({ types }).createMachine({
  id: 'child',
  context: empty,
  on: {
    add: {
      actions: [
        assign({ n: ({ context }) => context.n + 1 }),
        sendParent(({ context }) => ({ type: 'counted', n: context.n })),
      ],
    },
  },
})

const parent = setup({ types, actors: { child } }).createMachine({
  id: 'parent',
  context: empty,
  initial: 'on',
  states: {
    on: {
      entry: assign({ n: 0, rounds: ({ context }) => context.rounds + 1 }),
      invoke: { id: 'child', src: 'child' },
      on: {
        add: {
          actions: [
            assign({ sent: ({ context }) => context.sent + 1 }),
            sendTo('child', { type: 'add' }),
            sendTo(
              ({ event }) => event['whom'] as AnyActorRef,
              ({ context }) => ({ type: 'mail', n: context.sent }),
            ),
          ],
        },
        counted: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            enqueueActions(({ context, event, enqueue }) => {
              // Both count the same, always.
              if (event['n'] !== context.n) enqueue.assign({ ordered: false })
            }),
          ],
        },
        renew: { target: 'on', reenter: true },
      },
    },
  },
  on: {
    mail: {
      actions: assign(({ context, event }) => ({
        heard: context.heard + 1,
        last: event['n'] as number,
        ordered: context.ordered && event['n'] === context.last + 1,
      })),
    },
  },
})

const store = await openLevelEventStore({ path: join(folder, 'log') })
const errors: string[] = []
const engine = await createEngine({
  store,
  clock: systemClock,
  machines: [parent],
  onError: (error) => errors.push(String(error)),
})
await engine.recover()
const actors = await Promise.all(
  Array.from({ length: PARENTS }, (_, index) => engine.spawn(parent, { id: `parent-${index}` })),
)

if (mode === 'check') await check()
else await run()

async function run(): Promise<never> {
  writeSync(1, 'open\n')
  const drive = async (index: number): Promise<never> => {
    const actor = actors[index]
    const whom = actors[(index + 1) % PARENTS]
    for (let n = 1; ; n += 1) {
      const { version } = (await actor?.send({ type: 'add', whom })) ?? { version: 0 }
      writeSync(1, `sent ${index} ${version}\n`)
      if (n % 7 === 0) await actor?.send({ type: 'renew' })
    }
  }
  return Promise.race(actors.map((_, index) => drive(index)))
}

/** Waits until all mail has come, then says what is there. */
async function check(): Promise<void> {
  const contexts = (): Context[] => actors.map((actor) => actor.getSnapshot().context)
  const deadline = Date.now() + 10_000
  while (contexts().some(({ heard }, i) => heard !== contexts()[(i + PARENTS - 1) % PARENTS]?.sent)) {
    if (Date.now() > deadline) throw new Error(`mail is missing: ${JSON.stringify(contexts())}`)
    await sleep(2)
  }
  const children: number[] = []
  for (const actor of actors) {
    const own = await engine.find(actor.getSnapshot().children['child']?.sessionId ?? '')
    if (own === undefined) throw new Error(`${actor.id} has no child`)
    children.push((own.actor.getSnapshot().context as Context).n)
  }
  const { parked } = engine
  const dead = await engine.deadLetters()
  const parents = contexts()
  await engine.close()
  const { ok } = await store.verify()
  await store.close()
  writeSync(1, `${JSON.stringify({ ok, parents, children, parked, dead, errors })}\n`)
}
