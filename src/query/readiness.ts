/** The production-readiness checklist, held against a log: what it shows, what it refutes, what it cannot tell. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { readHealth, type Health } from './health.ts'
import { reading, type Foldable } from './query-call.ts'
import { readMachines } from './recorded-machines.ts'

export type ReadinessAnswer = 'cannot_tell' | 'fail' | 'pass'

export type ReadinessRow = {
  readonly id: string
  readonly area: 'communication' | 'failure' | 'observability' | 'operations' | 'state'
  readonly asks: string
  readonly answer: ReadinessAnswer
  /** What was found in the log, or why it has no answer. */
  readonly because: string
  /** What to look at or to do; `null` for what passes. */
  readonly todo: string | null
}

export type Readiness = { readonly rows: readonly ReadinessRow[]; readonly health: Health }

export type ReadinessQuestion = { readonly now?: string | undefined }

/** What one reading of the log shows. */
type Evidence = {
  readonly health: Health
  /** Labels of machines whose definition is not recorded. */
  readonly undefinedMachines: readonly string[]
  readonly actorEvents: number
  readonly uncorrelated: RecordedEvent | undefined
  readonly runs: number
  readonly withoutDeadline: string | undefined
  readonly restarted: number
  readonly refusals: number
  readonly messages: number
}

type Verdict = Pick<ReadinessRow, 'answer' | 'because'> & { readonly todo?: string }
type Check = Pick<ReadinessRow, 'area' | 'asks' | 'id'> & { readonly look: (seen: Evidence) => Verdict }

/** Rows about documents and about code never pass by themselves: a log cannot show them. */
export async function readReadiness(source: Foldable, question: ReadinessQuestion = {}): Promise<Readiness> {
  const health = await readHealth(source, { deep: true, ...question })
  const evidence = await gather(source, health)
  const rows = CHECKS.map(({ look, ...row }) => {
    const { answer, because, todo } = look(evidence)
    return { ...row, answer, because, todo: todo ?? null }
  })
  return { rows, health }
}

async function gather({ log, signal }: Foldable, health: Health): Promise<Evidence> {
  const known = new Set((await readMachines(log, { signal })).map(({ machine }) => machine))
  const seen = { actorEvents: 0, runs: 0, restarted: 0, refusals: 0, messages: 0 }
  let uncorrelated: RecordedEvent | undefined
  let withoutDeadline: string | undefined
  // What cannot be read is told by the health already.
  if (health.integrity?.ok === false)
    return { health, undefinedMachines: [], uncorrelated, withoutDeadline, ...seen }
  for await (const event of log.readAll(reading({ signal }))) {
    if (event.event_type === 'runtime.refused') seen.refusals += 1
    if (event.machine === '') continue
    seen.actorEvents += 1
    if (event.correlation_id === '') uncorrelated ??= event
    if (event.source_agent !== '' && event.source_agent !== event.stream_id) seen.messages += 1
    if (event.event_type === 'agent.created') {
      seen.runs += 1
      const { input } = event.payload as { input?: { deadline_ms?: unknown } }
      if (typeof input?.deadline_ms !== 'number') withoutDeadline ??= event.stream_id
    }
    const { attempt } = event.payload as { attempt?: number }
    if (event.event_type === 'agent.began' && (attempt ?? 1) > 1) seen.restarted += 1
  }
  const undefinedMachines = health.machines.map(({ machine }) => machine).filter((label) => !known.has(label))
  return { health, undefinedMachines, uncorrelated, withoutDeadline, ...seen }
}

const pass = (because: string): Verdict => ({ answer: 'pass', because })
const fail = (because: string, todo: string): Verdict => ({ answer: 'fail', because, todo })
const cannotTell = (because: string, todo: string): Verdict => ({ answer: 'cannot_tell', because, todo })
const document =
  (todo: string): (() => Verdict) =>
  () =>
    cannotTell('a log does not hold documents', todo)
const code =
  (what: string, todo: string): (() => Verdict) =>
  () =>
    cannotTell(`${what} is code or configuration, and not in the log`, todo)

const CHECKS: readonly Check[] = [
  {
    id: 'P-130',
    area: 'communication',
    asks: 'message and event schemas are defined',
    look({ undefinedMachines, actorEvents }) {
      if (actorEvents === 0) return cannotTell('no actor has recorded anything yet', 'Run something first.')
      const [missing] = undefinedMachines
      return missing === undefined
        ? pass('every machine that wrote to the log has its definition recorded in it')
        : fail(`${missing} wrote to the log and has no recorded definition`, 'Open the log with its code.')
    },
  },
  {
    id: 'P-131',
    area: 'communication',
    asks: 'the serialization format is chosen',
    look: ({ health }) =>
      health.position === 0
        ? cannotTell('the log is empty', 'Run something first.')
        : pass('JSON in versioned envelopes, with a hash over what is stored'),
  },
  {
    id: 'P-132',
    area: 'communication',
    asks: 'the transport is selected',
    look: ({ messages }) =>
      pass(`in-process mailboxes over the log; messages between actors on record: ${messages}`),
  },
  {
    id: 'P-133',
    area: 'communication',
    asks: 'timeouts and retry policies are configured',
    look({ runs, withoutDeadline }) {
      if (withoutDeadline !== undefined)
        return fail(`${withoutDeadline} has no deadline`, 'Start runs with a deadline.')
      const told =
        runs === 0
          ? 'no run was started yet'
          : `all ${runs} runs have a deadline; how tools are retried is code`
      return cannotTell(told, 'See what each tool does in doubt: defineTool({ inDoubt }).')
    },
  },
  {
    id: 'P-134',
    area: 'state',
    asks: 'the storage is selected',
    look: () => pass('an event log on LevelDB'),
  },
  {
    id: 'P-135',
    area: 'state',
    asks: 'the consistency model is understood',
    look: document(
      'Know that each stream is linear, and that streams agree in time; docs/concepts.md says how.',
    ),
  },
  {
    id: 'P-136',
    area: 'state',
    asks: 'recovery procedures are documented',
    look: ({ restarted }) =>
      cannotTell(
        `a log does not hold documents; handlers begun again after a restart or a pause: ${restarted}`,
        'Write down who opens the folder again, and where.',
      ),
  },
  {
    id: 'P-137',
    area: 'state',
    asks: 'a conflict resolution strategy is defined',
    look: ({ health }) =>
      health.integrity?.ok === true
        ? pass('each stream has one writer and expected versions; no version is missing or there twice')
        : fail('records of the log do not verify', 'See agentctl verify, then agentctl salvage.'),
  },
  {
    id: 'P-138',
    area: 'observability',
    asks: 'logging is centralized',
    look: ({ health }) => pass(`one log with ${health.position} events of ${health.streams} streams`),
  },
  {
    id: 'P-139',
    area: 'observability',
    asks: 'correlation ids are implemented',
    look({ actorEvents, uncorrelated }) {
      if (actorEvents === 0) return cannotTell('no actor has recorded anything yet', 'Run something first.')
      return uncorrelated === undefined
        ? pass(`all ${actorEvents} events of actors have one`)
        : fail(
            `the event at position ${uncorrelated.position} has none`,
            'Give one when the actor is spawned.',
          )
    },
  },
  {
    id: 'P-140',
    area: 'observability',
    asks: 'metrics are exposed',
    look: code(
      'what a process exposes',
      'Counts, costs and errors are in agentctl ps, billing and why --failed.',
    ),
  },
  {
    id: 'P-141',
    area: 'observability',
    asks: 'alerting thresholds are set',
    look: code('a threshold', 'Watch agentctl doctor --json, or runtime.query.health().'),
  },
  {
    id: 'P-142',
    area: 'failure',
    asks: 'failed work goes to a dead letter queue',
    look: ({ health }) =>
      pass(`what nobody takes is recorded and listed; dead letters now: ${health.pending.dead_letters}`),
  },
  {
    id: 'P-143',
    area: 'failure',
    asks: 'circuit breakers guard degraded services',
    look: code('a breaker', 'See what your tools do when a service is down.'),
  },
  {
    id: 'P-144',
    area: 'failure',
    asks: 'fallback behaviours are defined',
    look: ({ refusals }) =>
      cannotTell(
        `what an agent does instead is code; refusals on record: ${refusals}, see agentctl permissions`,
        'See that each refusal is followed by something sensible: agentctl causes <position>.',
      ),
  },
  {
    id: 'P-145',
    area: 'failure',
    asks: 'graceful degradation is tested',
    look: code('a test', 'Export a stream that went wrong as a test: agentctl export --as-test.'),
  },
  {
    id: 'P-146',
    area: 'operations',
    asks: 'agents have health checks',
    look({ health }) {
      const problem = health.findings.find(({ level }) => level === 'problem')
      return problem === undefined
        ? pass('nothing is parked, in doubt, dead or damaged')
        : fail(problem.text, 'See agentctl ps --pending and agentctl why --failed.')
    },
  },
  {
    id: 'P-147',
    area: 'operations',
    asks: 'the deployment procedure is documented',
    look: document('Write it down.'),
  },
  {
    id: 'P-148',
    area: 'operations',
    asks: 'a scaling strategy is defined',
    look: document('Say how many runs at once, and when a second folder.'),
  },
  {
    id: 'P-149',
    area: 'operations',
    asks: 'there are runbooks for common issues',
    look: document('One each for parked runs, calls in doubt, dead letters, a damaged log.'),
  },
]
