/** How a run has ended, from the event that ended it and what its handler had so far. */
import type { AgentEvent } from './agent-events.ts'
import type { AgentContext } from './agent-record.ts'

/** Nothing for an event that ends no run. */
export function outcomeOf(context: AgentContext, event: AgentEvent): Partial<AgentContext> {
  const remains = context.partial === null ? {} : { partial: context.partial.value }
  switch (event.type) {
    case 'agent.succeeded':
      return { outcome: { kind: 'succeeded', output: event.output ?? null }, end_reason: 'completed' }
    case 'agent.failed':
      return { outcome: { kind: 'failed', error: event.error, ...remains }, end_reason: 'interrupted' }
    case 'agent.cancelled':
      return { outcome: { kind: 'cancelled', reason: event.reason, ...remains }, end_reason: 'exit' }
    case 'agent.deadline': {
      const { deadline_ms } = context
      return { outcome: { kind: 'timed_out', deadline_ms, ...remains }, end_reason: 'interrupted' }
    }
    default:
      return {}
  }
}
