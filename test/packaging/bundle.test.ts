/** The package inside a bundle: what has to stay outside of it, and that what comes out runs. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { root } from '../architecture/source-file.ts'

const run = promisify(execFile)
let work: string

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'bundle-'))
})
afterEach(() => rm(work, { recursive: true, force: true }))

const PROGRAM = `
  import { createRuntime, defineAgent } from '@agent-orchestration/core'
  const double = defineAgent('double', (ctx, input) => ctx.step('double', () => input * 2))
  const runtime = await createRuntime({ path: process.argv[2], agents: [double], logLevel: 'debug' })
  const run = await runtime.agents.start(double, { input: 21 })
  const { output } = await run.result({ timeoutMs: 20_000 })
  await runtime.close()
  console.log(output.value)`

test('an app that esbuild bundles runs, with classic-level installed beside it and nothing else', async () => {
  await writeFile(join(work, 'app.mjs'), PROGRAM)
  // As docs/embedding.md says.
  const { warnings } = await build({
    entryPoints: [join(work, 'app.mjs')],
    outfile: join(work, 'out/app.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['classic-level'],
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    alias: { '@agent-orchestration/core': join(root, 'dist/src/index.js') },
    logLevel: 'silent',
  })
  expect(warnings).toEqual([])
  await mkdir(join(work, 'node_modules'))
  await symlink(
    join(root, 'node_modules/classic-level'),
    join(work, 'node_modules/classic-level'),
    'junction',
  )
  const { stdout, stderr } = await run(process.execPath, [join(work, 'out/app.mjs'), join(work, '.project')])
  expect(stdout.trim()).toBe('42')
  expect(stderr).toContain('"msg":"agent.succeeded"')
}, 60_000)
