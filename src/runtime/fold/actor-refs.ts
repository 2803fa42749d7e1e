/** Carries references to durable actors in events: as addresses on disk, as references again in a machine. */
import type { AnyActorRef } from 'xstate'

/** A reference as it is recorded. */
export type RecordedRef = { readonly xstate$$type: 1; readonly id: string; readonly address: string }

export function recordedRef(id: string, address: string): RecordedRef {
  return { xstate$$type: 1, id, address }
}

/** A copy in which each reference to a durable actor is its address; the value itself if there is none. */
export function withAddresses(value: unknown): unknown {
  return replaced(value, addressOf, 0)
}

/** A copy in which each recorded address is a reference again. */
export function withReferences(value: unknown, revive: (ref: RecordedRef) => AnyActorRef): unknown {
  return replaced(value, (item) => (isRecordedRef(item) ? revive(item) : undefined), 0)
}

function addressOf(value: object): RecordedRef | undefined {
  const { sessionId, toJSON } = value as { sessionId?: unknown; toJSON?: unknown }
  if (typeof sessionId !== 'string' || typeof toJSON !== 'function') return undefined
  const recorded: unknown = (value as { toJSON(): unknown }).toJSON()
  return isRecordedRef(recorded) ? recorded : undefined
}

function isRecordedRef(value: unknown): value is RecordedRef {
  const { xstate$$type: type, address } = (value ?? {}) as Partial<RecordedRef>
  return type === 1 && typeof address === 'string'
}

/** Deeper than that nothing is looked for; the log refuses it anyway. */
const MAX_DEPTH = 500

function replaced(value: unknown, replace: (item: object) => unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
  const replacement = replace(value)
  if (replacement !== undefined) return replacement
  if (Array.isArray(value)) {
    const items = value.map((item) => replaced(item, replace, depth + 1))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, item] of Object.entries(value)) {
    const inner = replaced(item, replace, depth + 1)
    if (inner === item) continue
    copy ??= { ...value }
    copy[key] = inner
  }
  return copy ?? value
}
