/** Notes in comments and their age; a bug would look like a note in a string, a wrong line or an age from the clock. */
import { describe, expect, test } from 'vitest'
import { todoAge } from '../../examples/repo-review/analyses/todo-age.ts'
import { markersIn } from '../../examples/repo-review/analyses/todo-markers.ts'
import { ScratchRepository } from './scratch-repository.ts'

describe('markersIn', () => {
  test.each([
    ['a.ts', '// TODO: one', ['TODO one']],
    ['a.ts', 'const a = 1 // TODO two', ['TODO two']],
    ['a.ts', '/**\n * FIXME(anna): three\n */', ['FIXME three']],
    ['a.ts', '/* see below. HACK: four */', ['HACK four']],
    ['a.ts', 'const s = "// TODO: no"', []],
    ['a.ts', 'const s = `// TODO: no ${a /* TODO: yes */}`', ['TODO yes']],
    ['a.ts', 'const r = /\\/\\/ TODO: no/', []],
    ['a.ts', '// finds TODO, FIXME and HACK in comments', []],
    ['a.ts', '// TODO/FIXME are counted', []],
    ['a.ts', '// the XXX-YYY form; todo: lower case', []],
    ['a.ts', '// TODO comments are read', []],
    ['a.py', 's = """\n# TODO: no\n"""  # TODO: yes', ['TODO yes']],
    ['a.py', "s = '# TODO: no'", []],
    ['a.sh', 'echo ${#TODO} # TODO yes', ['TODO yes']],
    ['a.yml', "it's: x # TODO: yes", ['TODO yes']],
    ['a.md', '<!-- TODO: yes -->\n\nTODO: no', ['TODO yes']],
    ['a.vue', '<script>\n// TODO: yes\n</script>\n<p>// TODO: no</p>', ['TODO yes']],
    ['a.rs', "fn f<'a>(x: &'a str) {} // TODO: yes", ['TODO yes']],
    ['a.go', 's := `\n// TODO: no\n` // TODO: yes', ['TODO yes']],
    ['a.sql', "select '-- TODO: no' -- TODO: yes", ['TODO yes']],
    ['a.unknown', '// TODO: one', []],
  ])('%s: %s', (file, text, expected) => {
    expect(markersIn(file, text).map(({ marker, note }) => `${marker} ${note}`)).toStrictEqual(expected)
  })

  test('counts lines as git does, also with CRLF', () => {
    expect(
      markersIn('a.ts', 'a\r\n// TODO: x\r\n\r\n/*\r\n TODO: y */\r\n').map(({ line }) => line),
    ).toStrictEqual([2, 5])
  })
})

describe('todoAge', () => {
  test('ages come from blame of the lines, counted from the start of the review', async () => {
    const repository = new ScratchRepository()
      .write({ 'a.ts': '// FIXME: old\n' })
      .commit({ day: '2024-03-01' })
    repository.write({ 'a.ts': '// TODO: new\n// FIXME: old\n' }).commit({ day: '2026-02-27' })
    repository.write({
      'a.ts': '// TODO: new\n// TODO: not committed\n// FIXME: old\n',
      'b.ts': '// TODO: untracked\n',
    })
    expect(await todoAge(repository.input)).toStrictEqual({
      status: 'measured',
      findings: [
        {
          rule: 'todo.fixme',
          severity: 'medium',
          area: 'code',
          file: 'a.ts',
          line: 3,
          message: '729 days old FIXME: old',
        },
        {
          rule: 'todo.todo',
          severity: 'low',
          area: 'code',
          file: 'a.ts',
          line: 1,
          message: '1 day old TODO: new',
        },
        {
          rule: 'todo.todo',
          severity: 'low',
          area: 'code',
          file: 'a.ts',
          line: 2,
          message: 'TODO: not committed',
        },
      ],
      facts: { notes: 3, left_out: 0, ages: 'measured', oldest_days: 729, median_days: 729 },
    })
  })

  test('too many are counted, and the weightier ones looked up', async () => {
    const notes = Array.from({ length: 320 }, (_, n) => `// TODO: number ${n}\n`).join('')
    const repository = new ScratchRepository({ 'a.ts': `${notes}// HACK: one\n` })
    const measured = await todoAge(repository.input)
    expect(measured).toMatchObject({ facts: { notes: 321, left_out: 21 } })
    expect(measured.status === 'measured' && measured.findings[0]).toMatchObject({ rule: 'todo.hack' })
  })

  test('a file that is only in the index has notes without age', async () => {
    const repository = new ScratchRepository({ 'a.ts': 'a\n' }).write({ 'b.ts': '// TODO: x\n' })
    repository.git('add', 'b.ts')
    expect(await todoAge(repository.input)).toMatchObject({
      findings: [{ file: 'b.ts', message: 'TODO: x' }],
    })
  })

  test('a note beside a secret is not repeated', async () => {
    const secret = ['gh', 'p_', 'Zk3vQ9xLm2Rt7Wp5Yc8Nb4Hd6Jf1Sg0TaBuE'].join('')
    const repository = new ScratchRepository({ 'a.ts': `// TODO: remove ${secret}\n` })
    expect(JSON.stringify(await todoAge(repository.input))).not.toContain(secret.slice(4))
  })
})
