/** kill -9 after each event of an approval, in a real process: the tool runs exactly once, and never without a grant. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'

const program = fileURLToPath(new URL('../../dist/test/faults/programs/approval-clerk.js', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'approval-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

type Life = { readonly signal: string | null; readonly printed: string }

async function live(name: string, decision: string, dieAt: number | 'never'): Promise<Life> {
  const place = join(folder, name)
  const args = [program, join(place, '.project'), join(folder, `${name}.ledger`), decision, String(dieAt)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = text(child.stdout)
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return { signal, printed: await printed }
}

const ledgerOf = async (name: string): Promise<string> =>
  readFile(join(folder, `${name}.ledger`), 'utf8').catch(() => '')

/** Runs it undisturbed once; the positions of the events between the call and its recorded outcome. */
async function momentsOf(decision: string, types?: readonly string[]): Promise<number[]> {
  expect(existsSync(program), 'npm run build comes first').toBe(true)
  await live('whole', decision, 'never')
  const runtime = await createRuntime({ path: join(folder, 'whole', '.project') })
  const events: { type: string; position: number }[] = []
  for await (const { event_type: type, position } of runtime.store.readAll()) events.push({ type, position })
  await runtime.close()
  const first = events.findIndex(({ type }) => type === 'step.started')
  const last = events.findIndex(({ type }) => type === 'step.completed' || type === 'step.failed')
  return events
    .slice(first, last + 1)
    .filter(({ type }) => types?.includes(type) ?? true)
    .map(({ position }) => position)
}

test('granted: whenever it is killed, the payment is made once, under a grant (O-151, O-165)', async () => {
  const moments = await momentsOf('approve')
  expect(await ledgerOf('whole')).toBe('bob\n')
  expect(moments.length).toBeGreaterThan(8)
  for (const position of moments) {
    const name = `at-${position}`
    const { signal } = await live(name, 'approve', position)
    const { printed } = await live(name, 'approve', 'never')
    const runtime = await createRuntime({ path: join(folder, name, '.project') })
    const approvals = await runtime.approvals.list({ status: 'all' })
    await runtime.close()
    expect({
      position,
      signal,
      end: JSON.parse(printed) as unknown,
      ledger: await ledgerOf(name),
      approvals: approvals.map((one) => one.status),
    }).toMatchObject({
      position,
      signal: 'SIGKILL',
      end: { state: 'completed', value: 'wired' },
      ledger: 'bob\n',
      approvals: ['consumed'],
    })
  }
}, 180_000)

test('denied: whenever it is killed, nothing is paid, and nobody can approve it afterwards', async () => {
  const moments = await momentsOf('deny', ['approval.requested', 'approval.denied', 'tool.denied'])
  expect(moments).toHaveLength(3)
  for (const position of moments) {
    const name = `at-${position}`
    await live(name, 'deny', position)
    const { printed } = await live(name, 'deny', 'never')
    expect(JSON.parse(printed)).toMatchObject({ state: 'completed', value: 'denied by ann: not today' })
    expect(await ledgerOf(name)).toBe('')
  }
  const runtime = await createRuntime({ path: join(folder, 'whole', '.project') })
  const [approval] = await runtime.approvals.list({ status: 'denied' })
  await expect(runtime.approvals.approve(approval?.approval_id ?? '', { by: 'eve' })).rejects.toMatchObject({
    code: 'APPROVAL_DECIDED',
  })
  await runtime.close()
}, 180_000)
