/** Projects with open sessions in which nothing has happened for a while. Pure. */

/** After so long without an event a session, and a project, counts as stale. */
export const STALE_AFTER_MS = 7 * 24 * 60 * 60_000

export type StaleProject = {
  readonly project: string
  /** Its sessions that have not ended. */
  readonly sessions: readonly {
    readonly id: string
    readonly name: string | null
    readonly last_activity: string
  }[]
  readonly last_activity: string
}

export type ProjectSession = {
  readonly id: string
  readonly name: string | null
  readonly project: string
  readonly status: string
  /** ISO 8601. */
  readonly last_activity: string
}

/** `sessions`: of all projects, runs not among them. `now` in ms since the epoch. */
export function staleProjects(sessions: readonly ProjectSession[], now: number): StaleProject[] {
  const projects = new Map<string, ProjectSession[]>()
  for (const one of sessions) {
    if (one.status === 'completed' || one.status === 'archived') continue
    projects.set(one.project, [...(projects.get(one.project) ?? []), one])
  }
  return [...projects].flatMap(([project, open]) => {
    const last_activity =
      open
        .map((one) => one.last_activity)
        .toSorted()
        .at(-1) ?? ''
    if (now - Date.parse(last_activity) <= STALE_AFTER_MS) return []
    const list = open.map(({ id, name, last_activity: last }) => ({ id, name, last_activity: last }))
    return [{ project, sessions: list, last_activity }]
  })
}
