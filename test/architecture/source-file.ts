/** Reads a source file the way the architecture rules need it: its imports, and its code without comments and strings. */
import { readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EMBEDDED } from '../../examples/repo-review/analyses/languages.ts'
import { scan, without } from '../../examples/repo-review/analyses/lexical.ts'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export type ImportEdge = {
  readonly specifier: string
  /** Path in the repository, for a relative specifier; otherwise `undefined`. */
  readonly file: string | undefined
  /** Gone when types are stripped. */
  readonly typeOnly: boolean
}

export type SourceFile = {
  /** Path in the repository, with `/`. */
  readonly path: string
  readonly text: string
  /** The text with comments and strings blanked; code in the holes of templates is kept. */
  readonly code: string
  readonly imports: readonly ImportEdge[]
}

export function readSource(path: string): SourceFile {
  return sourceFile(path, readFileSync(join(root, path), 'utf8'))
}

export function sourceFile(path: string, text: string): SourceFile {
  const spans = scan(text, EMBEDDED.script)
  const uncommented = without(text, spans, ['comment'])
  const code = without(uncommented, spans, ['string'])
  return { path, text, code, imports: importsOf(path, uncommented, code) }
}

const QUOTED = `\\s*(['"])([^'"\\n]+)`
const STATIC = new RegExp(
  `(?<![\\w$.])(?:import|export)\\s+(type\\s)?\\s*([^;'"()=]*?)(?<![\\w$])from${QUOTED}`,
  'g',
)
const SIDE_EFFECT = new RegExp(`(?<![\\w$.])import${QUOTED}`, 'g')
const CALLED = new RegExp(`(?<![\\w$.])(?:import|require)\\s*\\(${QUOTED}`, 'g')

function importsOf(path: string, uncommented: string, code: string): ImportEdge[] {
  const edges: ImportEdge[] = []
  const add = (specifier: string, typeOnly: boolean): void => {
    const file = specifier.startsWith('.') ? normalizePath(join(dirname(path), specifier)) : undefined
    edges.push({ specifier, file, typeOnly })
  }
  // A keyword that is blank in the code stands in a string.
  const real = (match: RegExpExecArray): boolean => code[match.index] !== ' '
  for (const match of uncommented.matchAll(STATIC)) {
    if (real(match)) add(match[4] ?? '', match[1] !== undefined || namesOnlyTypes(match[2] ?? ''))
  }
  for (const form of [SIDE_EFFECT, CALLED]) {
    for (const match of uncommented.matchAll(form)) if (real(match)) add(match[2] ?? '', false)
  }
  return edges
}

/** `{ type A, type B }`, and nothing beside the braces. */
function namesOnlyTypes(clause: string): boolean {
  const names = /^\s*\{([^{}]*)\}\s*$/.exec(clause)?.[1]
  if (names === undefined) return false
  return names
    .split(',')
    .filter((name) => name.trim() !== '')
    .every((name) => /^\s*type\s/.test(name))
}

function normalizePath(path: string): string {
  return relative('.', normalize(path)).split(sep).join('/')
}

type Node = { readonly path: string; readonly imports: readonly Pick<ImportEdge, 'file'>[] }

/** A cycle in the graph of imports, as the files along it; `undefined` if there is none. */
export function findCycle(files: readonly Node[]): string[] | undefined {
  const edges = new Map(files.map(({ path, imports }) => [path, imports.map(({ file }) => file)]))
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of edges.get(path) ?? []) {
      const cycle = next === undefined ? undefined : visit(next, [...trail, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const { path } of files) {
    const cycle = visit(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}
