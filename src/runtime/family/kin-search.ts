/** Finds children among the members of a family by what others know them by. */
import type { AnyActorRef } from 'xstate'
import { recordedRef, type RecordedRef } from '../fold/actor-refs.ts'
import type { Cell } from '../cell/cell.ts'

/** Who has this `systemId`. */
export function bySystemId(members: Iterable<Cell>, systemId: string): RecordedRef | undefined {
  for (const { decided } of members) {
    for (const { ref, address } of decided?.children.values() ?? []) {
      if ((ref as AnyActorRef & { systemId?: string }).systemId === systemId) {
        return recordedRef(ref.id, address)
      }
    }
  }
  return undefined
}

/** Who runs the leaf with this key. */
export function ownerOfLeaf(members: Iterable<Cell>, key: string): Cell | undefined {
  for (const cell of members) {
    if (cell.decided?.children.get(key)?.durable === false) return cell
  }
  return undefined
}
