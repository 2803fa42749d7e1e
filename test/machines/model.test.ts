/** Every way through our machines, walked in the graph, on a real log, and once more after opening it again: always the same state. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { initialTransition, transition, type AnyMachineSnapshot, type AnyStateMachine } from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { agentMachine, type AgentContext, type AgentEvent } from '../../machines/agent.machine.ts'
import { approvalMachine, type ApprovalContext, type ApprovalEvent } from '../../machines/approval.machine.ts'
import { sessionMachine, type SessionEvent } from '../../machines/session.machine.ts'
import type { Testimony } from '../../machines/testimony.ts'
import { toolCallMachine, type ToolCallEvent } from '../../machines/tool-call.machine.ts'
import { budgetMachine, type BudgetContext, type BudgetEvent } from '../../machines/budget.machine.ts'
import { inboxMachine, type InboxContext, type InboxEvent } from '../../machines/inbox.machine.ts'
import { OUR_MACHINES } from '../../machines/our-machines.ts'
import { projectMachine, type ProjectContext, type ProjectEvent } from '../../machines/project.machine.ts'
import { webhookMachine, type WebhookContext, type WebhookEvent } from '../../machines/webhook.machine.ts'
import { createEngine, type Engine } from '../../src/runtime/engine.ts'
import { createTestClock } from '../../src/testing/test-clock.ts'
import { ownEvents, uncovered } from './walk-coverage.ts'

type Model = {
  readonly machine: AnyStateMachine
  readonly input: Record<string, unknown>
  readonly events: readonly { readonly type: string }[]
  /** What of a context tells two states apart; the rest would make the graph infinite. */
  readonly facets: (context: never) => unknown
  readonly states: readonly string[]
}

const at = '2030-01-01T00:00:00.000Z'
const yes: Testimony[] = [{ hook: 'a', allowed: true, duration_ms: 1 }]
const no: Testimony[] = [{ hook: 'a', allowed: false, reason: 'not now', duration_ms: 1 }]
const silent: Testimony[] = [{ hook: 'a', allowed: false, trouble: 'timed_out', duration_ms: 1 }]
const asks: Testimony[] = [
  { hook: 'a', allowed: false, requires_approval: true, reason: 'ask', duration_ms: 1 },
]
const later = '2030-01-01T00:00:05.000Z'
const late = '2030-01-03T00:00:00.000Z'
const error = { name: 'Error', message: 'no luck' }
const ref = { key: 'step:a:1', kind: 'step', name: 'a', ordinal: 1, seq: 0, at }
const handoff = {
  handoff_id: 'hand_1',
  type: 'supervisor_to_workagent',
  context: { current_phase: 'two' },
  from: 'sess_1',
  to: 'run_1',
  at,
  claimed_by: null,
}
const judged = <T extends string>(type: T, rest = {}) =>
  [yes, no, silent].map((testimony) => ({ type, testimony, at, ...rest }))

const facts = [
  { type: 'session.named', name: 'n', tags: ['t'], at },
  { type: 'session.progressed', phase: 'one', percent: 5, at },
  { type: 'handoff.generated', handoff, at },
  { type: 'handoff.received', handoff, at },
  { type: 'handoff.claimed', handoff_id: 'hand_1', by: 'run_1', at },
  { type: 'session.tagged', add: ['u'], remove: ['t'], at },
  { type: 'session.decided', what: 'w', why: 'y', alternatives: [], at },
  { type: 'session.artifact_added', name: 'a', uri: 'file:a', at },
  { type: 'session.spent', tokens: 1, cost_micro_usd: 2, what: '', spend_id: 'sp_1', at },
  { type: 'session.context_reported', context_tokens: 9, context_window: 10, at },
  { type: 'session.context_high', percent: 90, at },
  { type: 'session.checkpoint_due', since: at, at },
  { type: 'session.continued', to_session: 'sess_2', at },
]
const sessionInput = {
  session_id: 'sess_1',
  role: 'supervisor',
  project: 'p',
  kind: 'foreground',
  parent_id: null,
  name: null,
  tags: [],
  at,
}

const MODELS: Readonly<Record<string, Model>> = {
  session: {
    machine: sessionMachine,
    input: sessionInput,
    events: [
      ...judged('session.active'),
      ...judged('session.paused', { reason: 'lunch' }),
      ...judged('session.resumed'),
      ...judged('session.completed', { reason: 'completed' }),
      { type: 'session.archived', at },
      ...facts,
    ] as SessionEvent[],
    facets: ({ name, pause_reason, received, sent }: AgentContext) => [
      name,
      pause_reason,
      received.map((one) => one.claimed_by),
      sent.length,
    ],
    states: ['created', 'active', 'paused', 'completed', 'archived'],
  },
  agent: {
    machine: agentMachine,
    input: {
      ...sessionInput,
      session_id: 'run_1',
      run_id: 'run_1',
      agent_id: 'a',
      task_description: '',
      owner_id: 'run_1',
      input: null,
      deadline_ms: 1e9,
    },
    events: [
      ...judged('agent.started'),
      { type: 'agent.began', attempt: 1, hooks: ['a'], at },
      { ...ref, type: 'step.started', attempt: 1, data: null, after: 0 },
      { ...ref, type: 'step.completed', attempt: 1, output: 1 },
      { ...ref, type: 'step.failed', attempt: 1, error },
      { ...ref, type: 'step.completed', attempt: 9 },
      { type: 'agent.observed', timed: true, at },
      { type: 'agent.partial', value: { rows: 1 }, own: true, attempt: 1, at },
      { type: 'agent.partial', value: { rows: 2 }, own: false, attempt: 9, at },
      { type: 'agent.heartbeat', details: { row: 7 }, attempt: 1, at },
      { type: 'agent.lost', error, retry_at: later, attempt: 1, at },
      { type: 'agent.lost', error, retry_at: later, attempt: 9, at },
      { type: 'agent.waiting', approval_id: 'appr_1', at },
      { type: 'agent.went_on', approval_id: 'appr_1', at: later },
      { type: 'agent.logged', lines: ['l'], own: 1, at },
      { type: 'agent.spent', tokens: 1, cost_micro_usd: 2, what: '', spend_id: 's', at },
      { type: 'command.started', key: 'k', process: {}, at },
      { type: 'loop.warned', period: 1, repetitions: 3, calls: ['a'], at },
      { type: 'loop.stopped', period: 1, repetitions: 5, calls: ['a'], at },
      { type: 'agent.succeeded', output: 1, at },
      { type: 'agent.failed', error, at },
      { type: 'agent.parked', error, at },
      { type: 'agent.deadline', at },
      ...judged('agent.cancelled', { reason: 'enough' }),
      ...judged('session.paused', { reason: 'lunch' }),
      ...judged('session.resumed'),
      { type: 'session.archived', at },
      ...facts,
    ] as AgentEvent[],
    facets: ({ outcome, parked, attempts, waiting_for }: AgentContext) => [
      outcome,
      parked,
      Math.min(attempts, 1),
      waiting_for,
    ],
    states: ['created', 'active', 'paused', 'completed', 'archived'],
  },
  toolCall: {
    machine: toolCallMachine,
    input: {
      call_id: 'call_1',
      tool: 't',
      capabilities: ['execute:x'],
      parameters: {},
      run_id: 'run_1',
      session_id: 'sess_1',
      agent_role: 'workagent',
      project: 'p',
      estimated_cost: null,
      at,
    },
    events: [
      ...judged('tool.judged'),
      { type: 'tool.judged', testimony: asks, approval_id: 'appr_1', at },
      { type: 'tool.judged', testimony: asks, at },
      { type: 'tool.approved', approval_id: 'appr_1', by: 'me', at },
      { type: 'tool.approved', approval_id: 'appr_2', by: 'me', at },
      { type: 'tool.denied', by: 'me', reason: 'no', alternatives: [], at },
      { type: 'tool.started', at },
      { type: 'tool.succeeded', output: { n: 1 }, at },
      { type: 'tool.failed', error, at },
      { type: 'tool.doubted', at },
      { type: 'tool.cleared', by: 'me', at },
    ] as ToolCallEvent[],
    facets: ({ outcome, attempts, in_doubt }: { outcome: unknown; attempts: number; in_doubt: boolean }) => [
      outcome,
      Math.min(attempts, 2),
      in_doubt,
    ],
    states: ['requested', 'waiting', 'judged', 'executing', 'settled'],
  },
  webhook: {
    machine: webhookMachine,
    input: { webhook_id: 'webhook_run_1', run_id: 'run_1', url: 'https://example.org/', at },
    events: [
      { type: 'webhook.fired', body: '{}', at },
      { type: 'webhook.delivered', status: 200, at },
      { type: 'webhook.failed', error: 'HTTP 500', at },
      // What its timer says; a test may say it earlier.
      { type: 'webhook.due' },
      { type: 'webhook.retried', by: 'me', at },
    ] as WebhookEvent[],
    facets: ({ attempts, last_error, body }: WebhookContext) => [attempts, last_error, body],
    states: ['armed', 'sending', 'waiting', 'dead', 'delivered'],
  },
  project: {
    machine: projectMachine,
    input: { project: 'p', at },
    events: [
      { type: 'backlog.added', item: { slug: 's' }, at },
      { type: 'backlog.removed', slug: 's', reason: 'done', at },
      { type: 'blocker.resolved', session_id: 'sess_1', blocker: 'b', resolution: 'r', at },
      { type: 'blocker.escalated', session_id: 'sess_1', feature: 'f', blockers: ['b'], at },
      { type: 'task.opened', task_id: 't', message: 'm', at },
      { type: 'task.done', task_id: 't', answer: 'a', at },
      {
        type: 'notice.requested',
        notice_id: 'n',
        dedup_key: 'd',
        channel: '#c',
        message: 'm',
        details: {},
        at,
      },
      { type: 'notice.sent', notice_id: 'n', senders: ['console'], failures: [], at },
    ] as unknown as ProjectEvent[],
    facets: ({ backlog, tasks, pending, noticed, resolved, escalations }: ProjectContext) => [
      backlog.length,
      tasks.map(({ done_at }) => done_at),
      pending.length,
      noticed.length,
      Math.min(resolved.length, 1),
      Math.min(escalations.length, 1),
    ],
    states: ['open'],
  },
  inbox: {
    machine: inboxMachine,
    input: { session_id: 'sess_1', at },
    events: ['m1', 'm2'].flatMap((message_id) => [
      {
        type: 'inbox.delivered',
        message: {
          message_id,
          run_id: 'r',
          agent_id: 'a',
          outcome: { kind: 'succeeded', output: 1 },
          ended_at: at,
        },
        at,
      },
      { type: 'inbox.acked', message_id, at },
    ]) as InboxEvent[],
    facets: ({ messages, seen }: InboxContext) => [messages.map((one) => one.message_id), seen],
    states: ['open'],
  },
  budget: {
    machine: budgetMachine,
    input: {
      account: 'budget_agent_a',
      scope: 'agent',
      of: 'a',
      limit: { micro_usd: 10, tokens: null },
      at,
    },
    events: [
      {
        type: 'budget.reserved',
        call_id: 'call_1',
        run_id: 'run_1',
        amount: { micro_usd: 6, tokens: 1 },
        at,
      },
      {
        type: 'budget.reserved',
        call_id: 'call_2',
        run_id: 'run_1',
        amount: { micro_usd: 6, tokens: 1 },
        at,
      },
      { type: 'budget.spent', spend_id: 's', call_id: 'call_1', amount: { micro_usd: 5, tokens: 0 }, at },
      { type: 'budget.settled', call_id: 'call_1', at },
      { type: 'budget.released', call_id: 'call_1', at },
      { type: 'budget.warned', at },
      { type: 'budget.asked', approval_id: 'appr_1', at },
      { type: 'budget.raised', approval_id: 'appr_1', by: 'me', amount: { micro_usd: 4, tokens: 0 }, at },
      { type: 'budget.raised', approval_id: null, by: 'me', amount: { micro_usd: 4, tokens: 0 }, at },
      { type: 'budget.refused', approval_id: 'appr_1', reason: 'no', at },
      { type: 'budget.refused', approval_id: 'appr_2', reason: 'no', at },
      { type: 'budget.unasked', approval_id: 'appr_1', at },
      { type: 'budget.limited', limit: { micro_usd: 10, tokens: null }, at },
    ] as BudgetEvent[],
    facets: ({ reserved, raised, spent, warned }: BudgetContext) => [
      Object.keys(reserved),
      Math.min(raised.micro_usd, 4),
      Math.min(spent.micro_usd, 6),
      warned,
    ],
    states: ['open', 'asking', 'refused'],
  },
  approval: {
    machine: approvalMachine,
    input: {
      approval_id: 'appr_1',
      subject: 'tool',
      fingerprint: 'f',
      tool: 't',
      capabilities: [],
      parameters: {},
      call_id: 'call_1',
      run_id: 'run_1',
      session_id: 'sess_1',
      agent_role: 'workagent',
      project: 'p',
      estimated_cost: null,
      asked_by: 'a',
      reason: 'r',
      alternatives: [],
      ttl_ms: 1e9,
      expires_at: '2030-01-02T00:00:00.000Z',
      at,
    },
    events: [
      ...judged('approval.granted', { by: 'me', note: 'fine' }),
      { type: 'approval.denied', by: 'me', reason: 'no', at },
      { type: 'approval.reserved', call_id: 'call_1', fingerprint: 'f', at },
      { type: 'approval.reserved', call_id: 'call_2', fingerprint: 'f', at },
      { type: 'approval.reserved', call_id: 'call_1', fingerprint: 'g', at },
      { type: 'approval.reserved', call_id: 'call_1', fingerprint: 'f', at: late },
      { type: 'approval.released', reason: 'not begun', at },
      { type: 'approval.released', reason: 'not begun', at: late },
      { type: 'approval.consumed', at },
      { type: 'approval.doubted', at },
      { type: 'approval.withdrawn', reason: 'over', at },
    ] as ApprovalEvent[],
    facets: ({ reserved_by, released }: ApprovalContext) => [reserved_by, Math.min(released, 1)],
    states: ['requested', 'granted', 'reserved', 'in_doubt', 'consumed', 'denied', 'expired', 'withdrawn'],
  },
}

test('every machine of ours is walked', () => {
  expect(
    Object.values(MODELS)
      .map(({ machine }) => machine.id)
      .toSorted(),
  ).toEqual(OUR_MACHINES.map(({ id }) => id).toSorted())
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function withEngine<T>(machine: AnyStateMachine, work: (engine: Engine) => Promise<T>): Promise<T> {
  const store = await openLevelEventStore({ path: folder })
  const engine = await createEngine({
    store,
    machines: [machine],
    // Time stands still: a timer is one more event here, and not a surprise.
    clock: createTestClock(at),
    onError: (trouble) => {
      throw trouble
    },
  })
  try {
    return await work(engine)
  } finally {
    await engine.close()
    await store.close()
  }
}

const shown = (snapshot: unknown): unknown => {
  const { value, status, context } = snapshot as AnyMachineSnapshot
  return { value, status, context: JSON.parse(JSON.stringify(context)) as unknown }
}

describe.each(Object.entries(MODELS))('the machine "%s"', (_name, model) => {
  const { machine, input, events, facets } = model
  const paths = getShortestPaths(machine, {
    input: input,
    events: events as never[],
    serializeState: (state) =>
      JSON.stringify([
        (state as AnyMachineSnapshot).value,
        facets((state as AnyMachineSnapshot).context as never),
      ]) as never,
  })

  test('reaches each of its states', () => {
    const reached = new Set(paths.map((path) => String((path.state as AnyMachineSnapshot).value)))
    expect([...reached].toSorted()).toEqual([...model.states].toSorted())
  })

  test('takes each of its transitions, and each of its guards says yes and no, on these paths', () => {
    const further = [...events, ...ownEvents(machine)]
    const ways = paths.map((path) => path.steps.map((step) => step.event as { type: string }).filter(isOurs))
    // Two events further from one of the ways into each state, one from the others.
    const first = new Map(
      paths.map(({ state }, way) => [String((state as AnyMachineSnapshot).value), ways[way] ?? []]),
    )
    const twice = [...first.values()].flatMap((way) =>
      further.flatMap((a) => further.map((b) => [...way, a, b])),
    )
    const walks = [...ways.flatMap((way) => further.map((event) => [...way, event])), ...twice]
    expect(uncovered(machine, { input, walks })).toEqual({ transitions: [], guards: [] })
  })

  test('is in the same state by the graph, live on a log, and after opening it again, on every path and one event further', async () => {
    const walks = paths.flatMap((path, place) => {
      const steps = path.steps.map((step) => step.event as { type: string }).filter(isOurs)
      const further = events.map((event, index) => ({ id: `w${place}-${index}`, steps: [...steps, event] }))
      return [{ id: `w${place}`, steps }, ...further]
    })
    /** By walk: what the graph says, and what the log gave. */
    const pure = new Map<string, unknown>()
    const live = new Map<string, unknown>()
    const reopened = new Map<string, unknown>()
    /** Events that would have moved the machine and were not taken. */
    const lost: string[] = []
    await withEngine(machine, async (engine) => {
      await inChunks(walks, async ({ id, steps }) => {
        const actor = await engine.spawn(machine, { id, input })
        let state = initialTransition(machine, input as never)[0] as AnyMachineSnapshot
        for (const event of steps) {
          // An actor that is done takes nothing; the bare function would.
          const next = state.status === 'active' ? transition(machine, state, event as never)[0] : state
          const { accepted } = await actor.send(event)
          if (!accepted && !isDeepStrictEqual(shown(next), shown(state))) lost.push(`${id}: ${event.type}`)
          state = next as AnyMachineSnapshot
        }
        pure.set(id, shown(state))
        live.set(id, shown(actor.getSnapshot()))
      })
    })
    await withEngine(machine, async (engine) => {
      await inChunks(walks, async ({ id }) => {
        reopened.set(id, shown((await engine.get(machine, id))?.getSnapshot()))
      })
    })
    expect(lost).toEqual([])
    expect(live).toEqual(pure)
    expect(reopened).toEqual(pure)
    expect(pure.size).toBe(paths.length * (events.length + 1))
  })
})

/** The graph begins each path with XState's own event. */
function isOurs(event: { readonly type: string }): boolean {
  return !event.type.startsWith('xstate.')
}

async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += 64)
    await Promise.all(items.slice(from, from + 64).map(work))
}
