/** Unused and undeclared npm dependencies; a bug would be a finding on a dependency that is in use. */
import { describe, expect, test } from 'vitest'
import { dependencies } from '../../examples/repo-review/analyses/dependencies.ts'
import { importsIn, packageOf } from '../../examples/repo-review/analyses/imports.ts'
import { ScratchRepository } from './scratch-repository.ts'

const json = (value: unknown): string => JSON.stringify(value, null, 2)

async function review(files: Readonly<Record<string, string>>): Promise<string[]> {
  const measured = await dependencies(new ScratchRepository(files).input)
  if (measured.status === 'not_measured') throw new Error(measured.why)
  return measured.findings.map(
    ({ severity, file, line, message }) => `${severity} ${file}:${line ?? '-'} ${message}`,
  )
}

describe('importsIn', () => {
  test.each([
    ["import x from 'a'", ['a']],
    ["import { x,\n  y } from '@s/a/deep'", ['@s/a']],
    ["import 'a'", ['a']],
    ["import type { T } from 'a'", ['a (type)']],
    ["export * from 'a'", ['a']],
    ["export { x } from 'a'", ['a']],
    ["const x = require('a')", ['a']],
    ["const x = await import('a/b.js')", ['a']],
    ["require.resolve('a')", ['a']],
    ["try { require('a') } catch {}", ['a (guarded)']],
    ["import('a').catch(() => null)", ['a (guarded)']],
    ["import fs from 'fs'; import 'node:x'; import 'fs/promises'", []],
    ["import './a'; import '../b'; import '#c'; import '@/d'; import '~/e'; import 'virtual:f'", []],
    ["// import x from 'a'\n/* require('b') */", []],
    ['const s = "import x from \'a\'"', []],
    ["const s = `import x from 'a'`", []],
    ['const s = `${require("a")}`', ['a']],
    ["Array.from('a'); obj.require('b')", []],
    ["import x = require('a')", ['a']],
    ["export const from = 'a'", []],
  ])('%s', (text, expected) => {
    const found = importsIn(text).map(
      ({ name, typeOnly, guarded }) => `${name}${typeOnly ? ' (type)' : ''}${guarded ? ' (guarded)' : ''}`,
    )
    expect(found).toStrictEqual(expected)
  })

  test('the package of a specifier', () => {
    expect(packageOf('lodash/fp?raw')).toBe('lodash')
    expect(packageOf('@scope')).toBeUndefined()
    expect(packageOf('https://esm.sh/a')).toBeUndefined()
  })
})

describe('dependencies', () => {
  test('declared and never mentioned', async () => {
    const lock = json({
      packages: {
        'node_modules/tool': { bin: { runs: 'x' }, peerDependencies: { peer: '*' } },
        'node_modules/idle': {},
        'node_modules/peer': {},
        'node_modules/dev-idle': {},
      },
    })
    expect(
      await review({
        'package.json': json({
          scripts: { a: 'runs --fast' },
          dependencies: { used: '1', idle: '1', 'in-config': '1', peer: '1' },
          devDependencies: {
            tool: '1',
            'dev-idle': '1',
            unknown: '1',
            '@types/node': '1',
            'eslint-plugin-x': '1',
          },
          peerDependencies: { react: '1', host: '1' },
        }),
        'package-lock.json': lock,
        'src/a.ts': "import { x } from 'used/deep'\n",
        'tool.config.json': '{ "uses": ["in-config"] }',
        'README.md': 'install `idle` first\n',
      }),
    ).toStrictEqual([
      'medium package.json:7 idle is declared in dependencies and nothing mentions it',
      'low package.json:13 dev-idle is declared in devDependencies and nothing mentions it',
    ])
  })

  test('imported and not declared', async () => {
    expect(
      await review({
        'package.json': json({
          name: 'self',
          dependencies: { known: '1' },
          devDependencies: { '@types/typed': '1' },
        }),
        'src/a.ts': [
          "import 'known'",
          "import 'self/part'",
          "import type { T } from 'typed'",
          "import { y } from 'alias/x'",
          "import missing from 'missing'",
          "import folder from 'lib/x'",
        ].join('\n'),
        'src/b.ts': "import 'missing'\n",
        'lib/x.ts': '',
        'tsconfig.json': '{ "compilerOptions": { "paths": { "alias/*": ["./src/*"] } } }',
        'test/a.test.ts': "import 'only-in-test'\n",
        'test/fixtures/a.js': "import 'fixture'\n",
      }),
    ).toStrictEqual([
      'high src/a.ts:5 imports missing, which package.json does not declare (2 files import it)',
      'low test/a.test.ts:1 imports only-in-test, which package.json does not declare',
    ])
  })

  test('workspaces: the nearest package.json rules, those above count, siblings are known', async () => {
    expect(
      await review({
        'package.json': json({ workspaces: ['packages/*'], devDependencies: { shared: '1' } }),
        'packages/a/package.json': json({ name: '@w/a', dependencies: { own: '1' } }),
        'packages/a/index.ts': "import 'own'\nimport 'shared'\nimport '@w/b'\nimport 'other'\n",
        'packages/b/package.json': json({ name: '@w/b', dependencies: { other: '1' } }),
        'packages/b/index.ts': "import 'other'\n",
      }),
    ).toStrictEqual([
      'high packages/a/index.ts:4 imports other, which packages/a/package.json does not declare',
    ])
  })

  test('no package.json, and one that is no JSON', async () => {
    expect(await dependencies(new ScratchRepository({ 'a.py': '' }).input)).toMatchObject({
      status: 'not_measured',
    })
    expect(await review({ 'package.json': '{ "name": ' })).toStrictEqual([
      'high package.json:- not valid JSON: no package manager can read it',
    ])
  })
})
