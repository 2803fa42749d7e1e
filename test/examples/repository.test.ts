/** What a path is to a review; a bug would look like a crash, a wrong "measured", or a changed repository. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { git, GitError } from '../../examples/repo-review/analyses/git.ts'
import { hotSpots } from '../../examples/repo-review/analyses/hot-spots.ts'
import {
  inspectRepository,
  openRepository,
  whyNoHistory,
} from '../../examples/repo-review/analyses/repository.ts'
import { todoAge } from '../../examples/repo-review/analyses/todo-age.ts'
import { openTree } from '../../examples/repo-review/analyses/tree.ts'
import { ScratchRepository, scratchFolder, STARTED_AT } from './scratch-repository.ts'

describe('inspectRepository', () => {
  test('says head, branch and whether tracked files are changed', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'a\n' })
    const head = repository.git('rev-parse', 'HEAD').trim()
    const clean = await inspectRepository(repository.root)
    expect(clean).toMatchObject({
      kind: 'repository',
      root: repository.root,
      work_tree: repository.root,
      head,
    })
    expect(clean).toMatchObject({ branch: 'main', dirty: false, shallow: false, partial: false })
    expect(JSON.parse(JSON.stringify(clean))).toStrictEqual(clean)

    repository.write({ 'a.txt': 'changed\n' })
    expect(await inspectRepository(repository.root)).toMatchObject({ dirty: true })
    repository.git('checkout', '--quiet', '--detach', '--force')
    expect(await inspectRepository(repository.root)).toMatchObject({ branch: null, dirty: false })
  })

  test('a path that does not exist, and a file', async () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'file'), '')
    expect(await inspectRepository(join(folder, 'none'))).toMatchObject({
      kind: 'unusable',
      reason: 'missing',
    })
    expect(await inspectRepository(join(folder, 'file'))).toMatchObject({
      kind: 'unusable',
      reason: 'not_a_folder',
    })
  })

  test('a folder without git', async () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'file'), '')
    expect(await inspectRepository(folder)).toMatchObject({ kind: 'folder', reason: 'not_a_repository' })
  })

  test('a bare repository', async () => {
    const folder = scratchFolder()
    execFileSync('git', ['init', '--quiet', '--bare', folder])
    expect(await inspectRepository(folder)).toMatchObject({ kind: 'unusable', reason: 'bare' })
  })

  test('a repository without commits lists what lies there', async () => {
    const repository = new ScratchRepository().write({ 'a.txt': 'a', '.gitignore': 'b.txt\n', 'b.txt': 'b' })
    const inspected = await inspectRepository(repository.root)
    expect(inspected.kind).toBe('no_commits')
    expect(whyNoHistory(inspected)).toBe('the repository has no commits yet')
    expect(await openTree(repository.input)).toMatchObject({ files: ['.gitignore', 'a.txt'] })
    expect(await hotSpots(repository.input)).toStrictEqual({
      status: 'not_measured',
      why: 'the repository has no commits yet',
    })
  })

  test('a shallow clone has no history to measure', async () => {
    const origin = new ScratchRepository({ 'a.ts': '// TODO: one\n' }).write({ 'b.ts': 'b\n' }).commit()
    const clone = join(scratchFolder(), 'clone')
    execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${origin.root}`, clone])
    const inspected = await inspectRepository(clone)
    expect(inspected).toMatchObject({ kind: 'repository', shallow: true })
    expect(whyNoHistory(inspected)).toMatch(/^shallow clone/)
    const input = { root: clone, startedAt: STARTED_AT }
    expect(await hotSpots(input)).toMatchObject({
      status: 'not_measured',
      why: expect.stringMatching(/^shallow clone/),
    })
    expect(await todoAge(input)).toMatchObject({
      findings: [{ file: 'a.ts', message: 'TODO: one' }],
      facts: { ages: expect.stringMatching(/^not measured: shallow clone/) },
    })
  })

  test('git missing on this machine: files are walked', async () => {
    const repository = new ScratchRepository({ 'a.ts': 'a\n', 'node_modules/x/index.js': 'x\n' })
    vi.stubEnv('PATH', scratchFolder())
    try {
      expect(await inspectRepository(repository.root)).toMatchObject({
        kind: 'folder',
        reason: 'git_missing',
      })
      expect(await openTree(repository.input)).toMatchObject({ files: ['a.ts'] })
      expect(await hotSpots(repository.input)).toMatchObject({ why: 'git is not installed on this machine' })
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('a folder inside a repository is reviewed alone; one that nothing is tracked of is a plain folder', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'a', 'part/b.txt': 'b' })
    repository.write({ 'scratch/c.txt': 'c' })
    const part = { root: join(repository.root, 'part'), startedAt: STARTED_AT }
    expect(await openTree(part)).toMatchObject({
      files: ['b.txt'],
      repository: { work_tree: repository.root },
    })
    expect(await openRepository(join(repository.root, 'scratch'))).toMatchObject({
      kind: 'folder',
      reason: 'not_tracked',
    })
  })

  test('a hook of git around us does not lead elsewhere', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'a' })
    const other = new ScratchRepository({ 'b.txt': 'b' })
    vi.stubEnv('GIT_DIR', join(other.root, '.git'))
    vi.stubEnv('GIT_INDEX_FILE', join(other.root, '.git', 'index'))
    try {
      expect(await openTree(repository.input)).toMatchObject({ files: ['a.txt'] })
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe('git', () => {
  test('runs no program that the repository names, and does not refresh the index', async () => {
    const repository = new ScratchRepository({
      'a.ts': '// TODO: one\n',
      '.gitattributes': '*.ts filter=evil diff=evil\n',
    })
    const mark = join(scratchFolder(), 'ran')
    const program = join(repository.root, '.git', 'evil.sh')
    writeFileSync(program, `#!/bin/sh\ntouch '${mark}'\ncat\n`, { mode: 0o755 })
    for (const name of [
      'filter.evil.clean',
      'filter.evil.process',
      'diff.evil.textconv',
      'diff.external',
      'core.fsmonitor',
    ]) {
      repository.git('config', name, program)
    }
    repository.git('config', 'filter.evil.required', 'true')
    mkdirSync(join(repository.root, '.git', 'hooks'), { recursive: true })
    writeFileSync(
      join(repository.root, '.git', 'hooks', 'post-index-change'),
      `#!/bin/sh\ntouch '${mark}'\n`,
      { mode: 0o755 },
    )
    // Same contents, other times: a status that may write would refresh the index.
    utimesSync(join(repository.root, 'a.ts'), new Date(0), new Date(0))
    const index = join(repository.root, '.git', 'index')
    const before = { bytes: readFileSync(index), time: statSync(index).mtimeMs }

    expect(await inspectRepository(repository.root)).toMatchObject({ dirty: false })
    expect(await hotSpots(repository.input)).toMatchObject({ status: 'measured' })
    expect(await todoAge(repository.input)).toMatchObject({
      findings: [{ message: '58 days old TODO: one' }],
    })

    expect(existsSync(mark)).toBe(false)
    expect(readFileSync(index).equals(before.bytes)).toBe(true)
    expect(statSync(index).mtimeMs).toBe(before.time)
  })

  test('is killed by the signal', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'a' })
    const controller = new AbortController()
    // Reads its input until it ends: without the signal it would wait for ever.
    const endless = git({ root: repository.root, overrides: [] }, ['cat-file', '--batch'], {
      signal: controller.signal,
      input: 'HEAD\n'.repeat(500_000),
    })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(endless).rejects.toThrow('enough')
    await expect(hotSpots({ ...repository.input, signal: controller.signal })).rejects.toThrow('enough')
  })

  test('an answer beyond the limit, and a command that fails, are typed errors', async () => {
    const repository = new ScratchRepository({ 'a.txt': 'a'.repeat(1000) })
    const place = { root: repository.root, overrides: [] }
    await expect(git(place, ['show', 'HEAD:a.txt'], { maxBytes: 10 })).rejects.toMatchObject({
      code: 'GIT_OUTPUT_TOO_LARGE',
    })
    const failed = await git(place, ['show', 'HEAD:none']).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(GitError)
    expect(failed).toMatchObject({ code: 'GIT_FAILED', said: expect.stringContaining('none') })
  })
})

describe('openTree', () => {
  test('awkward names, files gone from disk, generated files', async () => {
    const names = [
      '-dash.ts',
      'a b.ts',
      'é/ü.ts',
      'new\nline.ts',
      ':(top)*.ts',
      '"quoted".ts',
      'gone.ts',
      'made.ts',
    ]
    const repository = new ScratchRepository(
      Object.fromEntries([
        ...names.map((name) => [name, '// FIXME: x\n']),
        ['.gitattributes', 'made.ts linguist-generated\n'],
      ]),
    )
    rmSync(join(repository.root, 'gone.ts'))
    const tree = await openTree(repository.input)
    if ('unusable' in tree) throw new Error(tree.unusable)
    expect(new Set(tree.files)).toStrictEqual(new Set([...names, '.gitattributes']))
    expect([...tree.generated]).toStrictEqual(['made.ts'])
    const todo = await todoAge(repository.input)
    if (todo.status === 'not_measured') throw new Error(todo.why)
    const found = todo.findings.map(({ file, message }) => ({ file, message }))
    expect(found.map(({ file }) => file)).toStrictEqual(
      names.filter((name) => name !== 'gone.ts' && name !== 'made.ts').sort(),
    )
    expect(new Set(found.map(({ message }) => message))).toStrictEqual(new Set(['58 days old FIXME: x']))
  })
})
