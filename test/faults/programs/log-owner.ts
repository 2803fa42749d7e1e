/**
 * Owns a project's log. Arguments: the project's folder, and what to do: `write` for ever; `wait` until standard
 * input ends, then close; `leave`, which is to have nothing more to do. Says `open` when it can be attached to.
 */
import { writeSync } from 'node:fs'
import { createRuntime } from '../../../src/create-runtime.ts'

const [path = '', what = 'wait'] = process.argv.slice(2)
const runtime = await createRuntime({ path })
const session = await runtime.sessions.start({ role: 'orchestrator', name: 'owned' })
writeSync(1, 'open\n')

if (what === 'write') {
  for (let percent = 0; ; percent = (percent + 1) % 100) {
    await runtime.sessions.progress(session, { percent, phase: 'x'.repeat(500) })
  }
}
if (what === 'wait') {
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  await runtime.close()
}
