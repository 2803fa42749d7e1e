/** What an event says, in half a line: the part of its payload that a reader of the log looks for. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { unopenedIn } from '../../eventstore/sealing/sealed-value.ts'
import { redactedPayload } from '../query/redacted.ts'
import { printable, shortened } from './printable.ts'

/** A line of the log is for finding things; `why` and `--json` tell them in full. */
const LONGEST = 160

type Payload = {
  readonly input?: {
    readonly agent_id?: string
    readonly name?: string | null
    readonly role?: string
    readonly tool?: string
  }
  readonly key?: string
  readonly error?: {
    readonly message?: string
    readonly details?: { readonly reason?: unknown; readonly hook?: unknown }
  }
  readonly output?: unknown
  readonly testimony?: readonly {
    readonly hook: string
    readonly allowed: boolean
    readonly reason?: string
  }[]
  readonly refused?: string
  readonly by?: string
  readonly reason?: string
  readonly count?: number
  readonly lines?: readonly string[]
  readonly handoff?: { readonly type: string; readonly from: string; readonly to: string }
  readonly handoff_id?: string
  readonly name?: string
  readonly phase?: string
  readonly percent?: number
  readonly machine?: string
  readonly attempt?: number
  readonly what?: string
  readonly tokens?: number
  readonly cost_micro_usd?: number
}

/** One printable line, without what looks like a secret; empty if the type says it all. */
export function eventSummary(event: RecordedEvent): string {
  const unopened = unopenedIn(event)
  if (unopened !== undefined) return unopened
  const payload = redactedPayload(event)
  if (typeof payload !== 'object' || payload === null) return ''
  return shortened(printable(told(event, payload)), LONGEST)
}

function told(event: RecordedEvent, payload: Payload): string {
  switch (event.event_type) {
    case 'session.created':
      return [payload.input?.role, payload.input?.name].filter(Boolean).join(' ')
    case 'agent.created':
      return payload.input?.agent_id ?? ''
    case 'tool.requested':
      return payload.input?.tool ?? ''
    case 'tool.judged':
      return judged(event, payload)
    case 'runtime.refused':
      return `${payload.refused} by ${payload.by}: ${payload.reason}${times(payload.count)}`
    case 'step.started':
    case 'step.completed':
      return payload.key ?? ''
    case 'step.failed':
      return `${payload.key}: ${complaint(payload)}`
    case 'agent.failed':
    case 'agent.parked':
    case 'tool.failed':
      return complaint(payload)
    case 'agent.succeeded':
    case 'tool.succeeded':
      return payload.output === undefined || payload.output === null ? '' : JSON.stringify(payload.output)
    case 'agent.cancelled':
    case 'session.paused':
    case 'session.completed':
      return payload.reason ?? ''
    case 'agent.began':
      return payload.attempt === 1 ? '' : `attempt ${payload.attempt}`
    case 'agent.spent':
      return `${payload.what ?? ''} $${((payload.cost_micro_usd ?? 0) / 1e6).toFixed(4)}, ${payload.tokens ?? 0} tokens`.trim()
    case 'agent.logged':
      return logged(payload.lines ?? [])
    case 'handoff.generated':
    case 'handoff.received':
      return payload.handoff === undefined
        ? ''
        : `${payload.handoff.type} ${payload.handoff.from} → ${payload.handoff.to}`
    case 'handoff.claimed':
      return payload.handoff_id ?? ''
    case 'session.named':
      return payload.name ?? ''
    case 'session.progressed':
      return [payload.phase, payload.percent === undefined ? undefined : `${payload.percent} %`]
        .filter(Boolean)
        .join(' ')
    case 'machine.registered':
      return payload.machine ?? ''
    case 'agent.started':
    case 'session.active':
    case 'session.resumed':
    case 'tool.started':
      return ''
    default:
      return Object.keys(payload).length === 0 ? '' : JSON.stringify(payload)
  }
}

/** A denial's message says at length what its reason says. */
function complaint({ error }: Payload): string {
  const { hook, reason } = error?.details ?? {}
  if (typeof hook === 'string' && typeof reason === 'string') return `denied by hook:${hook}: ${reason}`
  return error?.message ?? ''
}

function judged({ state }: RecordedEvent, { testimony = [] }: Payload): string {
  const no = testimony.find((word) => !word.allowed)
  if (state === 'settled') return `denied by hook:${no?.hook ?? ''}: ${no?.reason ?? 'without a reason'}`
  return testimony.length === 0
    ? 'allowed: no hook was asked'
    : `allowed by ${testimony.map((w) => w.hook).join(', ')}`
}

function logged(lines: readonly string[]): string {
  const [first = ''] = lines
  return lines.length > 1 ? `${first} (+${lines.length - 1} lines)` : first
}

function times(count: number | undefined): string {
  return (count ?? 1) > 1 ? ` (${count} times)` : ''
}
