/** Digests of JSON data by what it says: the order of keys does not count, everything else does. */
import { createHash } from 'node:crypto'

/** What a grant is bound to: the tool, the parameters it was shown with, and the session. */
export function callFingerprint(call: {
  readonly tool: string
  readonly parameters: unknown
  readonly session_id: string
}): string {
  return digestOf([call.tool, call.parameters, call.session_id])
}

/** SHA-256 over the data in one canonical form, as 64 hex digits. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(ordered(value)) ?? 'undefined')
    .digest('hex')
}

/** Arrays of pairs instead of objects: they keep any order of keys, integers as names and "__proto__" included. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return { a: value.map((item: unknown) => ordered(item)) }
  const pairs = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return pairs.map(([key, item]) => [key, ordered(item)])
}
