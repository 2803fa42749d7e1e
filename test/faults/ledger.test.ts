/** A note that was cut in two counts as never made, and the notes after it count. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { note, notesIn } from './ledger.ts'

const folder = mkdtempSync(join(tmpdir(), 'ledger-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a ledger that nobody wrote to is empty', () => {
  expect(notesIn(join(folder, 'none'))).toEqual([])
})

test('a torn note is passed over, wherever it was torn', () => {
  const path = join(folder, 'torn')
  note(path, 'work 1 begun')
  appendFileSync(path, '\nwork 1 en')
  note(path, 'work 2 begun')
  appendFileSync(path, '\n')
  note(path, 'work 2 ended')
  appendFileSync(path, '\nwork 3 begun')
  expect(notesIn(path)).toEqual(['work 1 begun', 'work 2 begun', 'work 2 ended'])
})
