/** What differs between two JSON values, as the smallest changed places: a path, what was there and what is there. */
import { pathText, type JsonPath } from './json-path.ts'

export type JsonChange = {
  readonly kind: 'added' | 'changed' | 'removed'
  /** `context.items[2]`. Of what was removed it is the place before, of all else the place after. */
  readonly path: string
  /** `null` for what was added. */
  readonly before: unknown
  /** `null` for what was removed. */
  readonly after: unknown
}

type Found = Omit<JsonChange, 'path'> & { readonly path: JsonPath }

/** Every changed place, in the order of the second value; empty if the values are equal. */
export function diffJson(before: unknown, after: unknown): JsonChange[] {
  return diffPlaces(before, after).map((found) => ({ ...found, path: pathText(found.path) }))
}

/** The same with paths as lists. */
export function diffPlaces(before: unknown, after: unknown): Found[] {
  const found: Found[] = []
  collect(found, [], [before, after])
  return found
}

/** Equal as JSON, whatever the order of properties. */
export function sameJson(a: unknown, b: unknown): boolean {
  return diffPlaces(a, b).length === 0
}

type Pair = readonly [before: unknown, after: unknown]

function collect(found: Found[], path: JsonPath, [before, after]: Pair): void {
  if (before === after) return
  if (Array.isArray(before) && Array.isArray(after)) return collectList(found, path, [before, after])
  if (!isRecord(before) || !isRecord(after)) return void found.push({ kind: 'changed', path, before, after })
  for (const [name, value] of Object.entries(before)) {
    if (!Object.hasOwn(after, name)) {
      found.push({ kind: 'removed', path: [...path, name], before: value, after: null })
    }
  }
  for (const [name, value] of Object.entries(after)) {
    if (Object.hasOwn(before, name)) collect(found, [...path, name], [before[name], value])
    else found.push({ kind: 'added', path: [...path, name], before: null, after: value })
  }
}

/** What is equal at both ends stays out of it, so that an item put in front does not change all that follow. */
function collectList(
  found: Found[],
  path: JsonPath,
  [before, after]: readonly [readonly unknown[], readonly unknown[]],
): void {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && sameJson(before[start], after[start])) start += 1
  let end = 0
  while (end < shorter - start && sameJson(before.at(-1 - end), after.at(-1 - end))) end += 1
  const beforeEnd = before.length - end
  const afterEnd = after.length - end
  for (let at = start; at < Math.max(beforeEnd, afterEnd); at += 1) {
    if (at < beforeEnd && at < afterEnd) collect(found, [...path, at], [before[at], after[at]])
    else if (at < afterEnd) found.push({ kind: 'added', path: [...path, at], before: null, after: after[at] })
    else found.push({ kind: 'removed', path: [...path, at], before: before[at], after: null })
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
