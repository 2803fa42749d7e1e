/** What each command answers about a recorded project: word for word, with ids and times blotted out. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentctl, normalised, type Ran } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

let folder = ''
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'questions-'))
  project = await recordProject(folder)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const ask = (...argv: string[]): Promise<Ran> => agentctl(argv, { cwd: dirname(project.path) })

const answer = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await ask(...argv)
  expect({ code, argv, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, argv, stderr: '' })
  return normalised(`${stdout}--- stderr\n${stderr}`)
}

const lines = async (...argv: string[]): Promise<Record<string, unknown>[]> => {
  const { code, stdout, stderr } = await ask(...argv, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const callId = async (tool: string): Promise<string> => {
  const requested = await lines('log', '--type', 'tool.requested')
  const found = requested.find(({ payload }) => (payload as { input: { tool: string } }).input.tool === tool)
  return String(found?.['stream_id'])
}

describe('each answer is the recorded one', () => {
  const golden: readonly (readonly [file: string, argv: () => Promise<string[]> | string[]])[] = [
    ['help', () => ['--help']],
    ['log', () => ['log']],
    ['log-of-a-stream', () => ['log', 'cleaner']],
    ['log-by-type-and-limit', () => ['log', '--type', 'tool.*', '--limit', '3']],
    ['log-followed', () => ['log', '--limit', '1', '--follow']],
    ['show-session', () => ['show', 'tidy-up']],
    ['show-run-at-a-version', () => ['show', project.cleaner, '--at', '4']],
    ['show-tool-call', async () => ['show', await callId('remove')]],
    ['show-of-an-unknown-machine', () => ['show', 'order-1']],
    ['why-denied-tool', async () => ['why', await callId('remove')]],
    ['why-allowed-tool', async () => ['why', await callId('list')]],
    ['why-failed-run', () => ['why', project.broken]],
    ['why-completed-run', () => ['why', 'cleaner']],
    ['why-refused-run', () => ['why', 'intruder']],
    ['why-paused-session', () => ['why', 'tidy-up']],
    ['why-refused-start', () => ['why', `${project.intruder}~refused`]],
    ['why-refused-by-a-guard', () => ['why', 'order-1~refused']],
    ['why-a-plain-actor', () => ['why', 'order-1']],
    ['why-an-event', () => ['why', '4']],
  ]

  test.each(golden)('%s', async (file, argv) => {
    await expect(await answer(...(await argv()))).toMatchFileSnapshot(`golden/${file}.txt`)
  })

  test('why as JSON', async () => {
    const [explanation] = await lines('why', await callId('remove'))
    const text = normalised(`${JSON.stringify(explanation, null, 2)}\n`)
    await expect(text).toMatchFileSnapshot('golden/why-denied-tool.json')
  })
})

describe('log', () => {
  test('with --json prints every event as the log has it, one per line, in order', async () => {
    const events = await lines('log')
    expect(events.map(({ position }) => position)).toEqual(events.map((_event, index) => index + 1))
    for (const event of events) {
      expect(Object.keys(event)).toEqual(
        expect.arrayContaining([
          'event_id',
          'event_type',
          'payload',
          'stream_id',
          'version',
          'hash',
          'state',
        ]),
      )
    }
  })

  test('with --limit prints the last ones that match, with a stream and without', async () => {
    const all = await lines('log', '--type', 'step.*')
    expect(await lines('log', '--type', 'step.*', '--limit', '3')).toEqual(all.slice(-3))
    const own = await lines('log', project.cleaner)
    expect(await lines('log', 'cleaner', '-n', '2')).toEqual(own.slice(-2))
    expect(await lines('log', '--limit', '1000', '--type', 'step.*')).toEqual(all)
  })

  test('takes several types, and says when none match', async () => {
    const types = (await lines('log', '-t', 'order.*', '-t', 'pay', '-t', 'session.paused')).map(
      (e) => e['event_type'],
    )
    expect(types).toEqual(['pay', 'session.paused'])
    const none = await ask('log', '--type', 'nothing')
    expect(none).toMatchObject({ code: 0, stdout: '', stderr: 'no events match\n' })
  })

  test('prints no control characters that an agent wrote', async () => {
    const { stdout } = await ask('log', 'broken')
    expect(stdout).toContain(String.raw`no such file: \x1b[31mred`)
    expect(stdout).not.toContain('\u001B')
  })

  test('with --quiet prints only data', async () => {
    const { stdout, stderr } = await ask('log', project.intruder, '--quiet', '--follow')
    expect(stderr).toBe('')
    expect(stdout).toContain('agent.created')
  })
})

describe('show', () => {
  test('folds every version of every stream to the state that the log recorded', async () => {
    const events = await lines('log')
    const machines = events.filter(({ machine }) => machine !== '' && machine !== 'order@3')
    for (const { stream_id, version, state } of machines.slice(0, 20)) {
      const [shown] = await lines('show', String(stream_id), '--at', String(version))
      expect(shown).toMatchObject({ stream_id, version, value: state, source: 'replay' })
    }
  })

  test('has children and timers of a run at work, and none of one that has ended', async () => {
    const events = await lines('log', project.cleaner)
    const began = events.find(({ event_type }) => event_type === 'agent.began')
    const [atWork] = await lines('show', project.cleaner, '--at', String(began?.['version']))
    expect(atWork).toMatchObject({
      value: 'active',
      status: 'active',
      children: [{ id: 'handler', src: 'handler' }],
      timers: [{ id: 'deadline', event_type: 'agent.deadline' }],
    })
    const [ended] = await lines('show', project.cleaner)
    expect(ended).toMatchObject({ value: 'completed', children: [], timers: [] })
  })

  test('an event, by id or position, is the state right after it', async () => {
    const [event] = await lines('log', '--type', 'session.active')
    const [byId] = await lines('show', String(event?.['event_id']))
    const [byPosition] = await lines('show', String(event?.['position']))
    expect(byId).toMatchObject({ version: 2, value: 'active', event_id: event?.['event_id'] })
    expect(byPosition).toEqual(byId)
  })

  test('shows no secret', async () => {
    const call = await callId('remove')
    for (const argv of [
      ['show', call],
      ['show', call, '--json'],
      ['why', call],
      ['why', call, '--json'],
      ['log', call],
    ]) {
      const { stdout } = await ask(...argv)
      expect(stdout).not.toContain('hunter2')
    }
  })
})

describe('why', () => {
  test('answers the same for the call, its judgement, and the step that made it', async () => {
    const call = await callId('remove')
    const events = await lines('log', '--json')
    const idOf = (type: string): string =>
      String(
        events.find(
          ({ event_type, payload }) =>
            event_type === type &&
            (type !== 'step.failed' || (payload as { name: string }).name === 'remove'),
        )?.['event_id'],
      )
    const [byCall] = await lines('why', call)
    for (const id of [idOf('tool.judged'), idOf('step.failed')]) {
      const [byEvent] = await lines('why', id)
      expect({ ...byEvent, event: null }).toEqual({ ...byCall, causes: byEvent?.['causes'] })
      expect(byEvent?.['event']).toMatchObject({ event_id: id })
    }
    expect(byCall).toMatchObject({
      kind: 'tool_call',
      verdict: 'denied',
      by: 'hook:destructive-ops',
      reason: 'Destructive operations require human approval',
      asked_by: { agent_id: 'cleaner', role: 'workagent' },
      parameters: { path: 'dist', api_key: '[redacted]' },
      ancestors: [
        { id: project.cleaner, kind: 'run' },
        { id: project.session, kind: 'session', name: 'tidy-up' },
      ],
    })
  })

  test('counts a refusal that was repeated', async () => {
    const [explanation] = await lines('why', 'order-1~refused')
    expect(explanation).toMatchObject({
      kind: 'refusal',
      total: 3,
      refusal: { by: 'guard:inStock', what: 'ship' },
    })
  })
})
