/** Finds the packages that JavaScript and TypeScript sources import; not the imports that stand in strings or comments. */
import { isBuiltin } from 'node:module'
import { EMBEDDED } from './languages.ts'
import { lineCounter, scan, without } from './lexical.ts'

export type Import = {
  readonly name: string
  readonly line: number
  /** Gone when types are stripped: declarations are enough for it. */
  readonly typeOnly: boolean
  /** Inside a `try`, or with a `catch` behind it: the code can do without. */
  readonly guarded: boolean
}

const QUOTED = `\\s*(["'])([^"'\\n\\\\]{1,200})\\2`
const FORMS: readonly RegExp[] = [
  // import x from 'y', import { a } from 'y', export * from 'y', import type { T } from 'y'
  new RegExp(`(?<![\\w$.])(?:import|export)\\s(type\\s)?[^;'"()=]{0,4000}?(?<![\\w$])from${QUOTED}`, 'g'),
  // import 'y'
  new RegExp(`(?<![\\w$.])import()${QUOTED}`, 'g'),
  // import('y'), require('y'), require.resolve('y'), import.meta.resolve('y')
  new RegExp(
    `(?<![\\w$.])(?:import|require|require\\.resolve|import\\.meta\\.resolve)()\\s*\\(${QUOTED}\\s*[,)]`,
    'g',
  ),
]
const PACKAGE = /^(@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*$/i
/** Names that a host or a framework answers, or that are aliases by custom. */
const PROVIDED = new Set([
  'vscode',
  'electron',
  'bun',
  'k6',
  '@theme',
  '@site',
  '@docusaurus',
  'aws-lambda',
  'typescript/lib',
])

export function importsIn(text: string): Import[] {
  if (!/\b(?:import|require|from)\b/.test(text)) return []
  const spans = scan(text, EMBEDDED.script)
  const uncommented = without(text, spans, ['comment'])
  const code = without(uncommented, spans, ['string'])
  const lineOf = lineCounter(text)
  const found: Import[] = []
  for (const form of FORMS) {
    for (const match of uncommented.matchAll(form)) {
      // A keyword that is blank in the code stands in a string.
      if (code[match.index] === ' ') continue
      const name = packageOf(match[3] ?? '')
      if (name === undefined) continue
      found.push({
        name,
        line: lineOf(match.index),
        typeOnly: match[1] !== undefined && match[1] !== '',
        guarded: isGuarded(code, match.index, match.index + match[0].length),
      })
    }
  }
  return found
}

/** The package of a specifier; `undefined` for files, builtins, addresses and names that cannot be packages. */
export function packageOf(specifier: string): string | undefined {
  if (/^[./#~]|^@\/|:|^\w+\?|[!*\s]/.test(specifier)) return undefined
  const [first = '', second] = specifier.replace(/\?.*$/, '').split('/')
  const name = first.startsWith('@') ? (second === undefined ? undefined : `${first}/${second}`) : first
  if (name === undefined || !PACKAGE.test(name) || isBuiltin(specifier) || isBuiltin(first)) return undefined
  return PROVIDED.has(first) ? undefined : name
}

function isGuarded(code: string, start: number, end: number): boolean {
  return (
    /\btry\s*\{[^{}]*$/.test(code.slice(Math.max(0, start - 300), start)) ||
    /^\s*\)?\s*\.\s*catch\b/.test(code.slice(end, end + 40))
  )
}
