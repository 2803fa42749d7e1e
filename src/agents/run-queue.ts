/**
 * Lets at most so many workagents run at once, in all, in each project and in each role; the others wait their turn:
 * by priority, then in the order of starting.
 *
 * Owns: the places, and who waits for one.
 * Never: decides whether a run may start; the hooks and the machine do.
 *
 * I1. Orchestrators and supervisors take no place unless their role has a limit of its own: they wait for others, and
 *     must not starve them.
 * I2. A run that waits for another gives its place up meanwhile: workagents that start workagents cannot starve
 *     them either.
 * I3. Nobody is admitted before `open`: what was at work at a restart takes its places first.
 * I4. A place is taken under a pass and given back once by that pass: a late end of an old attempt frees nothing.
 * I5. Who waits for a place in a full project or role is not in the way of those who do not.
 */
import type { Role } from '../../machines/session-record.ts'

/** Who comes first; within one priority the order of starting counts. */
export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

/** How many may be at work at once. */
export type QueueLimits = {
  /** Workagents in all. */
  readonly total: number
  /** Workagents in one project. */
  readonly perProject?: number | undefined
  readonly perRole?: Readonly<Partial<Record<Role, number>>> | undefined
}

const DEFAULT_TOTAL = 8

/** The limits that an option stands for: a bare number is that of all workagents. */
export function queueLimits(option: number | Partial<QueueLimits> | undefined): QueueLimits {
  const { total = DEFAULT_TOTAL, ...rest } = typeof option === 'object' ? option : { total: option }
  return { total, ...rest }
}

type Run = {
  readonly id: string
  readonly role: Role | undefined
  readonly project?: string | undefined
}

/** The right to a place; each attempt of a run has its own. */
export type Pass = { release(): void }

export type RunQueue = {
  /** Everything is recovered: admits those who wait, in the order of starting. */
  open(): void
  /** Resolves when the run has a place; rejects when the signal aborts. `since`: when it was started, ISO 8601. */
  acquire(
    run: Run & {
      readonly since: string
      readonly signal: AbortSignal
      readonly priority?: Priority | undefined
    },
  ): Promise<Pass>
  /** Who waits for a place, the next one first. */
  places(): readonly string[]
  /** Counts a run that is at work already: it was just admitted, or it goes on after a restart. */
  adopt(run: Run): Pass
  /** Does `work` without a place, if the run has one; it has one again when this resolves. */
  stepAside<T>(runId: string, work: () => Promise<T>): Promise<T>
}

/** `aside`: how many reasons there are not to count it now. */
type Place = { readonly run: Run; aside: number; gone: boolean }
type Waiting = {
  readonly id: string
  /** Lower comes first. */
  readonly rank: number
  readonly since: string
  readonly place: Place
  readonly admit: () => void
}

const NO_PLACE: Pass = { release: () => {} }

/** Comes back to its place: ahead of all who have not begun. */
const BACK = -1

export function createRunQueue(limits: QueueLimits): RunQueue {
  const places = new Map<string, Place>()
  const waiting: Waiting[] = []
  let isOpen = false

  const takesPlace = (role: Role | undefined): boolean =>
    role === 'workagent' || (role !== undefined && limits.perRole?.[role] !== undefined)
  const hasRoom = ({ role, project }: Run): boolean => {
    const counted = [...places.values()].filter((place) => place.aside === 0).map((place) => place.run)
    const inRole = counted.filter((run) => run.role === role).length
    if (role !== undefined && inRole >= (limits.perRole?.[role] ?? Infinity)) return false
    if (role !== 'workagent') return true
    const workagents = counted.filter((run) => run.role === 'workagent')
    const inProject = workagents.filter((run) => run.project === project).length
    return workagents.length < limits.total && inProject < (limits.perProject ?? Infinity)
  }
  const admitNext = (): void => {
    if (!isOpen) return
    for (;;) {
      const at = waiting.findIndex(({ place }) => hasRoom(place.run))
      const next = waiting[at]
      if (next === undefined) return
      waiting.splice(at, 1)
      next.place.aside -= 1
      if (!next.place.gone) places.set(next.id, next.place)
      next.admit()
    }
  }
  const enqueue = (entry: Waiting): void => {
    waiting.push(entry)
    waiting.sort((a, b) => a.rank - b.rank || compare(a.since, b.since) || compare(a.id, b.id))
  }
  const passOf = (id: string, place: Place): Pass => ({
    release() {
      if (place.gone) return
      place.gone = true
      if (places.get(id) === place) places.delete(id)
      admitNext()
    },
  })

  return {
    open() {
      isOpen = true
      admitNext()
    },
    acquire({ id, role, project, since, signal, priority = 'normal' }) {
      if (!takesPlace(role)) return Promise.resolve(NO_PLACE)
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const place: Place = { run: { id, role, project }, aside: 1, gone: false }
        const leave = (): void => {
          waiting.splice(waiting.indexOf(entry), 1)
          reject(signal.reason as Error)
        }
        const admit = (): void => {
          signal.removeEventListener('abort', leave)
          resolve(passOf(id, place))
        }
        const entry: Waiting = { id, rank: PRIORITIES.indexOf(priority), since, place, admit }
        enqueue(entry)
        signal.addEventListener('abort', leave, { once: true })
        admitNext()
      })
    },
    places: () => waiting.map(({ id }) => id),
    adopt({ id, role, project }) {
      if (!takesPlace(role)) return NO_PLACE
      const place = places.get(id) ?? { run: { id, role, project }, aside: 0, gone: false }
      places.set(id, place)
      return passOf(id, place)
    },
    async stepAside(runId, work) {
      const place = places.get(runId)
      if (place === undefined) return work()
      place.aside += 1
      admitNext()
      try {
        return await work()
      } finally {
        if (place.aside > 1 || place.gone || hasRoom(place.run)) place.aside -= 1
        // Others took it: back in line, ahead of those who have not begun.
        else await new Promise<void>((admit) => enqueue({ id: runId, rank: BACK, since: '', place, admit }))
      }
    },
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
