/** How many sessions and runs are at work, are paused, and have ended today. Pure. */

export type SessionMetrics = {
  readonly active_foreground: number
  readonly active_background: number
  readonly paused: number
  readonly completed_today: number
}

export type CountedSession = {
  readonly kind: string
  readonly status: string
  /** ISO 8601; `null` while it has not ended. */
  readonly completion_time: string | null
}

export type Today = {
  /** ms since the epoch; default the system's clock. */
  readonly now?: number
  /** Whether a day is one of UTC; default of this process's time zone. */
  readonly utc?: boolean
}

export function countSessions(sessions: readonly CountedSession[], today: Today): SessionMetrics {
  const count = (kind: string, isOne: (session: CountedSession) => boolean): number =>
    sessions.filter((session) => session.kind === kind && isOne(session)).length
  return {
    active_foreground: count('foreground', ({ status }) => status === 'active'),
    active_background: count('background', ({ status }) => status === 'active'),
    paused: count('foreground', ({ status }) => status === 'paused'),
    completed_today: count(
      'foreground',
      ({ completion_time: at }) => at !== null && isToday(new Date(at), today),
    ),
  }
}

/** Whether a moment is on the same day as now: of this process's time zone, or of UTC. */
export function isToday(date: Date, options: Today = {}): boolean {
  const now = new Date(options.now ?? Date.now())
  if (Number.isNaN(date.getTime())) return false
  return options.utc === true
    ? date.toISOString().slice(0, 10) === now.toISOString().slice(0, 10)
    : date.toDateString() === now.toDateString()
}
