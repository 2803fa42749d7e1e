/** What a log alone says of the protocol is what the runtime that wrote it says, and each issue points at events of it. */
import { describe, expect, test } from 'vitest'
import { createLogQuery, defineAgent } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { allEvents } from '../agents/project-folder.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const quick = defineAgent('quick', () => 1)

/** Two projects; of most rules something that breaks it and something that does not. */
async function troubled(): Promise<TestRuntime> {
  const runtime = await createTestRuntime({ agents: [quick], project: 'mine' })
  const { sessions, agents, clock } = runtime
  const kept = await sessions.start({ role: 'supervisor', name: 'kept' })
  await sessions.handOff({ from: kept.id, to: kept.id }, { type: 'supervisor_continuation', context: {} })
  const forgotten = await sessions.start({ role: 'orchestrator', project: 'theirs' })
  await agents.startById({ agent_id: 'quick', parent_id: forgotten.id })
  await clock.advance(31 * MINUTE)
  await sessions.end(forgotten)
  await clock.advance(2 * DAY)
  await sessions.pause(kept)
  const silent = await sessions.start({ role: 'supervisor', name: 'silent', project: 'theirs' })
  await clock.advance(9 * DAY)
  await sessions.pause(kept.id).catch(() => {})
  expect((await sessions.get(silent.id)).status).toBe('active')
  return runtime
}

const asked = async (runtime: TestRuntime, question: { project?: string; days?: number } = {}) =>
  createLogQuery(runtime.store).compliance({
    ...question,
    now: new Date(runtime.clock.now()).toISOString(),
  })

describe('compliance from the log (O-220, O-221, O-222)', () => {
  test.each([undefined, 'mine', 'theirs'])('of project %s is what the runtime says', async (project) => {
    await using runtime = await troubled()
    const ours = await runtime.compliance.checkProtocolCompliance(project)
    const told = await asked(runtime, project === undefined ? {} : { project })
    expect(told).toMatchObject({ score: ours.score, issues: ours.issues, trends: null })
    expect(told.recommendations.map(({ text }) => text)).toEqual(ours.recommendations)
    const days = 12
    const trends = await runtime.compliance.getComplianceTrends({
      days,
      ...(project !== undefined && { project }),
    })
    expect(trends.samples).toHaveLength(days)
    const trend = await asked(runtime, { days, ...(project !== undefined && { project }) })
    expect(trend.trends).toEqual(trends)
    const stale = await runtime.compliance.checkStaleProjects()
    expect(stale.map((one) => one.project).toSorted()).toEqual(['mine', 'theirs'])
    expect(told.stale_projects).toEqual(
      stale.filter((one) => project === undefined || one.project === project),
    )
  })

  test('each issue and each advice points at events that are in the log', async () => {
    await using runtime = await troubled()
    const { issues, recommendations } = await asked(runtime)
    expect(new Set(issues.map(({ rule }) => rule))).toEqual(
      new Set(['fire_and_forget', 'unnamed_session', 'no_checkpoint', 'missing_handoff', 'stale_session']),
    )
    const events = await allEvents(runtime)
    for (const { events: refs } of [...issues, ...recommendations]) {
      expect(refs.length).toBeGreaterThan(0)
      for (const ref of refs) expect(events[ref.position - 1]).toMatchObject(ref)
    }
    for (const { rule, count } of recommendations)
      expect(count).toBe(issues.filter((issue) => issue.rule === rule).length)
  })

  test('names the rule that no log can tell of', async () => {
    await using runtime = await createTestRuntime()
    expect((await asked(runtime)).not_checked.map(({ rule }) => rule)).toEqual(['permissive_hook'])
  })

  test.each([0, 1.5, -3, 100_000])('a trend over %d days is refused', async (days) => {
    await using runtime = await createTestRuntime()
    await expect(asked(runtime, { days })).rejects.toMatchObject({ code: 'QUERY_INVALID' })
  })
})
