/** The command line over a log that seals: what it answers with keys and without, and how it erases. */
import { cp, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { z } from 'zod'
import { createRuntime, defineAgent, defineTool, type Runtime } from '../../src/index.ts'
import { filesWith } from '../eventstore/sealing/project.ts'
import { agentctl, type Ran } from './in-process.ts'

const SECRET = 'it-hurts-when-she-laughs'
const MASTER = '5c'.repeat(32)
const REASON = ['--reason', 'asked for in writing']

let folder = ''
const project = (): string => join(folder, '.project')
const ask = (...argv: string[]): Promise<Ran> =>
  agentctl(argv, { cwd: folder, env: { AGENTCTL_MASTER_KEY: MASTER } })

const record = async (): Promise<Runtime> => {
  const runtime = await createRuntime({ path: project(), sealing: { masterKey: MASTER }, archiveAfterMs: 0 })
  const { id } = await runtime.sessions.start({ role: 'supervisor', name: SECRET, tags: ['subject:anna'] })
  await runtime.sessions.end(id)
  await runtime.archive(id)
  const hers = await runtime.sessions.start({
    role: 'supervisor',
    name: `${SECRET} again`,
    tags: ['subject:anna'],
  })
  await runtime.sessions.pause(hers.id)
  await runtime.sessions.start({ role: 'supervisor', name: 'of nobody' })
  await runtime.filesSettled()
  return runtime
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'erase-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('over a log that seals (X-10)', () => {
  test('reads what the folder has keys for, and copies nothing in the clear', async () => {
    await (await record()).close()
    expect((await ask('ps', '--all')).stdout).toContain(`${SECRET} again`)
    expect((await ask('show', `${SECRET} again`)).stdout).toContain('paused')
    expect((await ask('verify')).code).toBe(EXIT.ok)
    const out = join(folder, 'log.ndjson')
    expect((await ask('export', '--entries', '--out', out)).code).toBe(EXIT.ok)
    expect(await readFile(out, 'utf8')).not.toContain(SECRET)
    const copy = join(folder, 'copy')
    expect((await ask('import', out, '--into', copy)).code).toBe(EXIT.ok)
    await cp(join(project(), 'keys'), join(copy, 'keys'), { recursive: true })
    expect((await ask('ps', '--all', '--project', copy)).stdout).toContain(`${SECRET} again`)
    const forked = await ask('fork', `${SECRET} again`, '--into', join(folder, 'fork'))
    expect(forked).toMatchObject({ code: EXIT.usage })
    expect(forked.stderr).toContain('runtime.fork')
    expect(await filesWith(folder, SECRET)).toEqual([])
  })

  test('without the keys, or without the master key, tells what is nobody’s and says what it could not read', async () => {
    await (await record()).close()
    const bare = (...argv: string[]): Promise<Ran> => agentctl(argv, { cwd: folder })
    for (const take of [async () => {}, async () => rename(join(project(), 'keys'), join(folder, 'away'))]) {
      await take()
      const ps = await bare('ps', '--all')
      expect(ps).toMatchObject({ code: EXIT.ok })
      expect(ps.stdout).toContain('of nobody')
      expect(ps.stdout).not.toContain(SECRET)
      const verified = await bare('verify')
      expect(verified).toMatchObject({ code: EXIT.ok })
      expect(verified.stdout).toContain('sealed with keys that are not here')
      expect((await bare('log', '--json')).stdout).toContain('"$sealed":"locked"')
    }
  })
})

const erased = async (): Promise<void> => {
  expect((await ask('ps', '--all')).stdout).not.toContain(SECRET)
  expect(await readdir(join(project(), 'keys'))).toEqual([])
  expect(await readdir(join(project(), 'archive'))).toEqual([])
  expect((await ask('log', '--json')).stdout).toContain('"$sealed":"erased"')
  const verified = await ask('verify')
  expect(verified).toMatchObject({ code: EXIT.ok })
  expect(verified.stdout).toContain('of subjects that were erased')
  expect((await ask('erase', 'anna', ...REASON, '--yes')).code).toBe(EXIT.notFound)
}

describe('every question', () => {
  const tool = (name: string, capability: string) =>
    defineTool({
      name,
      capabilities: [capability],
      input: z.object({ text: z.string() }),
      estimate: () => 0,
      inDoubt: 'retry',
      execute: ({ text }) => text,
    })
  const look = tool('look', 'read:notes')
  const burn = tool('burn', 'delete:notes')
  const doctor = defineAgent('doctor', async (ctx) => {
    await ctx.tool(look, { text: SECRET })
    return ctx.tool(burn, { text: SECRET })
  })
  const hooks = { keeper: { triggers: ['delete:*'], validate: () => ({ allowed: false, reason: 'never' }) } }

  test.each(['erased', 'locked'])('is answered about a log with much that is %s', async (how) => {
    const runtime = await createRuntime({
      path: project(),
      sealing: {},
      agents: [doctor],
      tools: [look, burn],
      hooks,
    })
    const names = ['subject:anna', 'nobody']
    const started: string[] = []
    for (const tag of names) {
      const parent = await runtime.sessions.start({
        role: 'supervisor',
        name: `about ${tag.replace(':', ' ')}`,
        tags: [tag],
      })
      const child = await runtime.sessions.start({ role: 'workagent', parent_id: parent.id })
      const context = { work: SECRET, blockers: [] }
      await runtime.sessions.handOff(
        { from: parent.id, to: child.id },
        { type: 'supervisor_to_workagent', context },
      )
      const run = await runtime.agents.startById({ agent_id: 'doctor', parent_id: parent.id })
      await run.result({ timeoutMs: 20_000 })
      await runtime.sessions.end(child.id)
      started.push(parent.id, child.id, run.run_id)
    }
    if (how === 'erased') await runtime.eraseSubject('anna', { by: 'clerk', reason: 'asked for' })
    await runtime.close()
    if (how === 'locked') await rename(join(project(), 'keys'), join(folder, 'away'))
    const [hers = '', , herRun = ''] = started
    const fine: readonly (readonly string[])[] = [
      ['log'],
      ['log', hers],
      ['log', '--type', 'tool.*'],
      ['ps', '--all'],
      ['show', started[3] ?? ''],
      ['causes', started[5] ?? ''],
      ['timeline'],
      ['why', '--failed'],
      ['permissions'],
      ['billing'],
      ['compliance'],
      ['machines'],
      ['verify'],
      ['export'],
      ['du'],
    ]
    for (const argv of fine)
      for (const json of [[], ['--json']]) {
        const { code, stderr } = await ask(...argv, ...json)
        expect({ argv, code, stderr: code === EXIT.ok ? '' : stderr }).toEqual({
          argv,
          code: EXIT.ok,
          stderr: '',
        })
      }
    // About what is no more the answer is that, and no crash.
    for (const argv of [
      ['show', hers],
      ['diff', hers],
      ['blame', herRun],
      ['replay', hers],
      ['why', herRun],
    ]) {
      const { code, stderr } = await ask(...argv)
      expect({ argv, code, stderr }).toMatchObject({
        code: expect.toSatisfy((exit) => exit !== EXIT.ok) as number,
      })
      expect(stderr).not.toMatch(/TypeError|undefined|not iterable/)
    }
    expect([EXIT.ok, EXIT.unexpected]).toContain((await ask('doctor')).code)
  })
})

describe('agentctl erase (X-10)', () => {
  test('says how much there is, and changes nothing, until it is told to', async () => {
    await (await record()).close()
    const told = await ask('erase', 'anna', ...REASON)
    expect(told).toMatchObject({ code: EXIT.ok })
    expect(told.stdout).toMatch(/^anna: \d+ events in 2 streams$/m)
    expect(told.stderr).toContain('nothing was changed')
    const json = JSON.parse((await ask('erase', 'anna', ...REASON, '--json')).stdout) as object
    expect(json).toMatchObject({ would_erase: { subject_id: 'anna', streams: 2 } })
    expect((await ask('ps', '--all')).stdout).toContain(SECRET)
    expect(await ask('erase', 'nobody', ...REASON)).toMatchObject({ code: EXIT.notFound })
    expect(await ask('erase', 'anna')).toMatchObject({ code: EXIT.usage })
  })

  test('erases in a folder that nobody has open, without the master key', async () => {
    await (await record()).close()
    const argv = ['erase', 'anna', ...REASON, '--by', 'clerk', '--yes', '--json']
    const { code, stdout } = await agentctl(argv, { cwd: folder })
    expect(code).toBe(EXIT.ok)
    expect(JSON.parse(stdout)).toMatchObject({
      erased: { subject_id: 'anna', by: 'clerk', reason: 'asked for in writing' },
    })
    await erased()
    const runtime = await createRuntime({ path: project(), sealing: { masterKey: MASTER } })
    expect((await runtime.sessions.directory.rows()).map(({ name }) => name)).toEqual(['of nobody'])
    await runtime.close()
  })

  test('is the way on where keys are lost: the rest can be opened again', async () => {
    await (await record()).close()
    await rm(join(project(), 'keys'), { recursive: true })
    const open = async (): Promise<Runtime> =>
      createRuntime({ path: project(), sealing: { masterKey: MASTER } })
    await expect(open()).rejects.toMatchObject({ code: 'ES_KEY_MISSING' })
    expect(await ask('erase', 'anna', ...REASON, '--yes')).toMatchObject({ code: EXIT.ok })
    const runtime = await open()
    expect((await runtime.sessions.directory.rows()).map(({ name }) => name)).toEqual(['of nobody'])
    await runtime.close()
  })

  test('is done by the process that has the log open, if there is one', async () => {
    const runtime = await record()
    const { code, stdout } = await ask('erase', 'anna', ...REASON, '--yes')
    expect({ code, stdout }).toMatchObject({
      code: EXIT.ok,
      stdout: expect.stringContaining('destroyed') as string,
    })
    expect((await runtime.sessions.directory.rows()).map(({ name }) => name)).toEqual(['of nobody'])
    expect(await runtime.erasures()).toHaveLength(1)
    await erased()
    await runtime.close()
    await erased()
  })
})
