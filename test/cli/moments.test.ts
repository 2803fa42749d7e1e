/** How a moment is read that a person has typed: in UTC, and refused rather than guessed. */
import { describe, expect, test } from 'vitest'
import { readMoment } from '../../src/cli/moments.ts'

/** A Friday. */
const NOW = Date.parse('2026-11-20T10:20:30.456Z')
const read = (typed: string): string | undefined => {
  const at = readMoment(typed, NOW)
  return at === undefined ? undefined : new Date(at).toISOString()
}

describe('a moment is', () => {
  test.each([
    ['now', '2026-11-20T10:20:30.456Z'],
    ['today', '2026-11-20T00:00:00.000Z'],
    ['yesterday', '2026-11-19T00:00:00.000Z'],
    ['Yesterday 14:05', '2026-11-19T14:05:00.000Z'],
    ['friday', '2026-11-20T00:00:00.000Z'],
    ['sat', '2026-11-14T00:00:00.000Z'],
    ['thursday 23:59:59', '2026-11-19T23:59:59.000Z'],
    ['90s', '2026-11-20T10:19:00.456Z'],
    ['2h', '2026-11-20T08:20:30.456Z'],
    ['2 hours ago', '2026-11-20T08:20:30.456Z'],
    ['1.5 days ago', '2026-11-18T22:20:30.456Z'],
    ['last 3 weeks', '2026-10-30T10:20:30.456Z'],
    ['5m', '2026-11-20T10:15:30.456Z'],
    ['250ms', '2026-11-20T10:20:30.206Z'],
    ['9:05', '2026-11-20T09:05:00.000Z'],
    ['2026-02-28', '2026-02-28T00:00:00.000Z'],
    ['2024-02-29 06:07', '2024-02-29T06:07:00.000Z'],
    ['2026-11-19 09:00:01.500', '2026-11-19T09:00:01.500Z'],
    ['2026-11-19T09:00:01.500Z', '2026-11-19T09:00:01.500Z'],
    ['2026-11-19T09:00:01+02:00', '2026-11-19T07:00:01.000Z'],
    ['2026-11-19 09:00 utc', '2026-11-19T09:00:00.000Z'],
  ])('%s', (typed, at) => {
    expect(read(typed)).toBe(at)
  })
})

describe('no moment is', () => {
  test.each([
    '',
    ' ',
    'soon',
    'tomorrow',
    '7',
    '-2h',
    '2 parsecs',
    '2026-02-30',
    '2025-02-29',
    '2026-13-01',
    '2026-11-19 25:00',
    '24:00',
    '9:61',
    '2026-11',
    'yesterday at noon',
    'su',
    '99999999999w',
    '20261119',
    'today today',
  ])('"%s"', (typed) => {
    expect(read(typed)).toBeUndefined()
  })
})
