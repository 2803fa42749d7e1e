/** A real process, killed with SIGKILL again and again: the end is the same, and what was finished is not done again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { allEvents, projectFolder, until } from './project-folder.ts'

const project = projectFolder()
const program = fileURLToPath(new URL('../../dist/test/faults/programs/agent-team.js', import.meta.url))

const STEPS = [1, 2, 3, 4].flatMap((n) => [
  `command ${n}`,
  `measure ${n}`,
  ...[1, 2, 3].map((part) => `part ${n}.${part}`),
])

const linesIn = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

/** Runs the program to its end, or until so many steps were executed in all. Resolves with what it printed. */
async function live(executions: string, killAt = Infinity): Promise<string> {
  const child = spawn(process.execPath, [program, project.path(), executions], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const printed = text(child.stdout)
  const ended = once(child, 'exit')
  if (killAt !== Infinity) {
    await until(async () => (await linesIn(executions)).length >= killAt, `${killAt} steps`)
    child.kill('SIGKILL')
  }
  await ended
  return printed
}

test('a team that is killed six times comes to the same end, and no finished step is run again', async () => {
  expect(existsSync(program), 'npm run build comes first').toBe(true)
  const executions = join(project.path(), '..', 'executions')
  const moments = [1, 3, 6, 10, 14, 18]
  const kills = moments.length
  for (const moment of moments) expect(await live(executions, moment)).toBe('')
  const printed = await live(executions)
  expect(JSON.parse(printed.slice('result '.length))).toEqual({
    values: [1, 2, 3, 4].map((n) => [n, 2 * n, 3 * n, n * n]),
    tokens: [1, 1, 1, 1],
    reported: [1, 2, 3, 4],
  })

  const runtime = await project.open()
  const events = await allEvents(runtime)
  const count = (type: string): number => events.filter((event) => event.event_type === type).length
  expect((await runtime.agents.list()).map((run) => [run.agent_id, run.status])).toEqual(
    ['team', 'work-1', 'work-2', 'work-3', 'work-4'].map((id) => [id, 'completed']),
  )
  expect([count('handoff.generated'), count('handoff.received')]).toEqual([9, 9])
  expect((await runtime.store.verify()).ok).toBe(true)

  const lines = await linesIn(executions)
  expect([...new Set(lines)].toSorted()).toEqual(STEPS.toSorted())
  // Only what was under way at a kill can have been run again: at most one step of each worker.
  const again = lines.length - STEPS.length
  expect(again).toBeLessThanOrEqual(4 * kills)
  // A step that was begun once in the log was run once.
  const begun = new Map<string, number>()
  const numberOf = new Map<string, number>()
  for (const { event_type, stream_id, payload } of events) {
    const { name, input } = payload as { name?: string; input?: { agent_id?: string } }
    const agent = /^work-(\d)$/.exec(input?.agent_id ?? '')?.[1]
    if (agent !== undefined) numberOf.set(stream_id, Number(agent))
    if (event_type !== 'step.started' || name?.startsWith('part') !== true) continue
    const what = `part ${numberOf.get(stream_id)}.${name.slice('part '.length)}`
    begun.set(what, (begun.get(what) ?? 0) + 1)
  }
  const tooOften = [...begun].filter(([what, times]) => lines.filter((line) => line === what).length > times)
  expect(tooOften).toEqual([])
}, 120_000)
