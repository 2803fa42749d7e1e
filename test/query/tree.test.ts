/** The tree of sessions and runs, and what a resumed one did with its steps, as the log of a real runtime tells them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { createRuntime, defineAgent, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import { stepFacts } from '../../src/query/resume-facts.ts'
import { EMPTY_TREE, foldTree, readTree, treeRows, type TreeState } from '../../src/query/tree.ts'

let folder = ''
let runtime: Runtime | undefined

const open = async (options: RuntimeOptions): Promise<Runtime> => {
  runtime = await createRuntime({ path: join(folder, '.project'), project: 'demo', ...options })
  return runtime
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tree-'))
})
afterEach(async () => {
  await runtime?.close()
  runtime = undefined
  await rm(folder, { recursive: true, force: true })
})

/** Opens from outside what a handler waits for inside. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let openIt: () => void = () => {}
  const opened = new Promise<void>((resolve) => (openIt = resolve))
  return { opened, open: () => openIt() }
}

const greeter = defineAgent('greeter', async (ctx) => {
  await ctx.progress({ phase: 'greeting', percent: 50 })
  await ctx.spend({ usd: 0.25, tokens: 1000, what: 'words' })
  return ctx.step('greet', () => 'hello')
})

const failing = defineAgent('failing', () => {
  throw new Error('no luck')
})

describe('the tree', () => {
  test('has sessions above the runs they started, each with how it stands', async () => {
    const { sessions, agents, store } = await open({ agents: [greeter, failing] })
    const root = await sessions.start({ role: 'orchestrator', name: 'all', tags: ['a'] })
    const area = await sessions.start({ role: 'supervisor', parent_id: root.id })
    const first = await agents.startById({
      agent_id: 'greeter',
      task_description: 'say hello',
      parent_id: area.id,
    })
    await first.result({ timeoutMs: 5000 })
    const second = await agents.startById({ agent_id: 'failing', parent_id: root.id })
    await second.result({ timeoutMs: 5000 })
    await sessions.end(area.id)
    await sessions.pause(root.id, { reason: 'lunch' })

    const rows = treeRows(await readTree(store))
    expect(
      rows.map(({ depth, node }) => [depth, node.kind, node.name ?? node.agent_id ?? node.role, node.state]),
    ).toEqual([
      [0, 'session', 'all', 'paused'],
      [1, 'session', 'supervisor', 'completed'],
      [2, 'run', 'greeter', 'completed'],
      [1, 'run', 'failing', 'failed'],
    ])
    expect(rows[0]?.node).toMatchObject({
      pause_reason: 'lunch',
      tags: ['a'],
      project: 'demo',
      ended_at: null,
    })
    expect(rows[2]?.node).toMatchObject({
      id: first.run_id,
      task_description: 'say hello',
      attempts: 1,
      phase: 'greeting',
      percent: 50,
      tokens: 1000,
      cost_micro_usd: 250_000,
      current_step: null,
      error: null,
    })
    expect(rows[2]?.node.steps_done).toBe(rows[2]?.node.steps_started)
    expect(rows[3]?.node).toMatchObject({ error: 'no luck' })
    for (const { node } of rows.slice(2)) {
      expect(Date.parse(node.ended_at ?? '')).toBeGreaterThanOrEqual(Date.parse(node.started_at ?? ''))
    }
    expect(treeRows(await readTree(store), area.id).map(({ node }) => node.id)).toEqual([
      area.id,
      first.run_id,
    ])
    expect(treeRows(await readTree(store), 'nobody')).toEqual([])
  })

  test('has a run that works for a session of its own below that session', async () => {
    const { sessions, agents, store } = await open({ agents: [greeter] })
    const root = await sessions.start({ role: 'orchestrator' })
    const own = await sessions.start({ role: 'supervisor', parent_id: root.id })
    const run = await agents.startById({ agent_id: 'greeter', session_id: own.id, parent_id: root.id })
    await run.result({ timeoutMs: 5000 })
    expect(treeRows(await readTree(store)).map(({ node, depth }) => [depth, node.id])).toEqual([
      [0, root.id],
      [1, own.id],
      [2, run.run_id],
    ])
  })

  test('followed live is at every event what it is when read again up to there', async () => {
    const { sessions, agents, store } = await open({ agents: [greeter, failing] })
    const states: TreeState[] = []
    let state = EMPTY_TREE
    const subscription = store.subscribe().subscribe((event) => {
      const before = JSON.stringify([...state.nodes])
      const next = foldTree(state, event)
      expect(JSON.stringify([...state.nodes])).toBe(before)
      states.push((state = next))
    })
    const root = await sessions.start({ role: 'orchestrator' })
    for (const agent_id of ['greeter', 'failing']) {
      const run = await agents.startById({ agent_id, parent_id: root.id })
      await run.result({ timeoutMs: 5000 })
    }
    await expect.poll(() => state.position).toBe(store.position())
    subscription.unsubscribe()
    for (const at of states) {
      const again = await readTree(store, { untilPosition: at.position })
      expect([...again.nodes.values()]).toEqual([...at.nodes.values()])
    }
  })

  test('says what is under way, queued and parked', async () => {
    const working = gate()
    const let_go = gate()
    const slow = (block: boolean) =>
      defineAgent('slow', async (ctx) => {
        await ctx.step(block ? 'wait' : 'renamed', async () => {
          working.open()
          if (block) await let_go.opened
        })
      })
    const first = await open({ agents: [slow(true)], maxConcurrent: 1 })
    const busy = await first.agents.startById({ agent_id: 'slow' })
    await working.opened
    const next = await first.agents.startById({ agent_id: 'slow' })
    const live = await readTree(first.store)
    expect(live.nodes.get(busy.run_id)).toMatchObject({
      state: 'running',
      current_step: 'wait',
      steps_done: 0,
    })
    expect(live.nodes.get(next.run_id)).toMatchObject({ state: 'queued', attempts: 0, started_at: null })
    await next.cancel('not needed')
    await first.close()
    let_go.open()

    const second = await open({ agents: [slow(false)] })
    await expect
      .poll(async () => (await readTree(second.store)).nodes.get(busy.run_id)?.state, { timeout: 10_000 })
      .toBe('parked')
    const parked = (await readTree(second.store)).nodes
    expect(parked.get(busy.run_id)).toMatchObject({ pause_reason: 'parked', attempts: 2, ended_at: null })
    expect(parked.get(busy.run_id)?.error).toContain('the log has')
    expect(parked.get(next.run_id)).toMatchObject({ state: 'cancelled', error: 'cancelled: not needed' })
  })
})

describe('the facts of a resumption', () => {
  test('count a step with an outcome as reused, and one without as run again', async () => {
    const working = gate()
    const let_go = gate()
    const stepper = (block: boolean) =>
      defineAgent('stepper', async (ctx) => {
        await ctx.step('a', () => 1)
        await ctx.step('b', () => 2)
        await ctx.step('c', async () => {
          working.open()
          if (block) await let_go.opened
        })
        return ctx.step('d', () => 4)
      })
    const other = defineAgent('other', (ctx) => ctx.step('x', () => 1))
    const first = await open({ agents: [stepper(true), other] })
    const root = await first.sessions.start({ role: 'orchestrator' })
    const run = await first.agents.startById({ agent_id: 'stepper', parent_id: root.id })
    const outside = await first.agents.startById({ agent_id: 'other' })
    await outside.result({ timeoutMs: 5000 })
    await working.opened
    const since = first.store.position()
    await first.close()
    let_go.open()

    const second = await open({ agents: [stepper(false), other] })
    await second.agents.wait(run.run_id, { timeout: 5000 })
    const facts = await stepFacts(second.store, root.id, { since })
    expect(facts).toMatchObject({ finishedBefore: 2, reused: 2, runAgain: 1, repeated: 0 })
    expect(facts.steps.runAgain).toMatchObject([
      { stream_id: run.run_id, key: 'step:c:1', kind: 'step', name: 'c' },
    ])
    expect(await stepFacts(second.store, run.run_id, { since, kinds: ['tool'] })).toMatchObject({
      finishedBefore: 0,
      runAgain: 0,
    })
    // At the end of the log everything is finished and nothing has been started since.
    const end = second.store.position()
    expect(await stepFacts(second.store, root.id, { since: end })).toMatchObject({
      finishedBefore: 4,
      reused: 4,
      runAgain: 0,
    })
  })

  test('would name a finished step that was started again', async () => {
    await using store = createMemoryEventStore()
    const step = (event_type: string, ordinal: number) => ({
      event_type,
      payload: { key: `step:a:${ordinal}`, kind: 'step', name: 'a', ordinal, seq: ordinal },
    })
    await record(store, 'run_1', { agent_id: 'a', parent_id: null })
    await store.append('run_1', [step('step.started', 1), step('step.completed', 1)])
    await store.append('run_1', [step('step.started', 2), step('step.failed', 2)])
    const since = store.position()
    await store.append('run_1', [step('step.started', 2)])
    expect(await stepFacts(store, 'run_1', { since })).toEqual({
      finishedBefore: 2,
      reused: 1,
      runAgain: 0,
      repeated: 1,
      steps: { runAgain: [], repeated: [{ stream_id: 'run_1', key: 'step:a:2', kind: 'step', name: 'a' }] },
    })
  })
})

/** The first event of a run, as the engine writes it. */
async function record(
  store: EventStore,
  run_id: string,
  of: { readonly agent_id: string; readonly parent_id: string | null },
): Promise<void> {
  const input = {
    run_id,
    session_id: run_id,
    owner_id: run_id,
    role: 'workagent',
    project: 'p',
    name: null,
    tags: [],
    ...of,
  }
  await store.append(run_id, [
    { event_type: 'agent.created', machine: 'agent@1', state: 'created', payload: { input } },
  ])
}
