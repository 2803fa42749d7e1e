/** Shows what an analysis counted: single values as a line, lists of records as a table. */
import type { Facts, JsonValue } from '../analyses/finding.ts'
import { cellCode, escapeText, table } from './markdown-text.ts'

const MAX_ROWS = 10

export function renderFacts(facts: Facts): string[] {
  const single: string[] = []
  const tables: string[] = []
  for (const [name, value] of Object.entries(facts)) {
    if (isRows(value)) {
      if (value.length > 0) tables.push('', `${words(name)}:`, '', ...renderRows(value))
    } else single.push(`${words(name)}: ${show(value)}`)
  }
  return [...(single.length === 0 ? [] : [`${single.join('; ')}.`]), ...tables]
}

/** For tables of records whose columns are theirs: billing, times. */
export function renderRows(
  rows: readonly { readonly [column: string]: JsonValue }[],
  limit = MAX_ROWS,
): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.slice(0, limit).map((row) => columns.map((column) => cell(row[column])))
  const more = rows.length > limit ? ['', `… and ${rows.length - limit} more.`] : []
  return [...table(columns.map(words), cells), ...more]
}

function isRows(value: JsonValue): value is readonly { readonly [name: string]: JsonValue }[] {
  return (
    Array.isArray(value) &&
    value.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one))
  )
}

function cell(value: JsonValue | undefined): string {
  return typeof value === 'string' && /[/.]/.test(value) ? cellCode(value) : show(value ?? null)
}

function show(value: JsonValue): string {
  if (value === null) return 'none'
  if (value === true) return 'yes'
  if (value === false) return 'no'
  if (typeof value === 'string') return escapeText(value)
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.map((one: JsonValue) => show(one)).join(', ') || 'none'
  const entries = Object.entries(value)
  return entries.map(([name, one]) => `${escapeText(name)} ${show(one)}`).join(', ') || 'none'
}

function words(name: string): string {
  return escapeText(name.replaceAll('_', ' '))
}
