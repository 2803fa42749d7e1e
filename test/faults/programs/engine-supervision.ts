/**
 * Runs teams whose workers crash on demand, under each way of supervision; made to be killed at any moment.
 *
 * Arguments: the folder, a seed, and `run` to go on for ever or `check` to recover and end. Each start of a leaf is a
 * line in `starts.log`, outside of the event log. Output: `open`, then `sent <team> <version>` for what was
 * acknowledged and `revived <team>`; `check` ends with one line of JSON.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { assign, fromPromise, sendParent, sendTo, setup, type AnyEventObject } from 'xstate'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { createEngine } from '../../../src/runtime/engine.ts'
import { withPolicies } from '../../../src/runtime/policies.ts'
import { note } from '../ledger.ts'

const [folder = '', seed = '1', mode = 'run'] = process.argv.slice(2)

let state = Math.imul(Number(seed), 7919)
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return (state >>> 8) % below
}

const types = { context: {} as { n: number; name: string }, events: {} as AnyEventObject }

const worker = setup({ types }).createMachine({
  id: 'worker',
  context: ({ input }) => ({ n: 0, name: (input as { name: string }).name }),
  on: {
    add: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendParent({ type: 'added' })] },
    crash: {
      actions: assign(({ context }) => {
        throw new Error(`${context.name} broke`)
      }),
    },
  },
})

const leaf = fromPromise<never, { team: string }>(({ input }) => {
  note(join(folder, 'starts.log'), `${process.pid} ${input.team}`)
  return new Promise(() => {})
})

const team = (id: string) =>
  setup({ types, actors: { worker, leaf } }).createMachine({
    id,
    context: { n: 0, name: id },
    invoke: [
      { src: 'worker', id: 'a', input: { name: 'a' } },
      { src: 'worker', id: 'b', input: { name: 'b' } },
      { src: 'leaf', id: 'leaf', input: { team: id } },
    ],
    on: {
      to: {
        actions: sendTo(
          ({ event }) => event['name'] as never,
          ({ event }) => ({ type: event['what'] as string }) as never,
        ),
      },
      added: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    },
  })

const alone = team('alone')
const together = team('together')
const actors = { worker: { onCrash: 'restart' as const, budget: { max: 3, withinMs: 400 } } }

const store = await openLevelEventStore({ path: join(folder, 'log') })
const errors: string[] = []
const engine = await createEngine({
  store,
  clock: systemClock,
  machines: [withPolicies(alone, { actors }), withPolicies(together, { actors, strategy: 'all-for-one' })],
  onError: (error) => errors.push(String((error as { code?: string }).code)),
})
const parkedAtOpen: string[] = []
await engine.recover()
parkedAtOpen.push(...engine.parked.map(({ id }) => id))

const teams = [alone, together]
if (mode === 'check') await check()
else await run()

async function run(): Promise<never> {
  writeSync(1, 'open\n')
  const drive = async (machine: (typeof teams)[number]): Promise<never> => {
    const id = `${machine.id}-1`
    const actor = await engine.spawn(machine, { id })
    for (;;) {
      if (actor.getSnapshot().status === 'error') {
        await sleep(random(15))
        if ((await engine.revive(id)).accepted) writeSync(1, `revived ${id}\n`)
        continue
      }
      const what = random(5) === 0 ? 'crash' : 'add'
      const { accepted, version } = await actor.send({ type: 'to', name: random(2) === 0 ? 'a' : 'b', what })
      if (accepted) writeSync(1, `sent ${id} ${version}\n`)
      await sleep(random(25))
    }
  }
  return Promise.race(teams.map(drive))
}

/** What there is after all the kills: each team is parked or at work, and one at work has all its children. */
async function check(): Promise<void> {
  const found: object[] = []
  for (const machine of teams) {
    const actor = await engine.get(machine, `${machine.id}-1`)
    if (actor === undefined) throw new Error(`${machine.id} is not there`)
    const { status } = actor.getSnapshot()
    if (status === 'error') await engine.revive(actor.id)
    const before = actor.getSnapshot().context.n
    for (const name of ['a', 'b']) await actor.send({ type: 'to', name, what: 'add' })
    const deadline = Date.now() + 10_000
    while (actor.getSnapshot().context.n < before + 2) {
      if (Date.now() > deadline) throw new Error(`${machine.id} does not work`)
      await sleep(2)
    }
    found.push({ id: actor.id, wasParked: parkedAtOpen.includes(actor.id), wasInError: status === 'error' })
  }
  const { parked } = engine
  await engine.close()
  const { ok } = await store.verify()
  await store.close()
  writeSync(1, `${JSON.stringify({ ok, found, parked, errors })}\n`)
}
