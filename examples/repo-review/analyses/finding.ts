/** What every analysis answers with, and the one total order in which findings are shown: most important first. */

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

export type Severity = 'high' | 'medium' | 'low'

export type Area = 'code' | 'history' | 'documents' | 'dependencies'

export type Finding = {
  /** `group.what`, for instance `secret.private-key`. */
  readonly rule: string
  readonly severity: Severity
  readonly area: Area
  /** Relative to the reviewed folder, with forward slashes; a folder ends with a slash. */
  readonly file: string
  readonly line: number | null
  /** Plain text, one line; the report escapes it. A number at its start says how much: more comes first. */
  readonly message: string
}

export type Facts = { readonly [name: string]: JsonValue }

export type Measurement =
  | { readonly status: 'measured'; readonly findings: readonly Finding[]; readonly facts: Facts }
  | { readonly status: 'not_measured'; readonly why: string }

export type AnalysisInput = {
  /** The reviewed folder. */
  readonly root: string
  /** ISO time of the review's recorded start; every age is counted from it, never from the clock. */
  readonly startedAt: string
  readonly signal?: AbortSignal | undefined
  readonly log?: ((line: string) => void) | undefined
}

export type Analysis = (input: AnalysisInput) => Promise<Measurement>

const SEVERITIES: readonly Severity[] = ['high', 'medium', 'low']

/** Groups of rules, most important first; inside a severity this decides before the file's name does. */
const GROUPS: readonly string[] = [
  'secret',
  'dependency',
  'link',
  'todo',
  'function',
  'hot-spot',
  'file',
  'leftover',
  'ownership',
  'document',
]

/** By code unit, so that no machine's locale changes a report. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function compareFindings(a: Finding, b: Finding): number {
  return (
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
    rankOf(a.rule) - rankOf(b.rule) ||
    compareText(a.rule, b.rule) ||
    amountOf(b.message) - amountOf(a.message) ||
    compareText(a.file, b.file) ||
    (a.line ?? 0) - (b.line ?? 0) ||
    compareText(a.message, b.message) ||
    compareText(a.area, b.area)
  )
}

export function sortFindings(findings: Iterable<Finding>): Finding[] {
  return [...findings].sort(compareFindings)
}

export function measured(findings: Iterable<Finding>, facts: Facts): Measurement {
  return { status: 'measured', findings: sortFindings(findings), facts }
}

export function notMeasured(why: string): Measurement {
  return { status: 'not_measured', why }
}

function amountOf(message: string): number {
  return Number(/^\d+(?:\.\d+)?/.exec(message)?.[0] ?? 0)
}

function rankOf(rule: string): number {
  const rank = GROUPS.indexOf(rule.split('.')[0] ?? rule)
  return rank === -1 ? GROUPS.length : rank
}
