/** Checks that what ran and was waited for before a migration is what today's machine runs and waits for after it. */
import type { AnyMachineSnapshot } from 'xstate'
import { kindOf } from '../fold/assert-durable.ts'
import type { CellState } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import { migrationInvalid, type Boundary } from './migration-errors.ts'

type Side = { readonly state: CellState; readonly machine: DurableMachine }

/** The parts of XState's `StateNode` that are looked at. */
type ActiveNode = {
  readonly id: string
  readonly invoke: readonly { readonly id: string; readonly src: unknown }[]
  readonly after: readonly { readonly eventType: string }[]
}

/** @throws RuntimeError `MIGRATION_INVALID`, naming the child or the timer */
export function assertCarriedOn(
  about: Boundary,
  { before, after }: { readonly before: Side; readonly after: Side },
): void {
  const { state, machine } = after
  const { actors } = machine.original.implementations ?? { actors: {} }
  for (const { id, src, durable } of state.children.values()) {
    const logic = (actors as Record<string, unknown>)[src]
    if (logic === undefined || (kindOf(logic) !== 'leaf') !== durable) {
      throw migrationInvalid(about, `its child "${id}" runs "${src}", which is no such logic there`)
    }
  }
  if (state.snapshot.status !== 'active' || machine.kind !== 'machine') return
  const now = nodesOf(state.snapshot)
  const then = nodesOf(before.state.snapshot)
  const waited = new Set(now.flatMap(({ after: delays }) => delays.map(({ eventType }) => eventType)))
  for (const { event } of state.timers.values()) {
    if (event.type.startsWith('xstate.after.') && !waited.has(event.type)) {
      throw migrationInvalid(about, `its timer "${event.type}" is of a state that it is not in there`)
    }
  }
  const pending = new Set([...state.timers.values()].map(({ event }) => event.type))
  const heldThen = new Set(
    then.flatMap((node) => [...node.after.map((one) => one.eventType), ...node.invoke.map(({ id }) => id)]),
  )
  for (const node of now) {
    for (const { eventType } of node.after) {
      // One that was there before has rung.
      if (pending.has(eventType) || heldThen.has(eventType)) continue
      throw migrationInvalid(about, `state "${node.id}" waits for "${eventType}" there, which was never set`)
    }
    for (const { id } of node.invoke) {
      if (id in state.snapshot.children || heldThen.has(id)) continue
      throw migrationInvalid(about, `state "${node.id}" invokes "${id}" there, which was never started`)
    }
  }
}

function nodesOf(snapshot: AnyMachineSnapshot): readonly ActiveNode[] {
  return (snapshot as unknown as { _nodes?: readonly ActiveNode[] })._nodes ?? []
}
