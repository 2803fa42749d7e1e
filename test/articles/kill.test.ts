/** The article's team in a real process, killed with SIGKILL again and again: in handoffs, in steps, while files are written. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { sessionEndEvent } from '../../src/billing/tracking-line.ts'
import { createLedger } from '../../src/billing/ledger.ts'
import { allEvents, projectFolder, until } from '../agents/project-folder.ts'

const project = projectFolder()
const program = fileURLToPath(new URL('../../dist/test/faults/programs/article-team.js', import.meta.url))

const linesIn = async (file: string): Promise<number> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').length - 1

/** Runs the program until it has recorded so many more events, or to its end. Resolves with what it printed. */
async function live(seen: string, more = Infinity): Promise<string> {
  const before = await linesIn(seen)
  const child = spawn(process.execPath, [program, project.path(), seen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const printed = text(child.stdout)
  const state = { exited: false }
  const ended = once(child, 'exit').then(() => (state.exited = true))
  if (more !== Infinity) {
    const deadline = Date.now() + 60_000
    while (!state.exited && (await linesIn(seen)) < before + more) {
      if (Date.now() > deadline) throw new Error(`waited 60 s in vain for ${more} more events`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    child.kill('SIGKILL')
  }
  await ended
  return printed
}

test('it comes to the same end: each handoff once, each cost once, billing file and archive as the log says (O-004, O-023, O-100, O-117, O-183, X-12)', async () => {
  expect(existsSync(program), 'npm run build comes first').toBe(true)
  const seen = join(project.path(), '..', 'seen')
  // Few events after each start, so that every part of the work is cut at some time.
  for (const more of [2, 7, 12, 17, 9, 5, 14, 11, 3, 8]) await live(seen, more)
  expect(await live(seen)).toBe('done\n')

  const runtime = await project.open({ attach: false })
  // The program is done when the orchestrator is; who worked for it may still be writing its own end.
  await until(async () => (await runtime.agents.list()).every(({ status }) => status === 'completed'))
  await runtime.filesSettled()
  const events = await allEvents(runtime)
  const count = (type: string): number => events.filter((event) => event.event_type === type).length
  const orders = ['one', 'two', 'three', 'four']
  expect((await runtime.agents.result({ agent_id: 'run_orchestrator' })).output.value).toEqual({ orders })
  const runs = await runtime.agents.list()
  expect(runs.map(({ agent_id, status }) => [agent_id, status])).toEqual([
    ['orchestrator', 'completed'],
    ['role:supervisor', 'completed'],
    ...orders.map((order) => [`work-${order}`, 'completed']),
  ])
  // One down, four assignments, four completions, one up.
  expect([count('handoff.generated'), count('handoff.received')]).toEqual([10, 10])
  const handoffs = await runtime.sessions.listHandoffs()
  expect(
    handoffs
      .filter(({ state }) => state === 'claimed')
      .map(({ type }) => type)
      .toSorted(),
  ).toEqual(
    [
      'orchestrator_to_supervisor',
      ...orders.map(() => 'supervisor_to_workagent'),
      'supervisor_to_orchestrator',
    ].toSorted(),
  )
  expect(runs.map(({ billing }) => billing.tokens_used)).toEqual([0, 0, 10, 10, 10, 10])

  const ledger = createLedger()
  for (const event of events) ledger.fold(event)
  const folder = join(project.path(), 'billing')
  const files = (await readdir(folder)).filter((file) => file.endsWith('.jsonl')).toSorted()
  const contents = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  const written = contents
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const expected = ledger.ends().map(sessionEndEvent)
  expect(written.map((line) => [line['session_id'], line['reason'], line['tokens_used']])).toEqual(
    expected.map((end) => [end.session_id, end.reason, end.tokens_used]),
  )
  expect(expected).toHaveLength(6)

  const session = await runtime.sessions.byName('feature-kill')
  expect(session?.status).toBe('archived')
  const archive = join(project.path(), 'archive')
  const summary = JSON.parse(await readFile(join(archive, `${session?.id}.json`), 'utf8')) as {
    archive: { sha256: string; file: string }
  }
  const copy = await readFile(join(archive, summary.archive.file))
  expect(createHash('sha256').update(copy).digest('hex')).toBe(summary.archive.sha256)
  expect((await readdir(archive)).filter((file) => file.endsWith('.unfinished'))).toEqual([])
  expect((await runtime.store.verify()).ok).toBe(true)
  expect((await runtime.verify()).problems).toEqual([])
}, 600_000)
