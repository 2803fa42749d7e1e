/** What is to be done about a crash, by the policies of whoever supervises the actor; no more often than its budget allows. */
import type { AnyEventObject } from 'xstate'
import type { CanonicalEvent } from '../fold/canonical.ts'
import type { CellState, ParentLink } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import type { FoldOutcome } from '../fold/fold.ts'
import { CRASH_FIELD, LET_GO, RESTART } from '../fold/fold-supervision.ts'
import type { CrashBudget } from '../policies.ts'
import { textOf } from '../runtime-error.ts'

/** As a turn sees an actor. */
type Supervised = {
  readonly machine: DurableMachine
  readonly decided: CellState | undefined
}

/**
 * The event for the parent of a child that crashed; `undefined` if it hears of the error as in XState.
 * `time`: in ms since the epoch.
 */
export function afterCrash(
  parent: Supervised,
  { key, src }: ParentLink,
  { error, time }: { readonly error: unknown; readonly time: number },
): AnyEventObject | undefined {
  const { policies } = parent.machine
  const { onCrash, budget } = policies.actors?.[src] ?? {}
  const children = parent.decided?.children
  if (onCrash === 'stop') return { type: LET_GO, crashed: key, error }
  if (onCrash !== 'restart' || !isWithin(budget, children?.get(key)?.restarts ?? [], time)) return undefined
  const all = [...(children?.keys() ?? [])]
  const concerned = policies.strategy === 'all-for-one' ? all : [key]
  return { type: RESTART, crashed: key, children: concerned, error }
}

/** The event with a mark by which it is passed over, now and in each replay. */
export function withCrash(canonical: CanonicalEvent, folded: FoldOutcome): CanonicalEvent {
  return { ...canonical, event: { ...canonical.event, [CRASH_FIELD]: { message: crashOf(folded) } } }
}

export function crashOf(folded: FoldOutcome): string {
  return folded.kind === 'accepted' ? textOf(folded.state.snapshot.error) : folded.reason
}

/** Whether the actor is to pass over the event that it crashed on, and go on. */
export function passesOver(cell: Supervised, parent: Supervised | undefined, time: number): boolean {
  const { link, crashes = [] } = cell.decided ?? {}
  const policy = link === undefined ? cell.machine.policies : parent?.machine.policies.actors?.[link.src]
  return policy?.onCrash === 'resume' && isWithin(policy.budget, crashes, time)
}

function isWithin(budget: CrashBudget | undefined, moments: readonly number[], time: number): boolean {
  const { max = 3, withinMs = 60_000 } = budget ?? {}
  return moments.filter((moment) => time - moment < withinMs).length < max
}
