/** The package as users get it: what is in it, and that a strict program compiles and runs against it. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from './architecture/source-file.ts'

const run = promisify(execFile)

type Manifest = { readonly dependencies: Record<string, string>; readonly bin: Record<string, string> }

describe('the packed package', () => {
  let work: string
  let installed: string
  let files: string[]
  let manifest: Manifest

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'packaging-'))
    await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', work], { cwd: root })
    const tarball = (await readdir(work)).find((name) => name.endsWith('.tgz')) ?? ''
    installed = join(work, 'node_modules/@agent-orchestration/core')
    await mkdir(installed, { recursive: true })
    await run('tar', ['-xzf', join(work, tarball), '-C', installed, '--strip-components=1'])
    const entries = await readdir(installed, { recursive: true, withFileTypes: true })
    files = entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(installed.length + 1)
          .replaceAll('\\', '/'),
      )
    manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Manifest
  }, 60_000)

  afterAll(() => rm(work, { recursive: true, force: true }))

  test('holds the built sources, the documents and the licence, and neither tests nor examples', () => {
    const expected =
      /^(?:dist\/(?:src|machines|actors|eventstore)\/.*\.(?:js|d\.ts|js\.map)|docs\/.*\.md|[A-Z]+\.md|LICENSE|package\.json)$/
    expect(files.filter((file) => !expected.test(file))).toEqual([])
    for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md', 'docs/errors.md', 'dist/src/index.d.ts'])
      expect(files).toContain(file)
  })

  test('has what its manifest promises: entry points with types, and a command that begins with #!', async () => {
    const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
      exports: Record<string, string>
    }
    const targets = Object.values(exports).map((target) => target.slice(2))
    // For package.json, the second is the first again.
    for (const target of targets)
      expect(files).toEqual(expect.arrayContaining([target, target.replace(/\.js$/, '.d.ts')]))
    for (const target of Object.values(manifest.bin)) {
      expect(await readFile(join(installed, target), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    }
  })

  test('names no file of the machine that built it', async () => {
    const texts = await Promise.all(files.map((file) => readFile(join(installed, file), 'utf8')))
    expect(files.filter((_, index) => texts[index]?.includes(root) === true)).toEqual([])
  })

  test('compiles in a strict program and runs, with nothing at hand but its declared dependencies', async () => {
    // Links instead of an install: no network. An import that is not declared finds nothing here.
    const present = [...Object.keys(manifest.dependencies), '@types/node']
    for (const name of present) {
      await mkdir(dirname(join(work, 'node_modules', name)), { recursive: true })
      await symlink(join(root, 'node_modules', name), join(work, 'node_modules', name), 'junction')
    }
    await cp(join(root, 'test/packaging/app'), work, { recursive: true })
    await writeFile(join(work, 'package.json'), '{ "private": true, "type": "module" }')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const compiled = await run(process.execPath, [tsc], { cwd: work }).catch(
      (error: { stdout: string }) => error,
    )
    expect(compiled.stdout).toBe('')
    const { stdout } = await run(process.execPath, ['out/main.js'], { cwd: work })
    expect(JSON.parse(stdout)).toEqual({
      accepted: true,
      version: 2,
      value: 42,
      verified: true,
      events: true,
      test: null,
    })
  }, 120_000)
})
