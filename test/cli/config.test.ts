/** `agentctl.config.js`: found upwards, relative to itself, and behind what the command line says. */
import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { projectFolder } from '../agents/project-folder.ts'
import { root } from '../architecture/source-file.ts'
import { agentctl } from './in-process.ts'

const run = promisify(execFile)

const project = projectFolder()
const home = (): string => dirname(project.path())
const deep = async (): Promise<string> => {
  const folder = join(home(), 'packages/app/src')
  await mkdir(folder, { recursive: true })
  return folder
}
const recorded = async (name: string): Promise<void> => {
  const runtime = await project.open()
  await runtime.sessions.start({ role: 'supervisor', name })
  await runtime.close()
}

test('is found from a folder below, and names the project’s folder, which is then not repeated in advice', async () => {
  await recorded('found')
  const elsewhere = join(home(), 'data/project')
  await cp(project.path(), elsewhere, { recursive: true })
  const cwd = await deep()
  expect(await agentctl(['ps'], { cwd })).toMatchObject({ code: 4 })
  await writeFile(join(home(), 'agentctl.config.mjs'), `export default { path: 'data/project' }`)
  const told = await agentctl(['du', '--json'], { cwd })
  expect(JSON.parse(told.stdout)).toMatchObject({ du: { path: elsewhere } })
  expect((await agentctl(['ps'], { cwd })).stdout).toContain('found')
})

test('without a path, the project is beside it; --project comes before it, and a nearer one instead of it', async () => {
  await recorded('beside')
  const cwd = await deep()
  await writeFile(join(home(), 'agentctl.config.js'), 'export default {}')
  expect((await agentctl(['ps'], { cwd })).stdout).toContain('beside')
  expect(await agentctl(['ps', '--project', '.project'], { cwd })).toMatchObject({ code: 4 })
  await writeFile(join(cwd, 'agentctl.config.mjs'), `export default { path: 'nearer' }`)
  expect((await agentctl(['ps'], { cwd })).stderr).toContain(join(cwd, 'nearer'))
})

test('names the modules of machines, for the commands that take them', async () => {
  await recorded('machines')
  await writeFile(join(home(), 'agentctl.config.mjs'), `export default { machines: ['./none.mjs'] }`)
  const cwd = await deep()
  expect((await agentctl(['verify'], { cwd })).stderr).toContain(join(home(), 'none.mjs'))
  expect(await agentctl(['du'], { cwd })).toMatchObject({ code: 0 })
})

test('says what an hour of a role costs; --rate comes before it', async () => {
  await recorded('priced')
  await writeFile(
    join(home(), 'agentctl.config.mjs'),
    `export default { rates: { supervisor: 3, workagent: 0 } }`,
  )
  const rates = async (...argv: string[]): Promise<unknown> => {
    const told = await agentctl(['billing', '--json', ...argv], { cwd: await deep() })
    return (JSON.parse(told.stdout) as { rates: unknown }).rates
  }
  expect(await rates()).toEqual({ orchestrator: 2.5, supervisor: 3, workagent: 0 })
  expect(await rates('--rate', 'supervisor=4.25', '--rate', 'orchestrator=1')).toEqual({
    orchestrator: 1,
    supervisor: 4.25,
    workagent: 0,
  })
})

test.each([
  ['a field that there is not', `export default { paht: '.project' }`, 'paht'],
  ['a level that there is not', `export default { logLevel: 'loud' }`, 'logLevel'],
  ['a rate of a role that there is not', `export default { rates: { boss: 1 } }`, 'rates'],
  ['no default export', 'export const path = 1', 'export default'],
  ['an error of its own', `throw new Error('broken here')`, 'broken here'],
])('%s is refused, naming the file, and nothing is done', async (_what, text, named) => {
  const file = join(home(), 'agentctl.config.mjs')
  await writeFile(file, text)
  const told = await agentctl(['ps'], { cwd: await deep() })
  expect(told).toMatchObject({ code: 2, stdout: '' })
  expect(told.stderr).toContain(file)
  expect(told.stderr).toContain(named)
})

test('sets how much a job’s runtime tells; the environment and --log-level come before it', async () => {
  const job = join(home(), 'job.mjs')
  const entry = new URL(`file://${join(root, 'dist/src/index.js')}`).href
  await writeFile(
    job,
    `import { defineAgent, defineJob } from ${JSON.stringify(entry)}
     const main = defineAgent('main', () => 1)
     export default defineJob({
       name: 'small', summary: 'small', usage: 'small', main,
       runtime: () => ({ agents: [main] }),
       plan: () => ({ key: 'small', name: 'small', tags: [], input: () => ({}), fresh: true }),
       tell: async () => ({ lines: ['told'], data: {} }),
     })`,
  )
  await writeFile(join(home(), 'agentctl.config.mjs'), `export default { logLevel: 'debug' }`)
  const tells = async (argv: readonly string[], level = ''): Promise<boolean> => {
    const { stderr } = await run(
      process.execPath,
      [join(root, 'dist/src/cli/main.js'), 'run', ...argv, job],
      { cwd: home(), env: { ...process.env, AGENTCTL_LOG_LEVEL: level } },
    )
    return stderr.includes('"msg":"session.created"')
  }
  expect(await tells([])).toBe(true)
  expect(await tells([], 'error')).toBe(false)
  expect(await tells(['--log-level', 'error'])).toBe(false)
  expect(await tells(['--log-level', 'debug'], 'error')).toBe(true)
}, 60_000)
