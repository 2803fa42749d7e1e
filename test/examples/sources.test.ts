/** Sizes, structure and tokens of sources; a bug would be a call taken for a function, or a count that is off. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { functionsIn } from '../../examples/repo-review/analyses/functions.ts'
import { languageOf } from '../../examples/repo-review/analyses/languages.ts'
import { scan, without } from '../../examples/repo-review/analyses/lexical.ts'
import { oversizedFiles } from '../../examples/repo-review/analyses/oversized-files.ts'
import { deepReview, structure } from '../../examples/repo-review/analyses/structure.ts'
import { countTokens, priceOf } from '../../examples/repo-review/analyses/tokens.ts'
import { ScratchRepository } from './scratch-repository.ts'

function shapes(file: string, text: string): string[] {
  const language = languageOf(file)
  if (language === undefined) throw new Error(`no language for ${file}`)
  return functionsIn(text, language).map(
    ({ name, line, lines, depth }) => `${name}@${line} ${lines}/${depth}`,
  )
}

describe('scan', () => {
  const files = ['a.ts', 'a.py', 'a.go', 'a.rs', 'a.sh', 'a.sql', 'a.html', 'a.php', 'a.css', 'a.toml']
  const pieces = [
    '"',
    "'",
    '`',
    '${',
    '}',
    '{',
    '/',
    '//',
    '/*',
    '*/',
    '#',
    '--',
    '<!--',
    '-->',
    '<script>',
    '</script>',
    '\\',
    '\n',
    '\r\n',
    ' ',
    'x',
    '"""',
    "'''",
    '=',
    'é',
    '💥',
  ]
  const parts = fc.constantFrom(...pieces)

  test('spans are in order and apart; blanking keeps every offset and line', () => {
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(parts, { maxLength: 60 }), (file, chosen) => {
        const text = chosen.join('')
        const language = languageOf(file)
        if (language === undefined) return false
        const spans = scan(text, language)
        let end = 0
        for (const span of spans) {
          expect(span.start).toBeGreaterThanOrEqual(end)
          expect(span.end).toBeGreaterThan(span.start)
          end = span.end
        }
        expect(end).toBeLessThanOrEqual(text.length)
        const code = without(text, spans, ['comment', 'string'])
        expect(code).toHaveLength(text.length)
        expect(code.split('\n').map((line) => line.length)).toStrictEqual(
          text.split('\n').map((line) => line.length),
        )
        functionsIn(text, language)
        return true
      }),
      { numRuns: 500 },
    )
  })

  test('hostile texts take no time', () => {
    const started = performance.now()
    for (const part of [
      '/',
      '"',
      '`${',
      '{',
      '(',
      'a(',
      'x = (',
      '<a',
      '/*',
      'function a',
      'if (x) {',
      'a *b ',
      ' ',
      'a: ',
    ]) {
      shapes('a.ts', part.repeat(20_000))
    }
    expect(performance.now() - started).toBeLessThan(15_000)
  })
})

describe('functionsIn', () => {
  test.each([
    ['a.ts', 'function a(x: { y: number }): { z: string } {\n  return x\n}\n', ['a@1 3/0']],
    ['a.ts', 'const a = async <T,>(x = {}): Promise<T> => {\n  return x\n}\n', ['a@1 3/0']],
    ['a.ts', 'const a = (x) => ({ x })\nconst b = (x) => x ? { x } : {}\n', []],
    [
      'a.ts',
      'class A {\n  async b(c: () => void): Promise<void> {\n    c()\n  }\n  get d() {\n    return 1\n  }\n}\n',
      ['b@2 3/0', 'd@5 3/0'],
    ],
    ['a.ts', 'foo(a)\nif (x) {\n  y()\n}\n', []],
    ['a.ts', 'function a(): string\nfunction a(x?: string): string {\n  return x\n}\n', ['a@2 3/0']],
    [
      'a.ts',
      'function a() {\n  for (;;) {\n    if (x) {\n      try {\n      } catch {\n      }\n    } else if (y) {\n    }\n  }\n}\n',
      ['a@1 10/3'],
    ],
    [
      'a.ts',
      'function a() {\n  const b = () => {\n    if (x) {\n    }\n  }\n  return b\n}\n',
      ['a@1 4/0', 'b@2 4/1'],
    ],
    ['a.ts', 'function a() {\n  // { if (x) {\n\n  return "}"\n}\n', ['a@1 3/0']],
    ['a.ts', "describe('x', () => {\n  if (a) {\n  }\n})\n", []],
    [
      'a.go',
      'func (s *S) A(x int) (int, error) {\n  for i := range x {\n    if err := f(i); err != nil {\n    }\n  }\n}\n',
      ['A@1 6/2'],
    ],
    ['a.rs', "fn a<'a>(x: &'a str) -> Option<u8> {\n  match x {\n    _ => {}\n  }\n}\n", ['a@1 5/1']],
    [
      'a.java',
      'class A {\n  public static void main(String[] args) throws E {\n    new B() {\n    };\n  }\n}\n',
      ['main@2 4/0'],
    ],
    ['a.c', 'int\nmain(int argc, char **argv)\n{\n  while (1) {\n  }\n}\n', ['main@2 5/1']],
    [
      'a.py',
      'def a(\n  x,\n):\n  """Doc.\n\n  string"""\n  if x:\n    for y in x:\n      pass\n\ndef b():\n  return {\n}\n',
      ['a@1 6/2', 'b@11 3/0'],
    ],
    [
      'a.py',
      'class A:\n  def b(self):\n    def c():\n      while 1:\n        pass\n    return c\n',
      ['b@2 2/0', 'c@3 3/1'],
    ],
  ])('%s: %s', (file, text, expected) => {
    expect(shapes(file, text)).toStrictEqual(expected)
  })
})

describe('structure and deepReview', () => {
  const long = `function long() {\n${'  call()\n'.repeat(120)}}\n`
  const deep = `function deep() {\n${'if (x) {\n'.repeat(6)}${'}\n'.repeat(6)}}\n`

  test('report what is beyond the limits; tests only when asked for', async () => {
    const repository = new ScratchRepository({
      'src/a.ts': long + deep,
      'test/a.test.ts': long,
      'src/b.md': 'x',
    })
    const findings = [
      {
        rule: 'function.too-deep',
        severity: 'low',
        area: 'code',
        file: 'src/a.ts',
        line: 123,
        message: '6 levels of conditions and loops in the function deep (limit 5)',
      },
      {
        rule: 'function.too-long',
        severity: 'low',
        area: 'code',
        file: 'src/a.ts',
        line: 1,
        message: '122 lines of code in the function long (limit 100)',
      },
    ]
    expect(await structure(repository.input)).toStrictEqual({
      status: 'measured',
      findings,
      facts: { files_read: 1, functions: 2 },
    })
    const files = ['test/a.test.ts', 'src/b.md', 'none.ts', '../outside.ts']
    expect(await deepReview({ root: repository.root, files })).toStrictEqual([
      { ...findings[1], file: 'test/a.test.ts' },
    ])
  })
})

describe('oversizedFiles', () => {
  test('long sources and big files, as git stores them', async () => {
    const repository = new ScratchRepository({
      'src/a.ts': 'x\n'.repeat(401),
      'src/b.ts': 'x\n'.repeat(400),
      'src/c.test.ts': 'x\n'.repeat(900),
      'src/made.ts': `// @generated\n${'x\n'.repeat(5000)}`,
      'data.bin': Buffer.alloc(1024 * 1024 + 1),
      'package-lock.json': ' '.repeat(1024 * 1024 + 1),
    })
    repository.write({ 'data.bin': Buffer.alloc(1) })
    expect(await oversizedFiles(repository.input)).toMatchObject({
      findings: [
        { rule: 'file.too-big', file: 'data.bin', message: '1.0 MiB tracked by git: every clone carries it' },
        { rule: 'file.too-long', file: 'src/a.ts', message: '401 lines (limit 400)' },
      ],
      facts: { source_files: 3, source_lines: 1701 },
    })
  })
})

describe('tokens', () => {
  test('real counts, control tokens as text, no hang on a word of a megabyte', async () => {
    expect(await countTokens('hello world')).toBe(2)
    expect(await countTokens('')).toBe(0)
    expect(await countTokens('<|endoftext|>')).toBeGreaterThan(1)
    const started = performance.now()
    expect(await countTokens('a'.repeat(1_000_000))).toBeGreaterThan(10_000)
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  test('the price of files', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'hello world', 'b.bin': Buffer.from([0]) })
    expect(await priceOf({ root: repository.root, files: ['a.txt', 'b.bin', 'none'] }, 3)).toStrictEqual({
      files: [{ file: 'a.txt', tokens: 2, cost: 0.000006 }],
      tokens: 2,
      cost: 0.000006,
    })
  })
})
