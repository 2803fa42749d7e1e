/** Lines are cut and kept within their limits, whatever arrives. */

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CapturedLog } from '../../actors/captured-log.ts'
import { LineSplitter } from '../../actors/line-splitter.ts'

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const text = fc
      .array(fc.constantFrom('a', 'ä', '€', '😀', '\n', '\r\n', ' '))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat(40)), (text, cuts) => {
        const bytes = Buffer.from(text)
        const splitter = new LineSplitter(1_000)
        const lines: string[] = []
        let from = 0
        for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
          const to = Math.max(from, Math.min(cut, bytes.length))
          lines.push(...splitter.write(bytes.subarray(from, to)))
          from = to
        }
        lines.push(...splitter.end())
        const expected = text.split(/\r?\n/)
        if (expected.at(-1) === '') expected.pop()
        expect(lines).toEqual(expected)
      }),
    )
  })

  it('gives a line that is too long in pieces, without splitting a character', () => {
    const splitter = new LineSplitter(4)
    expect(splitter.write(Buffer.from('abc😀defgh'))).toEqual(['abc', '😀de'])
    expect(splitter.write(Buffer.from('i\nx'))).toEqual(['fghi'])
    expect(splitter.end()).toEqual(['x'])
  })
})

describe('CapturedLog', () => {
  const fill = (lines: readonly string[], limits: { maxLines: number; maxBytes: number }): CapturedLog => {
    const log = new CapturedLog(limits)
    for (const line of lines) log.add(line)
    return log
  }
  const size = (lines: readonly string[]): number =>
    lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)

  const lines = (minLength: number): fc.Arbitrary<string[]> =>
    fc.array(
      fc.string({ unit: 'grapheme', maxLength: 120 }).map((line) => line.replaceAll('\n', ' ')),
      { minLength },
    )

  it('keeps everything that fits', () => {
    fc.assert(
      fc.property(lines(0), (lines) => {
        const limits = { maxLines: Math.max(3, lines.length), maxBytes: Math.max(64, size(lines)) }
        const log = fill(lines, limits)
        expect(log.lines()).toEqual(lines)
        expect(log.truncated).toBe(false)
      }),
    )
  })

  it('otherwise keeps head and tail within the limits', () => {
    const maxLines = fc.integer({ min: 3, max: 12 })
    const maxBytes = fc.integer({ min: 64, max: 400 })
    fc.assert(
      fc.property(lines(4), maxLines, maxBytes, (lines, maxLines, maxBytes) => {
        fc.pre(lines.length > maxLines || size(lines) > maxBytes)
        const log = fill(lines, { maxLines, maxBytes })
        const kept = log.lines()
        expect(log.truncated).toBe(true)
        expect(kept.length).toBeLessThanOrEqual(maxLines)
        expect(size(kept.filter((line) => !line.includes('left out')))).toBeLessThanOrEqual(maxBytes)
        const at = kept.findIndex((line) => line.includes('left out'))
        expect(kept.slice(0, at)).toEqual(lines.slice(0, at))
        const tail = kept.slice(at + 1).filter((line) => !line.includes('left out'))
        expect(lines.slice(lines.length - tail.length)).toEqual(tail)
      }),
    )
  })

  it('keeps a single long line whole while it fits, and cuts it between characters when it does not', () => {
    const line = '€'.repeat(30)
    expect(fill([line], { maxLines: 3, maxBytes: 100 }).lines()).toEqual([line])
    const cut = fill([line], { maxLines: 3, maxBytes: 65 })
    expect(cut.lines()).toEqual([`${'€'.repeat(21)}[… 27 bytes of this line left out]`])
    expect(cut.truncated).toBe(true)
  })

  it('says how much it left out', () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(4, '0'))
    const kept = fill(lines, { maxLines: 5, maxBytes: 1_000 }).lines()
    expect(kept).toEqual(['0000', '0001', '[… 4996 lines (24980 bytes) left out …]', '4998', '4999'])
  })
})
