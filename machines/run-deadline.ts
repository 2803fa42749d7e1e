/** A run's deadline is time at work: it stands still while the run is stopped or waits for a person, and what is left is kept. */

export type RunDeadline = {
  /** Time at work in all, in ms. */
  readonly deadline_ms: number
  /** What was left of it when it began to run, or of what stood still; in ms. */
  readonly deadline_left_ms: number
  /** Since when it runs; `null` while it stands still. */
  readonly deadline_since: string | null
  /** The approvals that the run's handler waits for; it is at work while there are none. */
  readonly waiting_for: readonly string[]
}

/** The handler waits for a person, or does so no longer. */
export type RunWait = {
  readonly type: 'agent.waiting' | 'agent.went_on'
  readonly approval_id: string
  readonly at: string
}

export function newDeadline(deadline_ms: number): RunDeadline {
  return { deadline_ms, deadline_left_ms: deadline_ms, deadline_since: null, waiting_for: [] }
}

/** It stands still from this moment on. */
export function held(deadline: RunDeadline, at: string): Partial<RunDeadline> {
  const { deadline_since: since, deadline_left_ms: left } = deadline
  if (since === null) return {}
  const gone = Math.max(0, Date.parse(at) - Date.parse(since))
  return { deadline_since: null, deadline_left_ms: Math.max(0, left - gone) }
}

/** It runs from this moment on, unless it does already or somebody is waited for. */
export function mayRun({ deadline_since, waiting_for }: RunDeadline): boolean {
  return deadline_since === null && waiting_for.length === 0
}

/** What is waited for after the handler said this. */
export function waitsAfter({ waiting_for }: RunDeadline, { type, approval_id }: RunWait): readonly string[] {
  const others = waiting_for.filter((one) => one !== approval_id)
  return type === 'agent.waiting' ? [...others, approval_id] : others
}

/** Whether it says anything new. */
export function isNews({ waiting_for }: RunDeadline, { type, approval_id }: RunWait): boolean {
  return waiting_for.includes(approval_id) !== (type === 'agent.waiting')
}
