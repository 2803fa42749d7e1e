/** Keeps docs/acceptance.md honest: each row has an entry, and each test that is named exists and names the row. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './architecture/source-file.ts'

const ROWS = 223

type Row = { readonly id: string; readonly entries: readonly string[] }

const rows: Row[] = readFileSync(join(root, 'docs/acceptance.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| [OX]-\d+ \|/.test(line))
  .map((line) => {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
    return { id: cells[1] ?? '', entries: (cells[5] ?? '').split('<br>') }
  })

test('every row is there, once', () => {
  const ids = rows.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBe(ROWS)
})

describe('each row names a test that names the row, or says why none', () => {
  test.each(rows.map((row) => [row.id, row] as const))('%s', (id, { entries }) => {
    for (const entry of entries) expect(trouble(id, entry)).toBeUndefined()
  })
})

test('an entry that names a test that is not there is noticed, and so is one that does not name its row', () => {
  expect(trouble('O-001', 'test/nowhere.test.ts › O-001')).toContain('no such file')
  expect(trouble('O-001', ['test/acceptance.test.ts › none is', 'called this (O-001)'].join(' '))).toContain(
    'no such test',
  )
  expect(trouble('O-001', 'test/acceptance.test.ts › every row is there, once')).toContain('does not name')
  expect(trouble('O-001', 'later')).toContain('neither')
  expect(trouble('O-001', 'n/a:')).toContain('neither')
})

/** What is wrong with an entry; `undefined` if nothing is. */
function trouble(id: string, entry: string): string | undefined {
  if (/^(?:n\/a|open): \S.{10,}/.test(entry)) return undefined
  const [file, name] = entry.split(' › ')
  if (file === undefined || name === undefined) return `"${entry}" is neither a test nor a reason`
  if (!existsSync(join(root, file))) return `${file}: no such file`
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/\\(['"`])/g, '$1')
  if (!text.includes(name)) return `${file}: no such test: ${name}`
  return named(name).has(id) ? undefined : `"${name}" does not name ${id}`
}

/** The rows that a test's name names, ranges like "O-069 to O-076" written out. */
function named(name: string): Set<string> {
  const ids = new Set<string>()
  for (const [, letter = '', first = '', last] of name.matchAll(/([OX])-(\d+)(?: to (?:[OX]-)?(\d+))?/g)) {
    for (let n = Number(first); n <= Number(last ?? first); n += 1)
      ids.add(letter === 'O' ? `O-${String(n).padStart(3, '0')}` : `X-${n}`)
  }
  return ids
}
