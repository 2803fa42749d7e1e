/** Records each machine's definition in the log, so that a log can be charted and explained without the code. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { DurableMachine } from './durable-machine.ts'

/** The stream that holds a machine's definitions. */
export function definitionStream(label: string): string {
  return `machine/${label}`
}

/** Appends `machine.registered` if this definition is not the last one recorded under its label. */
export async function recordDefinition(store: EventStore, machine: DurableMachine): Promise<void> {
  const stream = definitionStream(machine.label)
  const definition = serialisable(machine.original.config)
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

/** A config as data: functions become their names. */
function serialisable(value: unknown): unknown {
  if (typeof value === 'function') {
    const named = value as { type?: unknown; name: string }
    return { type: typeof named.type === 'string' ? named.type : named.name || 'inline' }
  }
  if (Array.isArray(value)) return value.map(serialisable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => inner !== undefined && key !== 'types')
      .map(([key, inner]) => [key, serialisable(inner)]),
  )
}
