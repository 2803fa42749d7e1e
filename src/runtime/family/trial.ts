/** Finds out what a turn would lead to, and leaves every actor as it was. */
import type { AnyActorRef } from 'xstate'
import type { CanonicalEvent } from '../fold/canonical.ts'
import type { Cascade } from './cascade.ts'
import type { Member } from './turn.ts'

/** Whether an event to `cell` would end the root of its family in error. `members`: the root first. */
export function endsRoot(
  cascade: Cascade,
  members: readonly Member[],
  { cell, canonical }: { readonly cell: Member; readonly canonical: CanonicalEvent },
): boolean {
  const restore = keepWhatUndoForgets(members)
  try {
    cascade.begin(cell, canonical, { source: '', causationId: null })
    return members[0]?.decided?.snapshot.status === 'error'
  } finally {
    cascade.undo()
    restore()
  }
}

type Shown = { _snapshot: unknown }

/** What machines' references to their children show. */
function keepWhatUndoForgets(members: readonly Member[]): () => void {
  const refs = members.flatMap(({ decided }) =>
    Array.from(decided?.children.values() ?? [], ({ ref }) => ref),
  )
  const shown = refs.map((ref) => [ref, asShown(ref)._snapshot] as const)
  return () => {
    for (const [ref, snapshot] of shown) asShown(ref)._snapshot = snapshot
  }
}

function asShown(ref: AnyActorRef): Shown {
  return ref as unknown as Shown
}
