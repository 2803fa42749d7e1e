/** `agentctl inspect --stately`: a live owner and a recorded folder, received by the package's own receiver. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { receive, type Receiver } from '../inspector/receiving.ts'
import { agentctl } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

const main = join(import.meta.dirname, '../../dist/src/cli/main.js')
let folder = ''
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inspect-'))
  project = await recordProject(folder)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Inspecting = {
  readonly child: ChildProcess
  readonly url: string
  readonly leaves: string
  readonly stderr: () => string
}

/** The built command, once it has said where the inspector is. */
const inspecting = async (...argv: string[]): Promise<Inspecting> => {
  const args = [main, 'inspect', '--stately', '--json', ...argv]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  await expect.poll(() => stdout.includes('\n') || stderr, { timeout: 15_000 }).toBe(true)
  const { inspector } = JSON.parse(stdout.split('\n')[0] ?? '') as {
    inspector: { socket_url: string; leaves: string }
  }
  return { child, url: inspector.socket_url, leaves: inspector.leaves, stderr: () => stderr }
}

const eventsOf = ({ messages }: Receiver): string[] =>
  messages.flatMap(({ type, event }) => (type === '@xstate.event' && event !== undefined ? [event.type] : []))

describe('of a closed folder', () => {
  test('plays the whole log, says what leaves the machine, and ends with 130 on Ctrl-C', async () => {
    const { child, url, leaves } = await inspecting('--speed', 'max', '--project', project.path)
    expect(leaves).toContain('https://stately.ai')
    const seen = receive(url)
    await seen.until(({ event }) => event?.type === 'session.paused')
    const told = await agentctl(['log', '--json', '--project', project.path])
    const recorded = told.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { machine: string; event_type: string })
      .filter(({ machine }) => machine !== '')
    await expect.poll(() => eventsOf(seen)).toEqual(recorded.map(({ event_type }) => event_type))
    const names = seen.messages.flatMap(({ type, name }) => (type === '@xstate.actor' ? [name] : []))
    expect(names).toEqual(
      expect.arrayContaining(['tidy-up', 'cleaner', 'broken', 'intruder', 'remove', 'list', 'order-1']),
    )
    expect(JSON.stringify(seen.messages)).not.toContain('hunter2')
    const ended = once(child, 'close')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
  })

  test('shows one event for each Enter with --step, from where --from says', async () => {
    const { child, url } = await inspecting('--step', '--from', '12', '--sanitize', '--project', project.path)
    const seen = receive(url)
    await expect.poll(() => seen.messages.length, { timeout: 500 }).toBe(0)
    for (let count = 1; count <= 3; count += 1) {
      child.stdin?.write('\n')
      await expect.poll(() => eventsOf(seen).length, { timeout: 10_000 }).toBe(count)
    }
    expect(seen.messages.filter(({ snapshot }) => snapshot?.context !== undefined)).toEqual([])
    const ended = once(child, 'close')
    child.stdin?.end()
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
  })
})

test('of a live owner follows it, and shows who is there first', async () => {
  const path = join(await mkdtemp(join(folder, 'live-')), '.project')
  await using runtime = await createRuntime({ path })
  const { id } = await runtime.sessions.start({ role: 'orchestrator', name: 'alive' })
  const { url } = await inspecting('--project', path)
  const seen = receive(url)
  const first = await seen.until(({ type, name }) => type === '@xstate.actor' && name === 'alive')
  expect(first).toMatchObject({
    sessionId: id,
    snapshot: { value: 'active', context: { role: 'orchestrator' } },
  })
  await runtime.sessions.pause(id, { reason: 'a look' })
  const paused = await seen.until(
    ({ type, event }) => type === '@xstate.snapshot' && event?.type === 'session.paused',
  )
  expect(paused.snapshot).toMatchObject({ value: 'paused' })
})

test.each([
  [[], 'Expected --stately'],
  [['--stately', '--speed', '-1'], 'Expected a number above 0, or max.'],
  [['--stately', '--port', '70000'], 'Expected a port, 1 to 65535.'],
])('%j is told what is wrong', async (argv, says) => {
  const told = await agentctl(['inspect', ...argv, '--project', project.path])
  expect(told).toMatchObject({ code: 2, stdout: '' })
  expect(told.stderr).toContain(says)
})
