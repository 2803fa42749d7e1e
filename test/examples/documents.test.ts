/** Links, headings and the documents a stranger looks for; a bug would be a finding on a link that works. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { brokenLinks } from '../../examples/repo-review/analyses/broken-links.ts'
import type { Measurement } from '../../examples/repo-review/analyses/finding.ts'
import { readMarkdown, slugOf } from '../../examples/repo-review/analyses/markdown.ts'
import { readme } from '../../examples/repo-review/analyses/readme.ts'
import { ScratchRepository } from './scratch-repository.ts'

const places = (measurement: Measurement): string[] => {
  if (measurement.status === 'not_measured') throw new Error(measurement.why)
  return measurement.findings.map(({ file, line, message }) => `${file}:${line ?? '-'} ${message}`)
}

describe('readMarkdown', () => {
  test.each([
    ['[a](b.md)', ['b.md']],
    ['![a](b.png "title")', ['b.png']],
    ['[a](<b c.md>)', ['b c.md']],
    ['[a](b_(c).md)', ['b_(c).md']],
    ['[![a](b.png)](c.md)', ['b.png', 'c.md']],
    ['[a]\n\n[a]: b.md "title"', ['b.md']],
    ['[a](\n  b.md\n)', ['b.md']],
    ['<a href="b.md">a</a> <img alt="" src=\'c.png\'>', ['b.md', 'c.png']],
    ['<a :href="b.md">a</a>', []],
    ['`[a](b.md)`', []],
    ['``[a](b.md) ` ``', []],
    ['a ` b [c](d.md)', ['d.md']],
    ['```\n[a](b.md)\n```\n[c](d.md)', ['d.md']],
    ['- ```js\n  [a](b.md)\n  ```\n[c](d.md)', ['d.md']],
    ['~~~\n```\n[a](b.md)\n~~~', []],
    ['text\n\n    [a](b.md)\n\n    [c](d.md)', []],
    ['- item\n\n    [a](b.md)', ['b.md']],
    ['<!-- [a](b.md) -->', []],
    ['\\[a](b.md)', ['b.md']],
    ['[a\\](b.md)', []],
    ['a](b and c', []],
    ['---\nlink: "[a](b.md)"\n---\n', []],
    ['[^1]: note.md', []],
  ])('links of %j', (text, expected) => {
    expect(readMarkdown(text).links.map(({ target }) => target)).toStrictEqual(expected)
  })

  test('headings of both kinds, none in code', () => {
    const text = '# One `code`\n\nTwo\n---\n\n```\n# no\n```\n### Three ###\n\n- item\n---\n\n| a |\n|---|\n'
    expect(readMarkdown(text).headings).toStrictEqual([
      { level: 1, text: 'One `code`', line: 1 },
      { level: 2, text: 'Two', line: 3 },
      { level: 3, text: 'Three', line: 9 },
    ])
  })

  test.each([
    ['Hello, World!', 'hello-world'],
    ['snake_case & more', 'snake_case--more'],
    ['Über uns — ja', 'über-uns--ja'],
    ['日本語 の', '日本語-の'],
  ])('the slug of %j', (heading, slug) => {
    expect(slugOf(heading)).toBe(slug)
  })

  test('anchors: repeated, with markup, by hand', () => {
    const text =
      '# A\n# A\n## [Link](x.md) and `code()`\n## _Emphasis_ x\n## Named {#By-Hand}\n<a id="here"></a>\n'
    const { anchors } = readMarkdown(text)
    for (const anchor of ['a', 'a-1', 'link-and-code', 'emphasis-x', 'by-hand', 'here'])
      expect(anchors).toContain(anchor)
  })

  test('hostile texts take no time', () => {
    const started = performance.now()
    for (const part of ['> ', '- ', '`', '``` ', '[', '](', '<a ', '<!--', '<a href="', '#', '\n\n', '1. ']) {
      readMarkdown(part.repeat(20_000))
    }
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe('brokenLinks', () => {
  test('missing files, wrong case, missing headings; everything else is fine', async () => {
    const repository = new ScratchRepository({
      'README.md': [
        '# Title',
        '[ok](docs/a%20b.md#part-one) [ok](#title) [ok](docs) [ok](./docs/) [ok](/LICENSE)',
        '[url](https://example.org/x.md) [mail](mailto:a@b.c) [outside](../../issues) [place]({{url}})',
        '[gone](docs/gone.md) ![gone](gone.png)',
        '[case](license)',
        '[no heading](docs/a%20b.md#part-two) [no heading](#nowhere)',
        '[query](docs/a%20b.md?plain=1#part-one) [line](src/x.ts#L3) [untracked](later.md)',
        '[root](/none.md)',
      ].join('\r\n'),
      'docs/a b.md': '# Part one\n[up](../README.md) [site root](/guide) [wrong](README.md)\n',
      'src/x.ts': 'x\n',
      'deleted.md': 'x\n',
      'link.md': '[deleted](deleted.md)\n',
      'test/fixtures/bad.md': '[gone](gone.md)\n',
      LICENSE: 'x\n',
    }).write({ 'later.md': 'x\n' })
    rmSync(join(repository.root, 'deleted.md'))
    expect(places(await brokenLinks(repository.input))).toStrictEqual([
      'README.md:4 image to a missing file: gone.png',
      'README.md:4 link to a missing file: docs/gone.md',
      'README.md:5 link to a missing file: license (there is LICENSE: case matters)',
      'README.md:8 link to a missing file: /none.md',
      'docs/a b.md:2 link to a missing file: README.md',
      'link.md:1 link to a missing file: deleted.md',
      'README.md:6 link to #nowhere, which no heading of this document makes',
      'README.md:6 link to #part-two, which no heading of docs/a b.md makes',
    ])
  })

  test('a documentation site has addresses of its own', async () => {
    const repository = new ScratchRepository({
      'docs/.vitepress/config.ts': '',
      'docs/index.md': '[page](./guide) [page](./guide.html#what-s-new) [root](/api) [gone](./none.md)\n',
      'docs/guide.md': "## What's new\n",
    })
    expect(places(await brokenLinks(repository.input))).toStrictEqual([
      'docs/index.md:1 link to a missing file: ./none.md',
    ])
  })

  test('no Markdown, nothing measured', async () => {
    const repository = new ScratchRepository({ 'a.txt': '[a](b)' })
    expect(await brokenLinks(repository.input)).toStrictEqual({
      status: 'not_measured',
      why: 'no Markdown files',
    })
  })
})

describe('readme', () => {
  test('what is missing, and headings that jump', async () => {
    const repository = new ScratchRepository({
      'package.json': '{}',
      'docs/a.md': '# A\n\n### B\n\n##### C\n',
    })
    expect(places(await readme(repository.input))).toStrictEqual([
      'docs/a.md:3 heading jumps from level 1 to 3: outlines and screen readers lose the thread',
      'CHANGELOG.md:- there is no changelog: users cannot tell what an update brings',
      'LICENSE:- there is no licence: without one, nobody may use it',
      'README.md:- there is no README: nobody learns what this is',
    ])
  })

  test('a long README without a word on its use', async () => {
    const long = Array.from({ length: 40 }, (_, n) => `Sentence ${n}.\n`).join('\n')
    const files = { LICENSE: 'x', 'README.md': `# Thing\n\n${long}` }
    expect(places(await readme(new ScratchRepository(files).input))).toStrictEqual([
      'README.md:- no section says how to install or use it',
    ])
    const good = { ...files, 'README.md': `# Thing\n\n## Usage\n\n${long}` }
    expect(places(await readme(new ScratchRepository(good).input))).toStrictEqual([])
  })

  test('a part of a repository needs no licence of its own', async () => {
    const repository = new ScratchRepository({ 'part/README.md': '# Part\n' })
    mkdirSync(join(repository.root, 'other'))
    writeFileSync(join(repository.root, 'other', 'x'), '')
    expect(places(await readme({ ...repository.input, root: join(repository.root, 'part') }))).toStrictEqual(
      [],
    )
  })
})
