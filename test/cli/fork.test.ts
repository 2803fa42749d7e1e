/** `agentctl fork`: the past of an actor in a folder of its own, where nothing runs by itself. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { createRuntime, defineAgent, destructiveOperationHook } from '../../src/index.ts'
import { until } from '../runtime/engine-under-test.ts'
import { agentctl, type Ran } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

const modules = join(import.meta.dirname, '../../node_modules/.cache', `agentctl-fork-${process.pid}`)
let folder = ''
let project: RecordedProject
let orders = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-fork-'))
  project = await recordProject(folder)
  await mkdir(modules, { recursive: true })
  orders = join(modules, 'orders.mjs')
  await writeFile(
    orders,
    `import { setup } from 'xstate'
    export const order = setup({ guards: { inStock: () => false } }).createMachine({
      id: 'order', version: '3', initial: 'open',
      states: {
        open: { on: { pay: 'paid' } },
        paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } },
        shipped: { type: 'final' },
      },
    })`,
  )
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await rm(modules, { recursive: true, force: true })
})

/** Those that the recorded run was begun with: without them it would wait. */
const hooks = {
  'destructive-ops': destructiveOperationHook(),
  doorman: { triggers: ['agent:start'], validate: () => ({ allowed: true }) },
}

const fork = (...argv: string[]): Promise<Ran> => agentctl(['fork', ...argv, '--project', project.path])

/** Every file below a folder with its content's hash. */
async function evidence(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const hash = async (file: string) =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  return Promise.all(files.sort().map(async (file) => `${file} ${await hash(file)}`))
}

const missing = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    () => true,
  )

describe('agentctl fork', () => {
  test('makes a folder with the actor as it was at a version, and changes nothing of where it comes from', async () => {
    const before = await evidence(project.path)
    const into = join(folder, 'what-if')
    const told = await fork('order-1', '--at', '1', '--into', into, '--machines', orders)
    expect(told).toMatchObject({ code: EXIT.ok })
    expect(told.stdout).toContain(`order-1 at version 1 is forked into ${into}, paused`)
    expect(told.stderr).toBe(`look at it: agentctl show order-1 --project ${into}\n`)
    expect(await evidence(project.path)).toEqual(before)
    const shown = await agentctl(['show', 'order-1', '--json', '--project', into, '--machines', orders])
    expect(JSON.parse(shown.stdout)).toMatchObject({
      value: 'open',
      version: 1,
      head_version: 1,
      fork: { paused: true, from: { stream_id: 'order-1', version: 1 } },
    })
    expect(await agentctl(['verify', '--project', into, '--machines', orders])).toMatchObject({
      code: EXIT.ok,
    })
  })

  test('says in show and in log where the fork comes from', async () => {
    const into = join(folder, 'told')
    await fork('order-1', '--into', into, '--machines', orders)
    const shown = await agentctl(['show', 'order-1', '--project', into])
    expect(shown.stdout).toMatch(/\n {2}fork {10}forked from order-1 at version 2 \(event [\w-]+\), paused: /)
    const logged = await agentctl(['log', 'order-1', '--project', into])
    expect(logged.stderr).toMatch(
      /^forked from order-1 at version 2 .*: agentctl --project .* log order-1~fork\n$/,
    )
    const beside = await agentctl(['log', 'order-1~fork', '--json', '--project', into])
    expect(JSON.parse(beside.stdout)).toMatchObject({ event_type: 'fork.created' })
    // Not of one that is no fork.
    expect((await agentctl(['log', 'order-1', '--project', project.path])).stderr).not.toContain(
      'forked from',
    )
  })

  test('of a run in the middle of its work goes on with it when it is let go, not when its folder is opened', async () => {
    const into = join(folder, 'run')
    const log = await agentctl(['log', 'cleaner', '--json', '--project', project.path])
    const began = log.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event_id: string; event_type: string; version: number })
      .find(({ event_type }) => event_type === 'agent.began')
    const told = await fork(began?.event_id ?? '', '--into', into, '--json')
    expect(JSON.parse(told.stdout)).toMatchObject({
      fork: { id: project.cleaner, from: { version: began?.version }, paused: true, project: into },
    })
    let ran = 0
    const cleaner = defineAgent('cleaner', () => {
      ran += 1
    })
    {
      await using runtime = await createRuntime({ path: into, agents: [cleaner], hooks })
      expect(await runtime.replay(project.cleaner)).toMatchObject({
        value: 'active',
        children: [{ id: 'handler' }],
      })
      expect(await runtime.verify()).toMatchObject({ ok: true })
      expect(ran).toBe(0)
      await runtime.resumeFork(project.cleaner)
      await until(() => ran === 1, 'the handler')
      await until(
        async () => (await runtime.replay(project.cleaner)).value !== 'active',
        'the end of the run',
      )
      expect(await runtime.verify()).toMatchObject({ ok: true })
    }
    expect(ran).toBe(1)
  })

  test('is live when it is asked to be: what it owes begins when its folder is opened', async () => {
    const into = join(folder, 'live')
    const log = await agentctl(['log', 'cleaner', '--json', '--project', project.path])
    const events = log.stdout.trimEnd().split('\n')
    const began = events.findIndex((line) => line.includes('"agent.began"')) + 1
    const told = await fork(project.cleaner, '--at', `${began}`, '--into', into, '--live')
    expect(told.stdout).toContain('live: what it owes begins when the folder is opened')
    let ran = 0
    const cleaner = defineAgent('cleaner', () => {
      ran += 1
    })
    await using runtime = await createRuntime({ path: into, agents: [cleaner], hooks })
    await until(() => ran === 1, 'the handler')
    await until(async () => (await runtime.replay(project.cleaner)).value !== 'active', 'the end of the run')
    expect(await runtime.verify()).toMatchObject({ ok: true })
  })

  test('that is paused is listed as one, and not as if it were at work', async () => {
    const into = join(folder, 'listed')
    expect((await fork('order-1', '--at', '2', '--into', into, '--machines', orders)).code).toBe(EXIT.ok)
    expect((await fork(project.cleaner, '--at', '5', '--into', into)).code).toBe(EXIT.ok)
    const told = await agentctl(['ps', '--project', into])
    const waits = told.stdout.match(/to be let go: a paused fork$/gm)
    expect(waits).toHaveLength(2)
    expect(told.stderr).toContain('owed: 2 paused forks')
  })

  const usage = EXIT.usage
  test.each([
    { what: 'without a folder', argv: ['order-1'], code: usage, says: "Required option '--into <folder>'" },
    { what: 'into its own folder', argv: ['order-1', '--into', '@own'], code: usage, says: 'another folder' },
    {
      what: 'without its code',
      argv: ['order-1', '--into', '@new'],
      code: usage,
      says: '--machines ./dist/',
    },
    {
      what: 'at a version that is not there',
      argv: ['tidy-up', '--at', '9', '--into', '@new'],
      code: EXIT.notFound,
      says: 'from 1 to 3',
    },
    {
      what: 'of what is not there',
      argv: ['tidy-pu', '--into', '@new'],
      code: EXIT.notFound,
      says: 'Did you mean tidy-up?',
    },
    {
      what: 'of a stream of facts',
      argv: ['order-1~refused', '--into', '@new'],
      code: usage,
      says: 'no machine wrote it',
    },
  ])('$what is refused, and leaves no folder behind', async ({ argv, code, says }) => {
    const fresh = join(folder, 'never')
    const given = argv.map((word) => (word === '@own' ? project.path : word === '@new' ? fresh : word))
    const told = await fork(...given)
    expect(told).toMatchObject({ code, stdout: '' })
    expect(told.stderr).toContain(says)
    expect(await missing(fresh)).toBe(true)
  })

  test('into a folder that has the actor already is refused with 6', async () => {
    const into = join(folder, 'twice')
    expect((await fork('tidy-up', '--into', into)).code).toBe(EXIT.ok)
    const again = await fork('tidy-up', '--into', into)
    expect(again).toMatchObject({ code: EXIT.conflict, stdout: '' })
    expect(again.stderr).toContain('ACTOR_EXISTS')
    expect((await fork('cleaner', '--into', into)).code).toBe(EXIT.ok)
  })
})
