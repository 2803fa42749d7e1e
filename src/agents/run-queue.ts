/**
 * Lets at most so many workagents run at once; the others wait their turn, in the order of starting.
 *
 * Owns: the places, and who waits for one.
 * Never: decides whether a run may start; the hooks and the machine do.
 *
 * I1. Orchestrators and supervisors take no place: they wait for others, and must not starve them.
 */
import type { Role } from '../../machines/session-record.ts'

export type RunQueue = {
  /** Resolves when the run has a place; rejects when the signal aborts. */
  acquire(run: { readonly id: string; readonly role: Role; readonly signal: AbortSignal }): Promise<void>
  /** Counts a run that is at work already, as after a restart. */
  adopt(run: { readonly id: string; readonly role: Role }): void
  release(runId: string): void
}

export function createRunQueue(maxConcurrent: number): RunQueue {
  const running = new Set<string>()
  const waiting: { readonly id: string; readonly admit: () => void }[] = []

  const admitNext = (): void => {
    while (running.size < maxConcurrent) {
      const next = waiting.shift()
      if (next === undefined) return
      running.add(next.id)
      next.admit()
    }
  }
  return {
    acquire({ id, role, signal }) {
      if (role !== 'workagent' || running.has(id)) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const entry = { id, admit: () => resolve() }
        waiting.push(entry)
        signal.addEventListener('abort', () => {
          const at = waiting.indexOf(entry)
          if (at >= 0) waiting.splice(at, 1)
          reject(signal.reason as Error)
        })
        admitNext()
      })
    },
    adopt({ id, role }) {
      if (role === 'workagent') running.add(id)
    },
    release(runId) {
      running.delete(runId)
      admitNext()
    },
  }
}
