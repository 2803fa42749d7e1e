/** Every piece of the article's code compiles against the package under its own name, with the edits that are written down. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../architecture/source-file.ts'
import { applyPatch } from './apply-patch.ts'
import { generateAll, generated, snippets, sourceOf } from './printed-code.ts'

const run = promisify(execFile)

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
  const outcome = await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    generated,
  ]).catch((error: { stdout: string }) => error)
  const about = outcome.stdout
    .split('\n')
    .filter((line) => !/^(?:src|eventstore|machines|actors)\/| {2}|^$/.test(line))
  expect(about).toEqual([])
}, 120_000)
