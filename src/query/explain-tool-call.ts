/** Why a tool call went as it did: who asked, what each hook said, what it amounted to, how it ended. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import type { Testimony } from '../../machines/testimony.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { briefOf, type EventBrief } from './events.ts'
import type { Told, ToolCallExplained, Word } from './explanation.ts'
import type { Surroundings } from './surroundings.ts'

type Core = Omit<ToolCallExplained, 'ancestors' | 'causes' | 'correlation_id' | 'event'>

/** Reads the call's stream; the recorded states say what the machine decided, so no code is needed. */
export async function explainToolCall(
  store: Pick<EventStore, 'readStream'>,
  callId: string,
  around: Surroundings,
): Promise<Core> {
  const call = around.calls.get(callId)
  if (call === undefined) throw new Error(`"${callId}" is no tool call`)
  const events: EventBrief[] = []
  let testimony: readonly Testimony[] = []
  let verdict: ToolCallExplained['verdict'] = 'pending'
  let outcome: ToolCallExplained['outcome'] = 'open'
  let error: Told | null = null
  let attempts = 0
  let refusal: Refusal | Testimony | undefined
  for await (const event of store.readStream(callId)) {
    events.push(briefOf(event))
    const payload = event.payload as unknown as CallFact
    if (event.event_type === 'tool.judged') {
      testimony = payload.testimony ?? []
      verdict = (typeof event.state === 'string' ? VERDICTS[event.state] : undefined) ?? 'allowed'
      refusal = testimony.find((word) => !word.allowed)
    }
    // A person has decided, or what it needed was not there.
    if (event.event_type === 'tool.approved') verdict = 'allowed'
    if (event.event_type === 'tool.denied') {
      verdict = 'denied'
      refusal = {
        by: payload.by ?? '',
        reason: payload.reason ?? '',
        alternatives: payload.alternatives ?? [],
      }
    }
    if (event.event_type === 'tool.started') attempts += 1
    if (event.event_type === 'tool.failed' && payload.error !== undefined) error = toldOf(payload.error)
    outcome = OUTCOMES[event.event_type] ?? (verdict === 'denied' ? 'denied' : outcome)
  }
  const no = verdict === 'denied' ? refusal : undefined
  return {
    kind: 'tool_call',
    call_id: callId,
    tool: call.tool,
    asked_by: {
      run_id: call.run_id,
      agent_id: around.tree.nodes.get(call.run_id)?.agent_id ?? null,
      session_id: call.session_id,
      role: call.agent_role,
      project: call.project,
    },
    asked_at: call.at,
    step: await stepOfCall(store, call.run_id, callId),
    capabilities: call.capabilities,
    parameters: redactSecrets(call.parameters),
    estimated_cost: call.estimated_cost,
    testimony: testimony.map(wordOf),
    verdict,
    by: no === undefined ? null : 'hook' in no ? `hook:${no.hook}` : no.by,
    reason: no === undefined ? null : (no.reason ?? 'denied without a reason'),
    alternatives: no?.alternatives ?? [],
    outcome,
    error,
    attempts,
    events,
  }
}

type Refusal = { readonly by: string; readonly reason: string; readonly alternatives: readonly string[] }

type CallFact = Partial<Refusal> & {
  readonly testimony?: readonly Testimony[]
  readonly error?: ErrorRecord
}

/** By the state that the hooks' words led to. */
const VERDICTS: Readonly<Record<string, ToolCallExplained['verdict']>> = {
  settled: 'denied',
  waiting: 'pending',
}

const OUTCOMES: Readonly<Record<string, ToolCallExplained['outcome']>> = {
  'tool.succeeded': 'succeeded',
  'tool.failed': 'failed',
  'tool.doubted': 'in_doubt',
}

export function wordOf({ hook, allowed, reason, alternatives, duration_ms, trouble }: Testimony): Word {
  return {
    hook,
    allowed,
    reason: reason ?? null,
    alternatives: alternatives ?? [],
    duration_ms,
    trouble: trouble ?? null,
  }
}

export function toldOf(error: ErrorRecord): Told {
  return { name: error.name, message: messageOf(error), code: error.code ?? null }
}

/** The message; of a denial, which says at length what its reason says, who denied and why. */
export function messageOf(error: ErrorRecord): string {
  const { hook, reason } = error.details ?? {}
  if (typeof hook === 'string' && typeof reason === 'string') return `denied by hook:${hook}: ${reason}`
  return error.message
}

/** The durable step that prepared this call, in the run's own stream. */
async function stepOfCall(
  store: Pick<EventStore, 'readStream'>,
  runId: string,
  callId: string,
): Promise<ToolCallExplained['step']> {
  for await (const event of store.readStream(runId)) {
    if (event.event_type !== 'step.started') continue
    const { key, data } = event.payload as { key: string; data?: { call_id?: string } | null }
    if (data?.call_id === callId) return { key, version: event.version }
  }
  return null
}
