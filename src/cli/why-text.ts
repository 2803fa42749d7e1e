/** An explanation as a person reads it: the answer in the first line, the evidence below it. */
import type {
  Ancestor,
  Explanation,
  FactExplained,
  RefusalExplained,
  RunExplained,
  SessionExplained,
  ToolCallExplained,
  Word,
} from '../query/explanation.ts'
import type { EventBrief } from '../query/events.ts'
import type { RefusalFact } from '../query/refusals.ts'
import { fieldLines, type Field } from './fields.ts'
import type { CliOutput, Style } from './output.ts'
import { printable, readableTime, shortened } from './printable.ts'

/** One line of evidence; the whole of it is in the log. */
const LONGEST = 200

/** The answer, line by line. */
export function whyLines(explanation: Explanation, output: CliOutput): string[] {
  const { headline, style, fields } = answer(explanation)
  const shared: Field[] = [
    ['asked about', explanation.event === null ? null : eventText(explanation.event)],
    ['caused by', explanation.causes.map(eventText)],
    ['belongs to', explanation.ancestors.map(actorText)],
  ]
  return [output.paint(style, printable(headline)), ...fieldLines([...fields, ...shared], output)]
}

/** What to type next, most useful first; `command` is how a command about this project begins. */
export function followUps(explanation: Explanation, command: string): string[] {
  switch (explanation.kind) {
    case 'tool_call': {
      const { step, asked_by } = explanation
      const before = Math.max(1, (step?.version ?? 1) - 1)
      return step === null
        ? []
        : [`the run before it asked: ${command} show ${asked_by.run_id} --at ${before}`]
    }
    case 'refusal':
      return explanation.version < 1
        ? []
        : [`its state then: ${command} show ${explanation.refusal.who} --at ${explanation.version}`]
    case 'run':
      return [
        ...refusalHint(explanation.refusals, command),
        `every event: ${command} log ${explanation.run_id}`,
      ]
    case 'session':
      return [
        ...refusalHint(explanation.refusals, command),
        `every event: ${command} log ${explanation.session_id}`,
      ]
    case 'fact':
      return [`every event: ${command} log ${explanation.stream_id}`]
  }
}

function refusalHint(refusals: readonly RefusalFact[], command: string): string[] {
  const [first] = refusals
  if (first === undefined) return []
  return [`why it was refused: ${command} why ${first.call_id ?? first.event_id}`]
}

type Answer = { readonly headline: string; readonly style: Style; readonly fields: readonly Field[] }

function answer(explanation: Explanation): Answer {
  switch (explanation.kind) {
    case 'tool_call':
      return toolCallAnswer(explanation)
    case 'refusal':
      return refusalAnswer(explanation)
    case 'run':
      return runAnswer(explanation)
    case 'session':
      return sessionAnswer(explanation)
    case 'fact':
      return factAnswer(explanation)
  }
}

function toolCallAnswer(call: ToolCallExplained): Answer {
  const { asked_by, step } = call
  const denied = call.verdict === 'denied'
  const who = asked_by.agent_id === null ? asked_by.run_id : `${asked_by.agent_id} (${asked_by.run_id})`
  return {
    headline: denied
      ? `"${call.tool}" was denied by ${call.by}: ${call.reason}`
      : `"${call.tool}" ${CALL_OUTCOMES[call.outcome]}${call.error === null ? '' : `: ${call.error.message}`}`,
    style: denied ? 'yellow' : call.outcome === 'failed' ? 'red' : 'bold',
    fields: [
      ['call', call.call_id],
      ['asked by', `${who}, ${asked_by.role} in project ${asked_by.project}`],
      ['asked at', readableTime(call.asked_at)],
      ['in step', step === null ? null : `${step.key} (version ${step.version} of its stream)`],
      ['capabilities', call.capabilities.join(', ')],
      ['parameters', JSON.stringify(call.parameters)],
      ['estimate', call.estimated_cost === null ? 'none' : `$${call.estimated_cost}`],
      ['hooks', call.testimony.length === 0 ? hookless(call) : call.testimony.map(wordText)],
      ['verdict', call.verdict],
      ['outcome', call.outcome],
      ['attempts', call.attempts > 0 ? String(call.attempts) : null],
      ['instead', call.alternatives],
      ['events', call.events.map(eventText)],
    ],
  }
}

const CALL_OUTCOMES: Readonly<Record<ToolCallExplained['outcome'], string>> = {
  denied: 'was denied',
  failed: 'failed',
  in_doubt: 'is in doubt: it was begun, and nobody knows whether it happened',
  open: 'has not ended',
  succeeded: 'succeeded',
}

function hookless({ verdict }: ToolCallExplained): string {
  return verdict === 'pending' ? 'none has testified yet' : 'none is triggered by it'
}

function refusalAnswer({ refusal, total, version, state }: RefusalExplained): Answer {
  return {
    headline: `"${refusal.what}" was refused by ${refusal.by}: ${refusal.reason}`,
    style: 'yellow',
    fields: [
      ['refused', nameOf(refusal)],
      ['refused at', readableTime(refusal.at)],
      ['by', refusal.by],
      ['reason', refusal.reason],
      ['instead', refusal.alternatives],
      ['times', total > 1 ? `${total} in all` : 'once'],
      ['with', textOf(refusal.parameters) === '{}' ? null : textOf(refusal.parameters)],
      ['it was', `${textOf(state)} at version ${version}`],
    ],
  }
}

function runAnswer(run: RunExplained): Answer {
  const why = run.parked ?? run.error
  const bad = run.state === 'failed' || run.state === 'timed_out'
  return {
    headline: `${run.agent_id} ${RUN_STATES[run.state] ?? run.state}${why === null ? '' : `: ${why.message}`}`,
    style: bad ? 'red' : run.state === 'parked' || run.state === 'paused' ? 'yellow' : 'bold',
    fields: [
      ['run', `${run.run_id}, ${run.role} in project ${run.project}`],
      ['task', run.task_description],
      ['error', why === null ? null : [why.name, why.code].filter((part) => part !== null).join(' ')],
      ['paused', run.state === 'paused' ? run.pause_reason : null],
      ['started', run.started_at === null ? 'not yet' : readableTime(run.started_at)],
      ['ended', run.ended_at === null ? null : `${readableTime(run.ended_at)}, after ${run.duration_ms} ms`],
      ['attempts', String(run.attempts)],
      ['steps done', String(run.steps_done)],
      ['last steps', run.last_steps.map(stepText)],
      ['last logs', run.last_logs],
      ['refused', run.refusals.map(refusalText)],
      ['last event', eventText(run.last_event)],
    ],
  }
}

const RUN_STATES: Readonly<Record<string, string>> = {
  queued: 'is queued',
  running: 'was running when the log ended',
  paused: 'is paused',
  parked: 'is parked',
  cancelled: 'was cancelled',
  timed_out: 'timed out',
}

function stepText({ key, state, error, call_id, version }: RunExplained['last_steps'][number]): string {
  const call = call_id === null ? '' : ` (${call_id})`
  return `${version}  ${key} ${state}${call}${error === null ? '' : `: ${shortened(error, LONGEST)}`}`
}

function sessionAnswer(session: SessionExplained): Answer {
  const reason = session.state === 'paused' ? session.pause_reason : session.end_reason
  const why = reason === session.state ? null : reason
  const { handoffs } = session
  return {
    headline: `${session.name ?? session.session_id} is ${session.state}${why === null ? '' : `: ${why}`}`,
    style: session.state === 'paused' ? 'yellow' : 'bold',
    fields: [
      ['session', `${session.session_id}, ${session.role} in project ${session.project}`],
      ['tags', session.tags.join(', ')],
      [
        'phase',
        [session.phase, session.percent === null ? null : `${session.percent} %`]
          .filter((part) => part !== null)
          .join(', '),
      ],
      [
        'handoffs',
        `${handoffs.sent} sent, ${handoffs.received} received, ${handoffs.unclaimed} of them unclaimed`,
      ],
      ['started', session.children.map(actorText)],
      ['refused', session.refusals.map(refusalText)],
      ['last event', eventText(session.last_event)],
    ],
  }
}

function factAnswer(fact: FactExplained): Answer {
  const told = fact.event ?? fact.last_event
  return {
    headline: `${told.event_type}${fact.state === null ? '' : ` led to ${textOf(fact.state)}`}`,
    style: 'bold',
    fields: [
      ['stream', fact.machine === '' ? fact.stream_id : `${fact.stream_id} (${fact.machine})`],
      ['by', told.source_agent],
      ['hooks', fact.testimony.map(wordText)],
      ['says', shortened(JSON.stringify(fact.payload), 2 * LONGEST)],
      ['led to', fact.effects.map(eventText)],
      ['refused', fact.refusals.map(refusalText)],
      ['last event', told.event_id === fact.last_event.event_id ? null : eventText(fact.last_event)],
    ],
  }
}

function wordText({ hook, allowed, reason, duration_ms, trouble }: Word): string {
  const said =
    trouble === null ? (allowed ? 'allowed' : 'denied') : `denied, because it ${TROUBLES[trouble] ?? trouble}`
  return `${hook} ${said} after ${duration_ms} ms${reason === null ? '' : `: ${reason}`}`
}

const TROUBLES: Readonly<Record<string, string>> = {
  threw: 'threw',
  timed_out: 'did not answer in time',
  malformed: 'gave no proper answer',
}

function refusalText(refusal: RefusalFact): string {
  const often = refusal.count > 1 ? ` (${refusal.count} times)` : ''
  return `${nameOf(refusal)}: "${refusal.what}" by ${refusal.by}: ${refusal.reason}${often}`
}

function nameOf({ agent_id, name, who }: RefusalFact): string {
  const known = agent_id ?? name
  return known === null ? who : `${known} (${who})`
}

function actorText({ id, kind, role, agent_id, name, state }: Ancestor): string {
  const known = agent_id ?? name
  return `${kind} ${known === null ? id : `${known} (${id})`}, ${role}, ${state}`
}

function eventText({ position, stream_id, version, event_type, at, event_id }: EventBrief): string {
  return `${event_type} (position ${position}, version ${version} of ${stream_id}, ${readableTime(at)}, event ${event_id})`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
