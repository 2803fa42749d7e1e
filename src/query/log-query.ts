/**
 * Every reader's one door to a log: what happened, what the state was, what changed, who wrote it, why, what it cost.
 *
 * Questions and answers are plain JSON; a long answer is an async iterable; every question can be given up. So the same
 * interface can be served to another process as it stands.
 *
 * Never: touches a live actor, runs an effect, asks a hook, or writes.
 */
import type { AnyStateMachine } from 'xstate'
import type { JsonValue, RecordedEvent } from '../../eventstore/event.ts'
import { readForkLink, type ForkLink } from '../runtime/forks/fork-link.ts'
import { readActors, type ActorRow, type ActorsQuestion } from './actors.ts'
import { readCauses, type Causes, type CausesQuestion } from './causes.ts'
import { readCompliance, type Compliance, type ComplianceQuestion } from './compliance.ts'
import type { EventFilter } from './event-filter.ts'
import { readEvents } from './events.ts'
import { explain } from './explain.ts'
import {
  explainPermission,
  type PermissionHistory,
  type PermissionHistoryQuestion,
} from './explain-permission.ts'
import type { Explanation } from './explanation.ts'
import { readFailures, type Failure, type FailuresQuestion } from './failures.ts'
import { findInLog, targetIn, type Found } from './find.ts'
import { readHealth, type Health, type HealthQuestion } from './health.ts'
import { withOurMachines } from './our-machines.ts'
import { headOf, versionAt, type At } from './moment.ts'
import { readPending, type Pending } from './pending.ts'
import { readDecisions, type RecordedDecision, type LedgerQuestion } from './permission-ledger.ts'
import type { Foldable, QueryableLog, QueryCall } from './query-call.ts'
import { readReadiness, type Readiness, type ReadinessQuestion } from './readiness.ts'
import { readMachines, type RecordedMachine } from './recorded-machines.ts'
import { redactedState } from './redacted.ts'
import { refusalsHead } from './refusals.ts'
import { readSpending, type Spending, type SpendingQuestion } from './spending.ts'
import { toldLog } from './told-log.ts'
import { stateAt, type KnownMachines, type StateAt } from './state-at.ts'
import {
  blame,
  diffVersions,
  readSteps,
  type Blame,
  type BlameQuestion,
  type DiffQuestion,
  type StateDiff,
  type StateStep,
  type StepsQuestion,
} from './state-changes.ts'
import { readSurroundings } from './surroundings.ts'
import { readSessionTimeline, type SessionMoment, type SessionTimelineQuestion } from './session-timeline.ts'
import { readTimeline, type Message, type TimelineQuestion } from './timeline.ts'

export type EventsQuestion = EventFilter & {
  /** At most so many, the last ones; default all. */
  readonly limit?: number | undefined
}

export type StateQuestion = At & { readonly stream_id: string }

export type StateAnswer = StateAt & {
  /** Whether there would be more to tell with the machine's code. */
  readonly needs_machines: boolean
}

/** A stream in short, without reading its events. */
export type AboutStream = {
  readonly stream_id: string
  /** `name@version`; empty for a stream of plain facts. */
  readonly machine: string
  readonly version: number
  readonly value: JsonValue
  /** Where it was forked from; `null` if it was not. */
  readonly fork: ForkLink | null
  /** The stream that keeps what it was refused; `null` if it never was. */
  readonly refusals: string | null
}

/**
 * What can be asked. Ids are those of streams; `find` turns names into them. Whatever looks like a secret is left out of
 * every answer but `events`, which are as the log has them, because their hashes cover them.
 *
 * Every question may throw QueryError (`QUERY_NOT_FOUND`, `QUERY_INVALID`, `QUERY_REPLAY_DIVERGED`), EventStoreError
 * `ES_CORRUPT`, and the signal's reason.
 */
export interface LogQuery {
  /** What a person means by an id, a name, or an event's position. */
  find(question: { readonly text: string }, call?: QueryCall): Promise<Found>
  about(question: { readonly stream_id: string }, call?: QueryCall): Promise<AboutStream>
  /** Sessions, runs and other actors: what each is doing and waits for. */
  actors(question?: ActorsQuestion, call?: QueryCall): Promise<readonly ActorRow[]>
  events(question?: EventsQuestion, call?: QueryCall): AsyncIterable<RecordedEvent>
  /** The state at a version, a position or a moment; the last without one. */
  state(question: StateQuestion, call?: QueryCall): Promise<StateAnswer>
  /** The states a stream went through, each with what its event changed. */
  steps(question: StepsQuestion, call?: QueryCall): AsyncIterable<StateStep>
  /** What changed between two versions. */
  diff(question: DiffQuestion, call?: QueryCall): Promise<StateDiff>
  /** Which event last wrote a path. */
  blame(question: BlameQuestion, call?: QueryCall): Promise<Blame>
  /** What led to an event, and what it led to. */
  causes(question: CausesQuestion, call?: QueryCall): Promise<Causes>
  /** Messages between actors, in the order of the log. */
  timeline(question?: TimelineQuestion, call?: QueryCall): AsyncIterable<Message>
  /** All that happened in a session and below it, with its decisions and what it cost so far, in the order of the log. */
  sessionTimeline(question: SessionTimelineQuestion, call?: QueryCall): AsyncIterable<SessionMoment>
  /** Why something was refused, failed, waits or ended. `text` as in `find`. */
  why(question: { readonly text: string }, call?: QueryCall): Promise<Explanation>
  failures(question?: FailuresQuestion, call?: QueryCall): Promise<readonly Failure[]>
  /** Decisions of hooks and guards. */
  permissions(question?: LedgerQuestion, call?: QueryCall): AsyncIterable<RecordedDecision>
  /** May this agent do that, and why not: from what was decided before. */
  explainPermission(question: PermissionHistoryQuestion, call?: QueryCall): Promise<PermissionHistory>
  billing(question?: SpendingQuestion, call?: QueryCall): Promise<Spending>
  /** How well the protocol was kept, and which events show what broke it. */
  compliance(question?: ComplianceQuestion, call?: QueryCall): Promise<Compliance>
  pending(question?: object, call?: QueryCall): Promise<Pending>
  health(question?: HealthQuestion, call?: QueryCall): Promise<Health>
  /** The production-readiness checklist, as far as a log can tell. Checks every record. */
  readiness(question?: ReadinessQuestion, call?: QueryCall): Promise<Readiness>
  /** The machines that wrote the log, with their recorded definitions. */
  machines(question?: object, call?: QueryCall): Promise<readonly RecordedMachine[]>
}

export type LogQueryOptions = {
  /** Yours; sessions, runs and tool calls are known. Without the code of a machine, recorded states are told. */
  readonly machines?: Iterable<AnyStateMachine>
}

/**
 * The door to a log that nobody needs to have open in a runtime.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`; QueryError `QUERY_MACHINE_INVALID`
 */
export function createLogQuery(log: QueryableLog, options: LogQueryOptions = {}): LogQuery {
  const machines = withOurMachines(options.machines ?? [])
  return queryOver(log, () => machines)
}

/** The same with machines that are prepared when they are first needed. */
export function queryOver(log: QueryableLog, machines: () => KnownMachines): LogQuery {
  const foldable = ({ signal }: QueryCall = {}): Foldable => ({ log, machines: machines(), signal })
  const told = toldLog(log)
  return {
    find: async ({ text }, call) => findInLog(told, text, call),
    async about({ stream_id }) {
      const { machine, version, state: value } = await headOf(log, stream_id)
      const fork = (await readForkLink(told, stream_id)) ?? null
      const refusals = (await refusalsHead(log, stream_id))?.stream_id ?? null
      return { stream_id, machine, version, value, fork, refusals }
    },
    actors: async (question, call) => readActors(told, question, call),
    events: (question = {}, call = {}) => readEvents(log, { ...question, ...call }),
    async state({ stream_id, ...at }, { signal } = {}) {
      const version = await versionAt(log, await headOf(log, stream_id), { ...at, signal })
      const state = await stateAt(log, stream_id, { version, machines: machines(), signal })
      const needs_machines = state.source === 'recorded' && state.machine !== ''
      return { ...redactedState(state), needs_machines }
    },
    steps: (question, call) => readSteps(foldable(call), question),
    diff: async (question, call) => diffVersions(foldable(call), question),
    blame: async (question, call) => blame(foldable(call), question),
    causes: async (question, call) => readCauses(told, question, call),
    timeline: (question, call) => readTimeline(told, question, call),
    sessionTimeline: (question, call) => readSessionTimeline(told, question, call),
    async why({ text }, call) {
      const around = await readSurroundings(told, text, call)
      targetIn(around, text)
      return explain(told, text, around)
    },
    failures: async (question, call) => readFailures(told, question, call),
    permissions: (question, call) => readDecisions(told, question, call),
    explainPermission: async (question, call) => explainPermission(told, question, call),
    billing: async (question, call) => readSpending(told, question, call),
    compliance: async (question, call) => readCompliance(told, question, call),
    pending: async (_question, call) => readPending(told, call),
    health: async (question, call) => readHealth(foldable(call), question),
    readiness: async (question, call) => readReadiness({ ...foldable(call), log: told }, question),
    machines: async (_question, call) => readMachines(log, call),
  }
}
