/** Turns what a machine holds into plain JSON, so that every answer of a query can be printed, sent and compared. */
import { copyAsJson } from '../../eventstore/payload.ts'
import type { JsonValue } from '../../eventstore/event.ts'

/** A copy as JSON would give it back; errors keep name and message, what JSON cannot carry is normalised. */
export function jsonSafe(value: unknown): JsonValue {
  if (value === undefined) return null
  if (value instanceof Error) {
    const { code } = value as { code?: unknown }
    const told: Record<string, JsonValue> = { name: value.name, message: value.message }
    return typeof code === 'string' ? { ...told, code } : told
  }
  return copyAsJson(value, { root: () => 'value', outcome: true }).value
}
