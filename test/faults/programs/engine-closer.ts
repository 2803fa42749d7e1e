/**
 * Runs an actor whose actions take their time, and closes at the first signal; at the second one it quits at once.
 *
 * Arguments: the folder, `run` or `check`, and for how many ms closing waits. Output: `sent <version>` for what was
 * acknowledged, `closing`, `refused <code>` for what was sent after that, `closed`; `check` ends with one line of JSON.
 * Each execution is two lines in `executions.log`, outside of the event log: `<action> <key> begun`, then `ended`.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setup } from 'xstate'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { createEngine } from '../../../src/runtime/engine.ts'
import { effectOf, withPolicies } from '../../../src/runtime/policies.ts'
import { note } from '../ledger.ts'

const [folder = '', mode = 'run', graceMs = '2000'] = process.argv.slice(2)

const ledger = join(folder, 'executions.log')
const touch = (action: string, ms: number) => async (args: object) => {
  const { key } = effectOf(args) ?? { key: 'none' }
  note(ledger, `${action} ${key} begun`)
  // Not even its signal stops it.
  await sleep(ms)
  note(ledger, `${action} ${key} ended`)
}

const machine = setup({
  types: { events: {} as { type: 'work' } | { type: 'hang' } },
  // oxlint-disable-next-line typescript/no-misused-promises -- an owed action may be async
  actions: { brief: touch('brief', 20), endless: touch('endless', mode === 'run' ? 3_600_000 : 1) },
}).createMachine({ id: 'worker', on: { work: { actions: 'brief' }, hang: { actions: 'endless' } } })

const store = await openLevelEventStore({ path: join(folder, 'log') })
const engine = await createEngine({
  store,
  clock: systemClock,
  machines: [withPolicies(machine, { effects: { brief: {}, endless: {} } })],
  graceMs: Number(graceMs),
  onError: (error) => writeSync(1, `trouble ${String(error)}\n`),
})
await engine.recover()
const actor = await engine.spawn(machine, { id: 'worker-1' })

if (mode === 'check') await check()
else await run()

async function run(): Promise<void> {
  let closing: Promise<void> | undefined
  process.on('SIGTERM', () => {
    if (closing !== undefined) process.exit(130)
    writeSync(1, 'closing\n')
    closing = close()
  })
  const { version } = await actor.send({ type: 'hang' })
  writeSync(1, `sent ${version}\n`)
  for (;;) {
    const answered = await actor.send({ type: 'work' }).catch((error: unknown) => error as { code: string })
    if ('code' in answered) {
      writeSync(1, `refused ${answered.code}\n`)
      return
    }
    writeSync(1, `sent ${answered.version}\n`)
    await sleep(1)
  }
}

async function close(): Promise<void> {
  await engine.close()
  await store.close()
  writeSync(1, 'closed\n')
  process.exit(0)
}

async function check(): Promise<void> {
  const deadline = Date.now() + 20_000
  while (engine.effects.list().length > 0) {
    if (Date.now() > deadline) throw new Error(`stuck: ${JSON.stringify(engine.effects.list())}`)
    await sleep(2)
  }
  const { version } = actor
  const dead = await engine.deadLetters()
  await engine.close()
  const { ok } = await store.verify()
  await store.close()
  writeSync(1, `${JSON.stringify({ ok, version, dead })}\n`)
}
