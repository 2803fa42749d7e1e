/** May this agent do that, and why not: answered from what hooks and guards said when it was asked before. */
import { findInLog } from './find.ts'
import { isAbout, readDecisions, type RecordedDecision } from './permission-ledger.ts'
import type { QueryableLog, QueryCall } from './query-call.ts'

export type PermissionHistoryQuestion = {
  /** An agent's id, a run's or session's id, or a role. */
  readonly who: string
  /** A tool, a capability, or the type of an event: `remove`, `execute:file:delete`, `session.paused`. */
  readonly action: string
}

export type PermissionHistory = {
  readonly who: string
  readonly action: string
  /**
   * - `allowed`, `denied`: what was decided each time.
   * - `varies`: sometimes this, sometimes that; the hooks look at more than who and what.
   * - `unknown`: it never asked. Only a live runtime, whose hooks can be called, could tell.
   */
  readonly answer: 'allowed' | 'denied' | 'unknown' | 'varies'
  readonly allowed_count: number
  readonly denied_count: number
  /** The last time it was allowed, and the last time it was denied; the latter says why and what to do instead. */
  readonly last_allowed: RecordedDecision | null
  readonly last_denied: RecordedDecision | null
  /** What others were told who asked for the same: the last decision for each agent or actor, at most 20. */
  readonly others: readonly RecordedDecision[]
}

const MOST_OTHERS = 20
const ROLES: ReadonlySet<string> = new Set(['orchestrator', 'supervisor', 'workagent'])

/** Reads the whole log; asks no hook. @throws QueryError `QUERY_NOT_FOUND` for somebody whom the log does not know */
export async function explainPermission(
  log: QueryableLog,
  { who, action }: PermissionHistoryQuestion,
  call: QueryCall = {},
): Promise<PermissionHistory> {
  const count = { allowed: 0, denied: 0 }
  const last: { allowed: RecordedDecision | null; denied: RecordedDecision | null } = {
    allowed: null,
    denied: null,
  }
  const others = new Map<string, RecordedDecision>()
  const named = ROLES.has(who) ? undefined : await findInLog(log, who, call)
  const isTheirs = ({ agent_id, who: id, role }: RecordedDecision): boolean =>
    [agent_id, id, role].includes(who) || id === named?.stream_id
  for await (const decision of readDecisions(log, {}, call)) {
    if (!isAbout(decision, action)) continue
    if (isTheirs(decision)) {
      count[decision.verdict] += decision.count
      last[decision.verdict] = decision
    } else {
      const other = decision.agent_id ?? decision.who
      others.delete(other)
      others.set(other, decision)
    }
  }
  return {
    who,
    action,
    answer: answerOf(count),
    allowed_count: count.allowed,
    denied_count: count.denied,
    last_allowed: last.allowed,
    last_denied: last.denied,
    others: [...others.values()].slice(-MOST_OTHERS),
  }
}

function answerOf({ allowed, denied }: { allowed: number; denied: number }): PermissionHistory['answer'] {
  if (allowed > 0 && denied > 0) return 'varies'
  if (denied > 0) return 'denied'
  return allowed > 0 ? 'allowed' : 'unknown'
}
