/** Records each machine's definition in the log, so that a log can be charted and explained without the code. */
import type { EventStore } from '../../eventstore/event-store.ts'
import { copyAsJson } from '../../eventstore/payload.ts'
import type { DurableMachine } from './fold/durable-machine.ts'

/** Begins the name of every stream of definitions; no actor's id may begin like that. */
export const DEFINITION_PREFIX = 'machine/'

/** The stream that holds a machine's definitions. */
export function definitionStream(label: string): string {
  return `${DEFINITION_PREFIX}${label}`
}

/** Appends `machine.registered` if this definition is not the last one recorded under its label. */
export async function recordDefinition(store: EventStore, machine: DurableMachine): Promise<void> {
  const stream = definitionStream(machine.label)
  // As it comes back from the disk, or each opening would find that it has changed.
  const { value: definition } = copyAsJson(serialisable(machine.original.config), {
    root: () => 'definition',
    outcome: true,
  })
  for await (const last of store.readStream(stream, { direction: 'backwards' })) {
    const known = (last.payload as { definition?: unknown }).definition
    if (JSON.stringify(known) === JSON.stringify(definition)) return
    break
  }
  await store.append(
    stream,
    [{ event_type: 'machine.registered', payload: { machine: machine.label, definition } }],
    { outcome: true },
  )
}

/** A config as data: functions become their names. What is no plain object or array is left to the copy. */
function serialisable(value: unknown, ancestors: readonly object[] = []): unknown {
  if (typeof value === 'function') {
    const named = value as { type?: unknown; name: string }
    return { type: typeof named.type === 'string' ? named.type : named.name || 'inline' }
  }
  if (typeof value !== 'object' || value === null || ancestors.includes(value)) return value
  const inside = [...ancestors, value]
  if (Array.isArray(value)) return value.map((inner) => serialisable(inner, inside))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => inner !== undefined && key !== 'types')
      .map(([key, inner]) => [key, serialisable(inner, inside)]),
  )
}
