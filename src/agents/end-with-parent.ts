/**
 * Cancels runs that are to end with their parent (`on_parent_end: 'cancel'`), and all runs below them.
 *
 * Owns: one subscription to the directory; which runs it is cancelling.
 * Never: overrules a hook of `agent:cancel`; a run that one keeps alive goes on, and is asked about again at the next
 * opening.
 *
 * I1. What is to be cancelled follows from the log alone, so that an opening finds what the last process left undone.
 * I2. One level at a time, from above: a run that has ended starts nothing more.
 */
import type { LifecycleGate } from '../permissions/lifecycle-gate.ts'
import type { Engine } from '../runtime/engine.ts'
import { isOpen, type SessionDirectory, type SessionRow } from '../sessions/directory.ts'
import { cancelRun } from './cancel-run.ts'

type Host = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly gate: LifecycleGate
  /** Aborts when the runtime closes. */
  readonly closing: AbortSignal
}

/** Starts watching; `recover` finds the parents that ended while nobody watched. */
export function endRunsWithParents(host: Host): { recover(): Promise<void> } {
  const { engine, directory, closing } = host
  const onError = (error: unknown): void => {
    // What is left over then is found at the next opening.
    if (!closing.aborted) engine.onError(error)
  }
  const cancelling = new Set<string>()
  const consider = async (row: SessionRow, parent: SessionRow | undefined): Promise<void> => {
    if (parent === undefined || cancelling.has(row.id) || !endsWith(row, parent)) return
    cancelling.add(row.id)
    try {
      await cancelRun(host, row.id, {
        reason: `its parent "${parent.id}" has ended`,
        endedParent: parent.id,
      })
    } catch (error) {
      // The refusal is on the record.
      if ((error as { code?: unknown }).code !== 'SESSION_REFUSED') throw error
    } finally {
      cancelling.delete(row.id)
    }
  }
  const childrenOf = async (parent: SessionRow): Promise<void> => {
    const children = directory.current().filter((row) => row.parent_id === parent.id)
    await Promise.all(children.map((row) => consider(row, parent)))
  }
  directory.subscribe((row) => {
    if (closing.aborted) return
    if (!isOpen(row)) {
      if (directory.liveChildren(row.id) > 0) childrenOf(row).catch(onError)
    } else if (row.position === row.last_position && row.parent_id !== null && row.machine === 'agent') {
      // It was started while its parent ended.
      directory
        .row(row.parent_id)
        .then((parent) => consider(row, parent))
        .catch(onError)
    }
  })
  return {
    async recover() {
      const rows = new Map((await directory.rows()).map((row) => [row.id, row]))
      for (const row of rows.values())
        if (row.parent_id !== null) await consider(row, rows.get(row.parent_id))
    },
  }
}

/** A run at work ends with a parent that has ended if it was started so, or if that parent ended so itself. */
function endsWith(row: SessionRow, parent: SessionRow): boolean {
  if (row.machine !== 'agent' || !isOpen(row) || isOpen(parent)) return false
  return row.on_parent_end === 'cancel' || parent.ended_with_parent
}
