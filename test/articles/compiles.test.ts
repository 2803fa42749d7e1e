/** Every piece of the article's code compiles against the package under its own name, with the edits that are written down. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compilerWords } from '../architecture/compiler-words.ts'
import { applyPatch } from './apply-patch.ts'
import { generateAll, generated, snippets, sourceOf } from './printed-code.ts'

test('the patches apply, and a patch that does not fit is noticed', () => {
  expect(snippets).toHaveLength(33)
  for (const name of snippets) expect(sourceOf(name)).toContain('export')
  expect(applyPatch('a\nb\nc\n', '@@ -2 +2 @@\n-b\n+d\n')).toBe('a\nd\nc\n')
  expect(() => applyPatch('a\nb\nc\n', '@@ -2 +2 @@\n-x\n+d\n')).toThrow('expects "x"')
})

test('everything compiles: functions, both templates, interfaces (O-005, O-036, O-047, O-103, O-132, O-190, O-191, O-217, X-1, X-11)', async () => {
  generateAll()
  const config = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: true,
      rootDir: '../../..',
      noUnusedLocals: false,
      noUnusedParameters: false,
      // As the article was written: an error is caught as anything, an index is there, `undefined` may be said.
      useUnknownInCatchVariables: false,
      noUncheckedIndexedAccess: false,
      exactOptionalPropertyTypes: false,
      lib: ['es2023', 'esnext.disposable'],
      paths: { '@agent-orchestration/core': ['../../../src/index.ts'] },
    },
    include: [],
    files: snippets.map((name) => `${name}.ts`),
  }
  await writeFile(join(generated, 'tsconfig.json'), JSON.stringify(config))
  expect(await compilerWords(generated)).toEqual([])
}, 120_000)

test('a compiler that does not run is not taken for one that has nothing to say', async () => {
  await expect(compilerWords(generated, 'no-such-compiler.js')).rejects.toThrow('the compiler did not run')
})
