/** Folds the children that an actor has, and theirs, from what is on disk. */
import type { EventStore } from '../../../eventstore/event-store.ts'
import type { Cell } from '../cell/cell.ts'
import { unknownMachine } from '../engine-errors.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'

/**
 * Loads all descendants of a cell that is loaded; `add` makes each a member.
 *
 * @throws RuntimeError `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`
 */
export async function loadChildren(
  parent: Cell,
  family: {
    readonly store: Pick<EventStore, 'head'>
    readonly add: (address: string, machine: DurableMachine) => Cell
  },
): Promise<void> {
  for (const child of parent.decided?.children.values() ?? []) {
    const machine = parent.machine.children.get(child.src)
    if (!child.durable || machine === undefined) continue
    const head = await family.store.head(child.address)
    // Its first event may be waiting still.
    if (head === undefined) continue
    if (head.machine !== machine.label) throw unknownMachine(child.address, head.machine, [machine.label])
    const cell = family.add(child.address, machine)
    await cell.load()
    await loadChildren(cell, family)
  }
}
