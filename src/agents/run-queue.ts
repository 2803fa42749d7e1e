/**
 * Lets at most so many workagents run at once; the others wait their turn, in the order of starting.
 *
 * Owns: the places, and who waits for one.
 * Never: decides whether a run may start; the hooks and the machine do.
 *
 * I1. Orchestrators and supervisors take no place: they wait for others, and must not starve them.
 * I2. A run that waits for another gives its place up meanwhile: workagents that start workagents cannot starve
 *     them either.
 * I3. Nobody is admitted before `open`: what was at work at a restart takes its places first.
 * I4. A place is taken under a pass and given back once by that pass: a late end of an old attempt frees nothing.
 */
import type { Role } from '../../machines/session-record.ts'

type Run = { readonly id: string; readonly role: Role | undefined }

/** The right to a place; each attempt of a run has its own. */
export type Pass = { release(): void }

export type RunQueue = {
  /** Everything is recovered: admits those who wait, in the order of starting. */
  open(): void
  /** Resolves when the run has a place; rejects when the signal aborts. `since`: when it was started, ISO 8601. */
  acquire(run: Run & { readonly since: string; readonly signal: AbortSignal }): Promise<Pass>
  /** Counts a run that is at work already: it was just admitted, or it goes on after a restart. */
  adopt(run: Run): Pass
  /** Does `work` without a place, if the run has one; it has one again when this resolves. */
  stepAside<T>(runId: string, work: () => Promise<T>): Promise<T>
}

/** `aside`: how many reasons there are not to count it now. */
type Place = { aside: number; gone: boolean }
type Waiting = {
  readonly id: string
  readonly since: string
  readonly place: Place
  readonly admit: () => void
}

const NO_PLACE: Pass = { release: () => {} }

export function createRunQueue(maxConcurrent: number): RunQueue {
  const places = new Map<string, Place>()
  const waiting: Waiting[] = []
  let isOpen = false

  const taken = (): number => [...places.values()].filter((place) => place.aside === 0).length
  const admitNext = (): void => {
    if (!isOpen) return
    while (taken() < maxConcurrent) {
      const next = waiting.shift()
      if (next === undefined) return
      next.place.aside -= 1
      if (!next.place.gone) places.set(next.id, next.place)
      next.admit()
    }
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
      // Recovery woke them as it came.
      waiting.sort((a, b) => compare(a.since, b.since) || compare(a.id, b.id))
      admitNext()
    },
    acquire({ id, role, since, signal }) {
      if (role !== 'workagent') return Promise.resolve(NO_PLACE)
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const place: Place = { aside: 1, gone: false }
        const leave = (): void => {
          waiting.splice(waiting.indexOf(entry), 1)
          reject(signal.reason as Error)
        }
        const admit = (): void => {
          signal.removeEventListener('abort', leave)
          resolve(passOf(id, place))
        }
        const entry: Waiting = { id, since, place, admit }
        waiting.push(entry)
        signal.addEventListener('abort', leave, { once: true })
        admitNext()
      })
    },
    adopt({ id, role }) {
      if (role !== 'workagent') return NO_PLACE
      const place = places.get(id) ?? { aside: 0, gone: false }
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
        if (place.aside > 1 || place.gone || taken() < maxConcurrent) place.aside -= 1
        // Others took it: back in line, ahead of those who have not begun.
        else await new Promise<void>((admit) => waiting.unshift({ id: runId, since: '', place, admit }))
      }
    },
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
