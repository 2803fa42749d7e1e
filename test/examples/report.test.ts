/** The rendered review; a bug would be a name that becomes Markdown, a lost finding, or another byte on the second run. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareFindings,
  type Finding,
  measured,
  notMeasured,
} from '../../examples/repo-review/analyses/finding.ts'
import { escapeText, inlineCode } from '../../examples/repo-review/report/markdown-text.ts'
import { findingsSection, renderReview, type ReviewReport } from '../../examples/repo-review/report/report.ts'

const finding = (part: Partial<Finding>): Finding => ({
  rule: 'file.too-long',
  severity: 'low',
  area: 'code',
  file: 'a.ts',
  line: null,
  message: 'm',
  ...part,
})

const REVIEW: ReviewReport = {
  name: 'thing',
  repository: {
    kind: 'repository',
    root: '/somewhere',
    work_tree: '/somewhere',
    head: 'abc',
    shallow: true,
    partial: false,
    overrides: [],
    branch: 'main',
    dirty: true,
  },
  started_at: '2026-03-01T00:00:00.000Z',
  commit: 'abc',
  sections: [
    {
      area: 'code',
      title: 'oversized files',
      measurement: measured(
        [
          finding({ file: 'b `tick`.ts', message: '*bold* [link](x) <b> `code` a|b __x__ a_b' }),
          finding({ message: '500 lines' }),
          finding({ message: '1500 lines', file: 'z.ts' }),
          finding({ rule: 'secret.jwt', severity: 'high', line: 3, file: 'new\n## Findings\nline.ts' }),
        ],
        { source_files: 2, commits_limited: false, longest_files: [{ file: 'a|b.ts', lines: 3 }] },
      ),
    },
    { area: 'history', title: 'hot spots', measurement: notMeasured('shallow clone') },
  ],
  refusals: [
    {
      who: 'clean-up',
      what: 'deleting 1 leftover',
      reason: 'destructive',
      alternatives: ['ask', 'list'],
      instead: 'listed it',
    },
  ],
  proposals: [{ path: 'dist/', bytes: 2048, why: 'output of a build', command: 'rm -r -- dist/' }],
  billing: [{ role: 'orchestrator', tokens: 12, usd: 0.5 }],
  timings: [{ what: 'hot-spots', ms: 1234 }],
  run: { events: 42 },
}

describe('renderReview', () => {
  test('the whole document', () => {
    expect(renderReview(REVIEW)).toMatchInlineSnapshot(`
      "# Review of thing

      * Reviewed: \`abc\` on \`main\`, with uncommitted changes
      * Started: 2026-03-01T00:00:00.000Z; ages are counted from then
      * Limits: a shallow clone

      ## Summary

      4 findings, 1 of 2 analyses measured, 1 refused, 1 proposed for clean-up.

      | area | high | medium | low |
      | --- | --- | --- | --- |
      | code | 1 | 0 | 3 |
      | history | 0 | 0 | 0 |
      | documents | 0 | 0 | 0 |
      | dependencies | 0 | 0 | 0 |

      ## Findings

      ### High (1)

      * \`new\\n## Findings\\nline.ts:3\` m (secret.jwt)

      ### Low (3)

      * \`z.ts\` 1500 lines (file.too-long)
      * \`a.ts\` 500 lines (file.too-long)
      * \`\`b \`tick\`.ts\`\` \\*bold\\* \\[link\\](x) \\<b> \\\`code\\\` a\\|b \\_\\_x\\_\\_ a_b (file.too-long)

      ## Not measured

      * hot spots (history): not measured: shallow clone

      ## Refused

      * clean-up was refused deleting 1 leftover: destructive
        * alternative: ask
        * alternative: list
        * instead: listed it

      ## Proposed clean-up

      Nothing was deleted. To run in the reviewed folder, after a look at each:

      ~~~~sh
      # dist/: output of a build (2.0 KiB)
      rm -r -- dist/
      ~~~~

      ## Measured

      ### Oversized files

      source files: 2; commits limited: no.

      longest files:

      | file | lines |
      | --- | --- |
      | \`a\\|b.ts\` | 3 |

      ## Run

      * events: 42

      | what | seconds |
      | --- | --- |
      | hot-spots | 1.23 |

      | role | tokens | usd |
      | --- | --- | --- |
      | orchestrator | 12 | 0.5 |
      "
    `)
  })

  test('only the section Run knows of times, events and cost', () => {
    const other = renderReview({ ...REVIEW, timings: [], billing: [], run: { events: 1 } })
    const upToRun = (report: string): string => report.slice(0, report.indexOf('\n## Run'))
    expect(upToRun(other)).toBe(upToRun(renderReview(REVIEW)))
    expect(other).not.toBe(renderReview(REVIEW))
  })

  test('does not depend on the order in which analyses ended', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...REVIEW.sections], { minLength: 2 }), (sections) => {
        expect(findingsSection(renderReview({ ...REVIEW, sections }))).toBe(
          findingsSection(renderReview(REVIEW)),
        )
      }),
    )
  })

  test('nothing found, and too much of one kind', () => {
    expect(findingsSection(renderReview({ ...REVIEW, sections: [] }))).toBe('## Findings\n\nNone.\n')
    const many = Array.from({ length: 130 }, (_, n) => finding({ file: `f${n}.ts` }))
    const sections = [{ area: 'code' as const, title: 'x', measurement: measured(many, {}) }]
    const text = findingsSection(renderReview({ ...REVIEW, sections }))
    expect(text.match(/^\* `f/gm)).toHaveLength(100)
    expect(text).toContain('### Low (130)')
    expect(text).toContain('* … and 30 more of `file.too-long`')
  })

  test('no section, no text', () => {
    expect(findingsSection('# x\n')).toBe('')
  })
})

describe('compareFindings', () => {
  test('is a total order', () => {
    const any = fc.record({
      rule: fc.constantFrom('secret.jwt', 'todo.todo', 'odd'),
      severity: fc.constantFrom('high', 'medium', 'low'),
      area: fc.constantFrom('code', 'history'),
      file: fc.constantFrom('a', 'b'),
      line: fc.constantFrom(null, 1, 2),
      message: fc.constantFrom('x', '2 x', '10 x'),
    }) as fc.Arbitrary<Finding>
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(Math.sign(compareFindings(a, b))).toBe(0 - Math.sign(compareFindings(b, a)))
        const [first, second, third] = [a, b, c].toSorted(compareFindings)
        if (first === undefined || second === undefined || third === undefined) return false
        return compareFindings(first, second) <= 0 && compareFindings(first, third) <= 0
      }),
    )
  })
})

describe('escaping', () => {
  test('inline code holds any text on one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('`', ' ', 'a', '\n', '|', '\u202E') }), (text) => {
        const code = inlineCode(text)
        const fence = /^`+/.exec(code)?.[0] ?? ''
        expect(code).not.toMatch(/[\n\u202E]/)
        if (text.trim() === '') return
        expect(code.endsWith(fence)).toBe(true)
        expect(code.slice(fence.length, -fence.length)).not.toMatch(new RegExp(`(?<!\`)${fence}(?!\`)`))
      }),
    )
  })

  test.each([
    ['a_b_c', 'a_b_c'],
    ['_a_', '\\_a\\_'],
    ['1. x', '1\\. x'],
    ['# x', '\\# x'],
    ['&amp; & ~~x~~', '\\&amp; & \\~\\~x\\~\\~'],
  ])('%s', (text, escaped) => {
    expect(escapeText(text)).toBe(escaped)
  })
})
