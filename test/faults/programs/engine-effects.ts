/**
 * Runs actors whose actions are owed, under each policy, and says what was acknowledged; made to be killed at any moment.
 *
 * Arguments: the folder, a seed, `run` to go on for ever or `check` to finish what is owed and end. Each execution is
 * two lines in `executions.log`, outside of the event log: `<action> <key> begun`, then `<action> <key> ended`; the
 * second one is what the world remembers. `check` ends with one line of JSON.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setup } from 'xstate'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { createEngine } from '../../../src/runtime/engine.ts'
import { effectOf, withPolicies } from '../../../src/runtime/policies.ts'
import { note, notesIn } from '../ledger.ts'

const [folder = '', seed = '1', mode = 'run'] = process.argv.slice(2)
const ACTORS = 3

let state = Math.imul(Number(seed), 7919)
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return (state >>> 8) % below
}

const ledger = join(folder, 'executions.log')

const touch =
  (action: string) =>
  async (args: object): Promise<void> => {
    const { key, signal } = effectOf(args) ?? { key: 'none', signal: undefined }
    note(ledger, `${action} ${key} begun`)
    await sleep(random(6), undefined, signal && { signal })
    // Some attempts fail, before or after they have done it. Nobody is to be asked about those.
    if (action !== 'asked' && random(8) === 0) throw new Error('failed before')
    note(ledger, `${action} ${key} ended`)
    if (action !== 'asked' && random(8) === 0) throw new Error('failed after')
  }

const machine = setup({
  types: { events: {} as { type: 'go' } },
  // oxlint-disable-next-line typescript/no-misused-promises -- an owed action may be async
  actions: { retried: touch('retried'), verified: touch('verified'), asked: touch('asked') },
}).createMachine({ id: 'worker', on: { go: { actions: ['retried', 'verified', 'asked'] } } })

const retries = { attempts: 30, delayMs: 2, maxDelayMs: 10 }
const registered = withPolicies(machine, {
  effects: {
    retried: { retries },
    verified: {
      policy: 'verify',
      retries,
      verify: ({ effect }) => ({
        happened: notesIn(ledger).includes(`verified ${effect.key} ended`),
      }),
    },
    asked: { policy: 'ask' },
  },
})

const store = await openLevelEventStore({ path: join(folder, 'log') })
const errors: string[] = []
const engine = await createEngine({
  store,
  clock: systemClock,
  machines: [registered],
  onError: (error) => errors.push(String(error)),
})
await engine.recover()

if (mode === 'check') await check()
else await run()

async function run(): Promise<never> {
  writeSync(1, 'open\n')
  const drive = async (index: number): Promise<never> => {
    const id = `worker-${index}`
    const actor = await engine.spawn(machine, { id })
    for (;;) {
      const { version } = await actor.send({ type: 'go' })
      writeSync(1, `${id} ${version}\n`)
      await sleep(random(10))
    }
  }
  return Promise.race(Array.from({ length: ACTORS }, (_, index) => drive(index)))
}

/** Waits until nothing is owed but what a person is asked about. */
async function check(): Promise<void> {
  const deadline = Date.now() + 20_000
  while (engine.effects.list().some((effect) => effect.state !== 'asked')) {
    if (Date.now() > deadline) throw new Error(`stuck: ${JSON.stringify(engine.effects.list())}`)
    await sleep(5)
  }
  const asked = engine.effects.list().map(({ key }) => key)
  const dead = await engine.deadLetters()
  const { parked } = engine
  await engine.close()
  const { ok } = await store.verify()
  await store.close()
  writeSync(1, `${JSON.stringify({ ok, asked, dead, parked: parked.length, errors })}\n`)
}
