/** Backlog, features, blockers and notices: sensible defaults on the record, each of which a user can replace. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import {
  analyzeAndPrioritize,
  consoleSender,
  decompose,
  decomposeFeature,
  defineAgent,
  estimateOperationCost,
  fileSender,
  formatTaskSteps,
  getBacklog,
  integrateWorkAgentResults,
  mergeCodeChanges,
  notifySlack,
  orchestrateWork,
  runIntegrationTests,
  webhookSender,
  type NoticeSender,
} from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { allEvents } from '../agents/project-folder.ts'

const item = (
  slug: string,
  priority: 'critical' | 'high' | 'medium' | 'low' = 'medium',
  description = '',
) => ({
  slug,
  priority,
  description,
})
const quiet: NoticeSender = { name: 'quiet', send: async () => {} }

describe('the backlog (O-175, O-196)', () => {
  test('is recorded, replaced by its slug, and there again after a restart', async () => {
    const first = await createTestRuntime()
    await first.portfolio.addToBacklog({ ...item('one'), acceptance_tests: ['works'] })
    await first.portfolio.addToBacklog(item('two'))
    await first.portfolio.addToBacklog({ ...item('two', 'high'), name: 'Two' })
    await first.portfolio.removeFromBacklog('one', { reason: 'not wanted' })
    await expect(first.portfolio.removeFromBacklog('one')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await using second = await first.restart()
    expect(await second.portfolio.getBacklog()).toMatchObject([
      { slug: 'two', name: 'Two', priority: 'high', acceptance_criteria: [], acceptance_tests: [] },
    ])
    expect(await second.portfolio.getBacklog('another project')).toEqual([])
  })

  test('a provider takes its place; a bad item is refused', async () => {
    await using runtime = await createTestRuntime({
      providers: { backlog: (project) => [{ ...full('theirs'), description: project }] },
      project: 'shop',
    })
    expect(await runtime.run(getBacklog)).toMatchObject([{ slug: 'theirs', description: 'shop' }])
    await expect(runtime.portfolio.addToBacklog(item('Not A Slug'))).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })

  test('what a handler was told it is told again after a restart, though the backlog has changed', async () => {
    const seen: string[][] = []
    let let_go = (): void => {}
    const agent = defineAgent({
      id: 'planner',
      role: 'orchestrator',
      run: async () => {
        seen.push((await getBacklog()).map(({ slug }) => slug))
        await new Promise<void>((resolve) => (let_go = resolve))
      },
    })
    const first = await createTestRuntime({ agents: [agent] })
    await first.portfolio.addToBacklog(item('one'))
    const { run_id } = await first.agents.startById({ agent_id: 'planner' })
    await first.clock.advance(0)
    await first.portfolio.addToBacklog(item('two'))
    await using second = await first.restart()
    await second.clock.advance(0)
    let_go()
    expect((await second.agents.wait(run_id, { timeout: 5000 })).status).toBe('completed')
    expect(seen).toEqual([['one'], ['one']])
  })
})

const full = (slug: string) => ({
  slug,
  name: slug,
  description: '',
  requirements: [],
  files: [],
  acceptance_criteria: [],
  acceptance_tests: [],
  priority: 'medium' as const,
})

describe('planning by rule (O-178, O-179, O-184, O-207, O-210)', () => {
  const backlog = [
    { ...full('slow'), priority: 'low' as const },
    full('plain'),
    { ...full('fast'), description: 'improve the performance' },
    { ...full('urgent'), priority: 'critical' as const },
    { ...full('busy'), priority: 'critical' as const },
  ]
  const activeFeatures = [
    {
      slug: 'busy',
      session_id: 's',
      session_name: null,
      status: 'active',
      phase: null,
      percent: null,
      blockers: [],
    },
  ]

  test('goes by priority, then by goals, then as it was added; not what somebody works on', () => {
    const state = { backlog, activeFeatures, businessGoals: ['reduce technical debt', 'improve performance'] }
    const slugs = (list: readonly { slug: string }[]): string[] => list.map(({ slug }) => slug)
    expect(slugs(orchestrateWork(state).prioritized_features)).toEqual(['urgent', 'fast', 'plain', 'slow'])
    const { high_priority, rest } = analyzeAndPrioritize(state)
    expect([slugs(high_priority), slugs(rest)]).toEqual([['urgent'], ['fast', 'plain', 'slow']])
  })

  test('one task for each requirement, with ids of their own', () => {
    const tasks = decomposeFeature('Checkout', ['One form!', 'one form', 'Überall'], ['a.ts'])
    expect(tasks.map(({ id }) => id)).toEqual(['one-form', 'one-form-2', 'berall'])
    expect(tasks[0]).toMatchObject({ objective: 'Checkout', description: 'One form!', files: ['a.ts'] })
    expect(tasks[0]?.criteria).toEqual(tasks[0]?.acceptance_tests)
    expect(decompose('Only this').map(({ description }) => description)).toEqual(['Only this'])
    expect(decompose('x', 'one\ntwo').map(({ description }) => description)).toEqual(['one', 'two'])
    expect(formatTaskSteps(['a', 'b'])).toBe('1. a\n2. b')
  })

  test('a provider takes their place in its scope', async () => {
    await using runtime = await createTestRuntime({
      providers: {
        prioritize: ({ backlog: all }) => all.slice(0, 1).map((one) => ({ ...one, acceptance_tests: [] })),
        decompose: () => [],
        estimateOperationCost: () => 3,
      },
    })
    await runtime.run(async () => {
      expect(orchestrateWork({ backlog }).prioritized_features).toHaveLength(1)
      expect(decompose('x')).toEqual([])
      expect(estimateOperationCost('a', {})).toBe(3)
    })
    expect(() => estimateOperationCost('a', {})).toThrow(
      expect.objectContaining({ code: 'PROVIDER_MISSING' }),
    )
  })
})

describe('bringing work together (O-185, O-213, O-214)', () => {
  const result = (agent_id: string, status: string, changes?: { file: string; to?: string }[]) => ({
    agent_id,
    status,
    output: { ...(changes && { code_changes: changes }) },
  })

  test('changes of one file that are the same are one; those that differ are a conflict', async () => {
    const merged = await mergeCodeChanges([
      [{ file: 'a', x: 1, y: 2 }],
      undefined,
      [{ file: 'a', y: 2, x: 1 }, { file: 'b' }],
      [{ file: 'b', other: true }],
    ])
    expect(merged).toMatchObject({ files: ['a'], file_count: 1, conflicts: ['b'] })
  })

  test('fails for failed agents, conflicts and failed tests, and says which', async () => {
    const tests = { passed: false, passed_count: 3, total_count: 5 }
    await using runtime = await createTestRuntime({ providers: { runIntegrationTests: () => tests } })
    await runtime.run(async () => {
      const errors = async (...results: ReturnType<typeof result>[]) =>
        (await integrateWorkAgentResults(results)).errors
      expect(await errors(result('a', 'failed'), result('b', 'completed'))).toEqual(['a: failed'])
      expect(
        await errors(
          result('a', 'completed', [{ file: 'f', to: '1' }]),
          result('b', 'completed', [{ file: 'f', to: '2' }]),
        ),
      ).toEqual(['f: changed in different ways'])
      expect(await errors(result('a', 'completed', [{ file: 'f' }]))).toEqual(['2 of 5 tests failed'])
    })
  })

  test('without a provider nobody pretends that tests were run', async () => {
    await expect(
      runIntegrationTests({ changes: [], files: [], file_count: 0, conflicts: [] }),
    ).rejects.toMatchObject({
      code: 'PROVIDER_MISSING',
    })
  })
})

describe('notices (O-230)', () => {
  test('in all three shapes of the article, secrets left out', async () => {
    const seen: object[] = []
    const sender: NoticeSender = { name: 's', send: async (notice) => void seen.push(notice) }
    await using runtime = await createTestRuntime({ providers: { senders: [sender] } })
    await runtime.run(async () => {
      await notifySlack('one')
      await notifySlack('#infrastructure', 'two')
      await notifySlack({
        channel: '#security',
        message: 'three',
        details: { password: 'hunter2', tool: 'rm' },
      })
    })
    expect(seen).toMatchObject([
      { channel: '#general', message: 'one' },
      { channel: '#infrastructure', message: 'two' },
      { channel: '#security', message: 'three', details: { password: '[redacted]', tool: 'rm' } },
    ])
    expect(JSON.stringify(await allEvents(runtime))).not.toContain('hunter2')
  })

  test('a sender that fails breaks nothing, and is on the record', async () => {
    const errors: unknown[] = []
    const broken: NoticeSender = { name: 'broken', send: () => Promise.reject(new Error('no line')) }
    await using runtime = await createTestRuntime({
      providers: { senders: [broken, quiet] },
      onError: (error) => errors.push(error),
    })
    await runtime.portfolio.notify({ message: 'hello' })
    const sent = (await allEvents(runtime)).find(({ event_type }) => event_type === 'notice.sent')
    expect(sent?.payload).toMatchObject({ failures: [{ sender: 'broken', message: 'no line' }] })
    expect(errors).toHaveLength(1)
  })

  test('one that was recorded and not sent before the process was gone is sent at the next opening', async () => {
    const seen: string[] = []
    const hanging: NoticeSender = { name: 'hanging', send: () => new Promise(() => {}) }
    const first = await createTestRuntime({ providers: { senders: [hanging] } })
    void first.portfolio.notify({ message: 'hello' }).catch(() => {})
    await first.clock.advance(0)
    const sender: NoticeSender = { name: 's', send: async ({ message }) => void seen.push(message) }
    const second = await first.restart({ providers: { senders: [sender] } })
    expect(seen).toEqual(['hello'])
    await using third = await second.restart()
    expect([seen, third.parked]).toEqual([['hello'], []])
  })

  test('to the console, a file and a webhook', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'notices-'))
    const bodies: { path: string | undefined; key: unknown; body: string }[] = []
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        bodies.push({ path: request.url, key: request.headers['idempotency-key'], body })
        response.writeHead(request.url === '/bad' ? 500 : 204).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const lines: string[] = []
    const errors: unknown[] = []
    try {
      await using runtime = await createTestRuntime({
        providers: {
          senders: [
            consoleSender((line) => void lines.push(line)),
            fileSender(join(folder, 'deep', 'notices.jsonl')),
            webhookSender({ url: `${base}/good` }),
            webhookSender({ url: `${base}/bad` }),
          ],
        },
        onError: (error) => errors.push((error as Error).message),
      })
      await runtime.portfolio.notify({ channel: '#a', message: 'hello' })
      expect(lines).toEqual(['[#a] hello'])
      const [line = ''] = (await readFile(join(folder, 'deep', 'notices.jsonl'), 'utf8')).split('\n')
      expect(JSON.parse(line)).toMatchObject({ channel: '#a', message: 'hello' })
      expect(bodies.find(({ path }) => path === '/good')).toMatchObject({
        key: (JSON.parse(line) as { notice_id: string }).notice_id,
      })
      expect(errors).toEqual([expect.stringContaining('answered 500')])
    } finally {
      server.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
