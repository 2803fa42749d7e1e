/** The protocol's rules: five anti-patterns and four more, each with a weight, and what shows that it was broken. Pure. */
import type { EventRef, Facts, HookFacts, SubjectFacts } from './facts.ts'

export type Issue = {
  readonly rule: string
  readonly weight: number
  /** The session, run or hook that breaks it. */
  readonly subject: string
  readonly message: string
  /** What to do. */
  readonly fix: string
  /** The events that show it. */
  readonly events: readonly EventRef[]
}

export type RuleContext = {
  /** ms since the epoch. */
  readonly now: number
  /** Triggers of the hooks that are registered now. */
  readonly hookTriggers: ReadonlyMap<string, readonly string[]>
  readonly staleAfterMs: number
  readonly checkpointAfterMs: number
}

type Finding = Omit<Issue, 'rule' | 'weight' | 'fix'>

/** Weights add up to 100: breaking every rule everywhere scores 0. */
export type Rule = {
  readonly id: string
  readonly weight: number
  readonly fix: string
  /** What the rule is about. */
  readonly applies: (facts: Facts, context: RuleContext) => number
  readonly broken: (facts: Facts, context: RuleContext) => readonly Finding[]
}

/** A hook that is asked for everything and has never denied is suspicious after so many questions. */
const PERMISSIVE_AFTER = 20
const IGNORED_AFTER_MS = 7 * 24 * 60 * 60_000
const MINUTE_MS = 60_000

const of = (facts: Facts): SubjectFacts[] => [...facts.subjects.values()]
const hasEnded = (one: SubjectFacts): boolean => one.ended !== null || one.status === 'archived'
/** Runs that another session started and that work for themselves. */
const delegated = (facts: Facts): SubjectFacts[] =>
  of(facts).filter((one) => one.machine === 'agent' && one.parent_id !== null && !one.is_hands)
/** Sessions that should be resumable by name. */
const led = (facts: Facts): SubjectFacts[] =>
  of(facts).filter((one) => one.machine === 'session' && one.role !== 'workagent')
const settled = (one: SubjectFacts): boolean => hasEnded(one) || one.paused !== null
const named = (one: SubjectFacts): string => `${one.agent_id ?? one.name ?? one.role} (${one.id})`

const parentEnded = (facts: Facts, run: SubjectFacts): boolean => {
  const parent = facts.subjects.get(run.parent_id ?? '')
  return parent !== undefined && hasEnded(parent)
}
const wildcards = (facts: Facts, { hookTriggers }: RuleContext): HookFacts[] =>
  [...facts.hooks.values()].filter(({ name }) =>
    (hookTriggers.get(name) ?? []).some((trigger) => trigger === '*' || trigger.endsWith(':*')),
  )
const longest = (one: SubjectFacts, now: number): number =>
  one.status === 'active' ? now - Math.max(one.active_since ?? now, one.last_handoff ?? 0) : 0

export const RULES: readonly Rule[] = [
  {
    id: 'fire_and_forget',
    weight: 15,
    fix: 'Wait for each background agent with waitForBackgroundAgent, or read its result.',
    applies: (facts) => delegated(facts).length,
    broken: (facts, { now }) =>
      delegated(facts)
        .filter(
          (run) =>
            !run.observed &&
            (parentEnded(facts, run) || (run.ended !== null && now - run.ended.at > IGNORED_AFTER_MS)),
        )
        .map((run) => ({
          subject: run.id,
          message: `Nobody looked at the result of ${named(run)}.`,
          events: [run.created, ...(run.ended === null ? [] : [run.ended.ref])],
        })),
  },
  {
    id: 'unnamed_session',
    weight: 10,
    fix: 'Name each session with nameSession, so that it can be resumed.',
    applies: (facts) => led(facts).length,
    broken: (facts, { now, checkpointAfterMs }) =>
      led(facts)
        .filter((one) => one.name === null && (settled(one) || longest(one, now) > checkpointAfterMs))
        .map((one) => ({
          subject: one.id,
          message: `The ${one.role} session ${one.id} has no name.`,
          events: [one.created, one.ended?.ref ?? one.paused ?? one.last_event],
        })),
  },
  {
    id: 'permissive_hook',
    weight: 15,
    fix: 'Give the hook narrower triggers, or a validation that can say no.',
    applies: (facts, context) => wildcards(facts, context).length,
    broken: (facts, context) =>
      wildcards(facts, context)
        .filter(({ asked, denied }) => asked >= PERMISSIVE_AFTER && denied === 0)
        .map(({ name, asked, last }) => ({
          subject: name,
          message: `The hook "${name}" is asked for everything and has allowed all of ${asked} wishes.`,
          events: [last],
        })),
  },
  {
    id: 'no_checkpoint',
    weight: 15,
    fix: 'Write a continuation handoff every 30 minutes.',
    applies: (facts) => led(facts).length,
    broken: (facts, { now, checkpointAfterMs }) =>
      led(facts)
        .filter((one) => one.reminders.length > 0 || longest(one, now) > checkpointAfterMs)
        .map((one) => ({
          subject: one.id,
          message: `${named(one)} was at work for more than ${checkpointAfterMs / MINUTE_MS} minutes without a handoff.`,
          events: one.reminders.length > 0 ? one.reminders : [one.last_event],
        })),
  },
  {
    id: 'wait_without_timeout',
    weight: 10,
    fix: 'Give waitForBackgroundAgent a realistic timeout.',
    applies: (facts) => delegated(facts).filter(({ observed }) => observed).length,
    broken: (facts) =>
      delegated(facts)
        .filter(({ endless_waits }) => endless_waits.length > 0)
        .map((run) => ({
          subject: run.id,
          message: `${named(run)} was waited for without a timeout.`,
          events: run.endless_waits,
        })),
  },
  {
    id: 'missing_handoff',
    weight: 10,
    fix: 'Write a handoff before a session ends or is paused.',
    applies: (facts) => led(facts).filter(settled).length,
    broken: (facts) =>
      led(facts)
        .filter((one) => settled(one) && one.handoffs === 0)
        .map((one) => ({
          subject: one.id,
          message: `${named(one)} stopped without a handoff.`,
          events: [one.ended?.ref ?? one.paused ?? one.last_event],
        })),
  },
  {
    id: 'billing_gap',
    weight: 10,
    fix: 'Run runWatchdog(), which ends what nobody works on, or resume the session.',
    applies: (facts) => of(facts).filter(({ status }) => status === 'active').length,
    broken: (facts) =>
      of(facts)
        .filter((one) => one.status === 'active' && one.lost !== null && !one.is_hands)
        .map((one) => ({
          subject: one.id,
          message: `${named(one)} counts as at work, and its time is not billed since its process was gone.`,
          events: one.lost === null ? [] : [one.last_event, one.lost],
        })),
  },
  {
    id: 'orphaned_session',
    weight: 10,
    fix: 'Run runWatchdog(), then resume the session where it is needed.',
    applies: (facts) => led(facts).filter(({ status }) => status === 'active').length,
    broken: (facts) =>
      led(facts)
        .filter((one) => one.status === 'active' && one.lost !== null)
        .map((one) => ({
          subject: one.id,
          message: `${named(one)} was at work when its process was gone.`,
          events: one.lost === null ? [] : [one.lost],
        })),
  },
  {
    id: 'stale_session',
    weight: 5,
    fix: 'Resume it, or end it.',
    applies: (facts) => led(facts).filter((one) => !hasEnded(one)).length,
    broken: (facts, { now, staleAfterMs }) =>
      led(facts)
        .filter((one) => !hasEnded(one) && now - one.last_activity > staleAfterMs)
        .map((one) => ({
          subject: one.id,
          message: `Nothing has happened in ${named(one)} since ${new Date(one.last_activity).toISOString()}.`,
          events: [one.last_event],
        })),
  },
]
