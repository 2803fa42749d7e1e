/** What keeps a family in memory, seen from its members. */
import type { Cell } from '../cell/cell.ts'

/** Whoever has a timer due that soon stays awake for it. */
const SOON_MS = 1_000

/** No leaf runs, nobody watches, no timer is about to be due. */
export function canAllRest(members: Iterable<Cell>, now: number): boolean {
  for (const cell of members) {
    if (!cell.canRest) return false
    for (const { dueAt } of cell.decided?.timers.values() ?? []) if (dueAt <= now + SOON_MS) return false
  }
  return true
}

/** When the first of their timers is due, in ms since the epoch. */
export function firstDue(members: Iterable<Cell>): number | undefined {
  let first: number | undefined
  for (const { decided } of members) {
    for (const { dueAt } of decided?.timers.values() ?? []) {
      if (first === undefined || dueAt < first) first = dueAt
    }
  }
  return first
}
