/** Why a run stands where it stands: its outcome, its error, what it waits for, its last steps. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import { briefOf } from './events.ts'
import { messageOf, toldOf } from './explain-tool-call.ts'
import type { RunExplained, StepTold, Told } from './explanation.ts'
import type { Surroundings } from './surroundings.ts'
import type { TreeNode } from './tree.ts'

type Core = Omit<RunExplained, 'ancestors' | 'causes' | 'correlation_id' | 'event'>

const LAST_STEPS = 5
const LAST_LOGS = 5

/** Reads the run's stream as far as it goes. */
export async function explainRun(
  store: Pick<EventStore, 'readStream'>,
  node: TreeNode,
  around: Surroundings,
): Promise<Core> {
  const steps = new Map<string, StepTold>()
  let logs: readonly string[] = []
  let error: Told | null = null
  let parked: Told | null = null
  let last: RecordedEvent | undefined
  for await (const event of store.readStream(node.id)) {
    last = event
    const payload = event.payload as unknown as Payload
    if (event.event_type.startsWith('step.')) noteStep(steps, event, payload)
    if (event.event_type === 'agent.logged') logs = [...logs, ...(payload.lines ?? [])].slice(-LAST_LOGS)
    if (event.event_type === 'agent.parked' && payload.error !== undefined) parked = toldOf(payload.error)
    if (event.event_type === 'session.resumed') parked = null
    if (event.state === 'completed') error ??= endOf(event, payload)
  }
  if (last === undefined) throw new Error(`"${node.id}" has no events`)
  const started = node.started_at ?? node.created_at
  return {
    kind: 'run',
    run_id: node.id,
    agent_id: node.agent_id ?? '',
    role: node.role,
    project: node.project,
    task_description: node.task_description ?? '',
    state: node.state,
    error,
    parked,
    pause_reason: node.pause_reason,
    attempts: node.attempts,
    steps_done: node.steps_done,
    started_at: node.started_at,
    ended_at: node.ended_at,
    duration_ms: node.ended_at === null ? null : Date.parse(node.ended_at) - Date.parse(started),
    last_steps: [...steps.values()].slice(-LAST_STEPS),
    last_logs: logs,
    refusals: around.refusals.filter((refusal) => refusal.who === node.id),
    last_event: briefOf(last),
  }
}

type Payload = {
  readonly key?: string
  readonly data?: { readonly call_id?: string } | null
  readonly error?: ErrorRecord
  readonly lines?: readonly string[]
  readonly reason?: string
}

function noteStep(steps: Map<string, StepTold>, event: RecordedEvent, payload: Payload): void {
  const key = payload.key ?? ''
  const known = steps.get(key)
  const state = STEP_STATES[event.event_type] ?? 'open'
  // Taken out and put back, so that the order is that of the last thing that happened to each.
  steps.delete(key)
  steps.set(key, {
    key,
    version: event.version,
    at: event.timestamp,
    state,
    error: payload.error === undefined ? null : messageOf(payload.error),
    call_id: payload.data?.call_id ?? known?.call_id ?? null,
  })
}

const STEP_STATES: Readonly<Record<string, StepTold['state']>> = {
  'step.started': 'open',
  'step.completed': 'completed',
  'step.failed': 'failed',
}

function endOf(event: RecordedEvent, payload: Payload): Told | null {
  switch (event.event_type) {
    case 'agent.failed':
      return payload.error === undefined ? null : toldOf(payload.error)
    case 'agent.cancelled':
      return { name: 'Cancelled', message: payload.reason ?? 'cancelled', code: null }
    case 'agent.deadline':
      return { name: 'TimedOut', message: 'its deadline passed before it ended', code: null }
    default:
      return null
  }
}
