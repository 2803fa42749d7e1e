/** A run whose only tool call needs a person, and the person; the process kills itself once so many events are on disk. */
import { appendFile, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { createRuntime, defineAgent, defineTool } from '../../../src/index.ts'

const [path = '', ledger = '', decision = 'approve', dieAt = 'never'] = process.argv.slice(2)

const wire = defineTool({
  name: 'wire-money',
  capabilities: ['execute:payment'],
  input: z.object({ to: z.string() }),
  estimate: () => 0,
  inDoubt: 'verify',
  verify: async () => {
    const done = (await readFile(ledger, 'utf8').catch(() => '')) !== ''
    return done ? { happened: true, output: 'wired' } : { happened: false }
  },
  execute: async ({ to }) => {
    await appendFile(ledger, `${to}\n`)
    return 'wired'
  },
})
const payer = defineAgent('payer', (ctx) =>
  ctx.tool(wire, { to: 'bob' }).catch((error: { reason: string }) => error.reason),
)

const runtime = await createRuntime({
  path,
  agents: [payer],
  tools: [wire],
  hooks: {
    treasurer: {
      triggers: ['execute:payment'],
      validate: () => ({ allowed: false, requires_approval: true, reason: 'payments need a person' }),
    },
  },
})
runtime.store.subscribe().subscribe((event) => {
  if (event.position === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
})

/** Decides as soon as somebody asks. */
async function decide(): Promise<void> {
  for (;;) {
    const [pending] = await runtime.approvals.list()
    if (pending !== undefined) {
      const { approval_id: id } = pending
      if (decision === 'approve') await runtime.approvals.approve(id, { by: 'ann' })
      else await runtime.approvals.deny(id, { by: 'ann', reason: 'not today' })
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const run = await runtime.agents.startById({ agent_id: 'payer', run_id: 'run_1' })
void decide().catch(() => {})
const { state, output } = await run.result({ timeoutMs: 20_000 })
// The end must not overtake the kill.
if (dieAt !== 'never') await new Promise(() => setInterval(() => {}, 1000))
console.log(JSON.stringify({ state, value: output.value, position: runtime.store.position() }))
await runtime.close()
process.exit(0)
