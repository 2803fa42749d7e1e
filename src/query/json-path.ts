/** Names a place inside a JSON value as people write it: `context.items[2].name`, `context["a.b"]`. */
import { QueryError } from './query-error.ts'

/** Property names and places in lists, from the outside in. */
export type JsonPath = readonly (string | number)[]

const PLAIN = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u
/** A name, a place in a list, or a quoted name; `y`: each begins where the last ended. */
const PART = /(?:^|\.)([\p{L}_$][\p{L}\p{N}_$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/uy

export function pathText(path: JsonPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    if (!PLAIN.test(part)) return `${text}[${JSON.stringify(part)}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}

/** @throws QueryError `QUERY_INVALID` */
export function parsePath(text: string): JsonPath {
  const path: (string | number)[] = []
  let end = 0
  while (end < text.length) {
    PART.lastIndex = end
    const found = PART.exec(text)
    if (found === null || (end === 0 && text.startsWith('.'))) throw invalidPath(text, end)
    const [part, name, place, quoted] = found
    if (name !== undefined) path.push(name)
    else if (place !== undefined) path.push(Number(place))
    else path.push(unquoted(text, end, quoted ?? ''))
    end += part.length
  }
  if (path.length === 0) throw invalidPath(text, 0)
  return path
}

/** The value at a path; `undefined` if there is none. */
export function valueAt(value: unknown, path: JsonPath): unknown {
  let inner = value
  for (const part of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, part)) return undefined
    inner = (inner as Record<string | number, unknown>)[part]
  }
  return inner
}

function unquoted(text: string, at: number, quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw invalidPath(text, at)
  }
}

function invalidPath(text: string, at: number): QueryError {
  return new QueryError('QUERY_INVALID', {
    happened: `"${text}" is no path${at === 0 ? '' : `, from its character ${at + 1} on`}.`,
    expected:
      'Expected names with dots between them, and places of lists in brackets: context.items[2].name.',
    todo: 'Correct it; a name with other characters is quoted: context["a.b"].',
    details: { path: text, at },
  })
}
