/**
 * Runs durable actors and says on standard output what was acknowledged; made to be killed at any moment.
 *
 * Arguments: the folder, a seed, `run` to go on for ever or `check` to finish what is owed and end. Each execution of
 * a step is a line in `executions.log`, outside of the event log: `<actor> <job> <key> begun|ended`.
 * Output: `open`, then `<actor> <version> <n>` for each acknowledged event. `check` ends with one line of JSON.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { assign, fromPromise, setup } from 'xstate'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { createEngine } from '../../../src/runtime/engine.ts'
import { note } from '../ledger.ts'

const [folder = '', seed = '1', mode = 'run'] = process.argv.slice(2)
const ACTORS = 4

/** A small generator, so that a run can be repeated. */
const randomFrom = (start: number): ((below: number) => number) => {
  let state = start
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) % below
  }
}
const random = randomFrom(Number(seed) * 7919)

const ledger = (line: string): void => note(join(folder, 'executions.log'), line)

type Job = { readonly actor: string; readonly job: number }

const machine = setup({
  types: {
    context: {} as { actor: string; n: number; jobs: number; done: number; ticks: number },
    events: {} as { type: 'add'; by: number } | { type: 'refused' },
    input: {} as { actor: string },
  },
  actors: {
    work: fromPromise<number, Job>(async ({ input: { actor, job }, signal }) => {
      ledger(`${actor} ${job} begun`)
      await sleep(random(8), undefined, { signal })
      ledger(`${actor} ${job} ended`)
      return job
    }),
  },
  guards: { never: () => false },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ actor: input.actor, n: 0, jobs: 0, done: 0, ticks: 0 }),
  type: 'parallel',
  on: {
    add: { actions: assign({ n: ({ context, event }) => context.n + event.by }) },
    refused: { guard: 'never', actions: assign({ n: -1 }) },
  },
  states: {
    // One job after the other, for ever.
    working: {
      initial: 'busy',
      states: {
        busy: {
          entry: assign({ jobs: ({ context }) => context.jobs + 1 }),
          invoke: {
            id: 'work',
            src: 'work',
            input: ({ context }) => ({ actor: context.actor, job: context.jobs }),
            onDone: { target: 'busy', reenter: true, actions: assign({ done: ({ event }) => event.output }) },
          },
        },
      },
    },
    ticking: {
      initial: 'on',
      states: {
        on: {
          after: {
            5: {
              target: 'on',
              reenter: true,
              actions: assign({ ticks: ({ context }) => context.ticks + 1 }),
            },
          },
        },
      },
    },
  },
})

const store = await openLevelEventStore({ path: join(folder, 'log') })
const errors: string[] = []
const engine = await createEngine({
  store,
  clock: systemClock,
  machines: [machine],
  onError: (error) => errors.push(String(error)),
})

if (mode === 'check') await check()
else await run()

async function run(): Promise<never> {
  await engine.recover()
  writeSync(1, 'open\n')
  const drive = async (index: number): Promise<never> => {
    const id = `actor-${index}`
    const actor = await engine.spawn(machine, { id, input: { actor: id } })
    for (;;) {
      // Several in flight at once; each acknowledged as it comes.
      const sent = Array.from({ length: 1 + random(4) }, async () => {
        const by = 1 + random(9)
        const { version } = await actor.send({ type: 'add', by })
        writeSync(1, `${id} ${version} ${by}\n`)
      })
      if (random(5) === 0) await actor.send({ type: 'refused' })
      await Promise.all(sent)
    }
  }
  return Promise.race(Array.from({ length: ACTORS }, (_, index) => drive(index)))
}

/** Waits until each actor has finished the job that it owed and had a tick, then says what is there. */
async function check(): Promise<void> {
  await engine.recover()
  const actors: Record<string, unknown> = {}
  for await (const { stream_id, version } of store.heads('actor-')) {
    if (stream_id.endsWith('~refused')) continue
    const actor = await engine.get(machine, stream_id)
    if (actor === undefined) continue
    const { done, ticks } = actor.getSnapshot().context
    const deadline = Date.now() + 10_000
    for (;;) {
      const now = actor.getSnapshot().context
      if (now.done > done && now.ticks > ticks) break
      if (Date.now() > deadline)
        throw new Error(`${stream_id} is stuck at job ${now.done}, tick ${now.ticks}`)
      await sleep(2)
    }
    actors[stream_id] = { version, context: actor.getSnapshot().context }
  }
  const { parked } = engine
  await engine.close()
  const { ok } = await store.verify()
  await store.close()
  writeSync(1, `${JSON.stringify({ ok, actors, parked, errors })}\n`)
}
