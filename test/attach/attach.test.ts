/** What a client makes of its owner: one that dies, one that is stopped, one that was never there, two at once. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { readStoreOwner, type StoreOwner } from '../../eventstore/index.ts'
import { attach, type Attached } from '../../src/attach/attach.ts'
import { createRuntime } from '../../src/index.ts'
import { agentctl } from '../cli/in-process.ts'
import { kill, startProgram } from './child.ts'
import { serve } from './served.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attach-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const newPath = async (): Promise<string> => join(await mkdtemp(join(folder, 'p-')), '.project')

const ownerOf = async (path: string): Promise<StoreOwner & { socket: string; token: string }> => {
  const ownership = await readStoreOwner(join(path, 'log'))
  if (ownership.type === 'none') throw new Error('nobody owns it')
  return ownership.owner as StoreOwner & { socket: string; token: string }
}

const attachTo = async (path: string, silenceMs = 30_000): Promise<Attached> => {
  const { socket, token } = await ownerOf(path)
  const attached = await attach({ socket, token, client: 'test', silenceMs })
  onTestFinished(() => attached.close())
  return attached
}

/** Reads to the end; resolves with how many there were. */
const drained = async (items: AsyncIterable<unknown>): Promise<number> => {
  const all = []
  for await (const item of items) all.push(item)
  return all.length
}

describe('an owner that is killed', () => {
  test('ends all that was asked of it with ATTACH_LOST, and the next one takes its socket away', async () => {
    const path = await newPath()
    const owner = await startProgram('log-owner', [path, 'write'], 'open')
    const { socket } = await ownerOf(path)
    const { store } = await attachTo(path)
    const forEver = async (work: () => Promise<unknown>): Promise<never> => {
      for (;;) await work()
    }
    const outcomes = [
      drained(store.follow()),
      forEver(() => drained(store.readAll())),
      forEver(() => store.verify()),
    ].map((work) => work.catch((error: unknown) => (error as { code?: unknown }).code))
    await expect.poll(() => store.position()).toBeGreaterThan(20)
    await kill(owner)
    expect(await Promise.all(outcomes)).toEqual(['ATTACH_LOST', 'ATTACH_LOST', 'ATTACH_LOST'])
    await expect(store.head('x')).rejects.toMatchObject({ code: 'ATTACH_LOST' })

    // What it leaves is recognised, and said.
    expect((await stat(socket)).isSocket()).toBe(true)
    expect(await readStoreOwner(join(path, 'log'))).toMatchObject({ type: 'stale' })
    const told = await agentctl(['log', '--limit', '1', '--project', path])
    expect(told.code).toBe(0)
    expect(told.stderr).toContain(`process ${owner.pid} on ${hostname()}`)
    const refused = await agentctl(['pause', 'owned', '--project', path])
    expect(refused.code).toBe(4)
    expect(refused.stderr).toContain(`Process ${owner.pid}, the last one, ended without closing it.`)

    // Another log's owner, which lives, keeps its own.
    const other = await serve()
    await using runtime = await createRuntime({ path })
    await expect(stat(socket)).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await stat(other.server.address.socket)).isSocket()).toBe(true)
    expect((await attachTo(path)).owner.pid).toBe(process.pid)
    expect(runtime.store.position()).toBeGreaterThan(20)
  })

  test('while agentctl follows it: exit code 1, and what was printed is on disk', async () => {
    const path = await newPath()
    const owner = await startProgram('log-owner', [path, 'write'], 'open')
    const following = agentctl(['log', '--follow', '--json', '--project', path])
    await expect.poll(async () => (await attachTo(path)).store.position()).toBeGreaterThan(50)
    await kill(owner)
    const { code, stdout, stderr } = await following
    expect(code).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ATTACH_LOST', details: { pid: owner.pid } } })
    const recorded = await agentctl(['log', '--json', '--project', path])
    expect(recorded.stdout.startsWith(stdout)).toBe(true)
    expect(stdout.split('\n').length).toBeGreaterThan(5)
  })
})

test('an owner that is stopped is told from one that is slow: ATTACH_TIMEOUT, but who follows goes on', async () => {
  const path = await newPath()
  const owner = await startProgram('log-owner', [path, 'wait'], 'open')
  const { store } = await attachTo(path, 300)
  const patient = await attachTo(path, 300)
  const following = patient.store.follow({ fromPosition: 'now' })[Symbol.asyncIterator]()
  const next = following.next()
  owner.kill('SIGSTOP')
  await expect(store.head('x')).rejects.toMatchObject({ code: 'ATTACH_TIMEOUT' })
  const greeting = await ownerOf(path)
  await expect(attach({ ...greeting, client: 'test', connectMs: 200 })).rejects.toMatchObject({
    code: 'ATTACH_TIMEOUT',
  })
  owner.kill('SIGCONT')
  await expect
    .poll(() =>
      patient.store.head('x').then(
        () => 'answered',
        (error: { code: string }) => error.code,
      ),
    )
    .toBe('answered')
  owner.stdin?.end()
  expect(await next).toEqual({ done: true, value: undefined })
})

test('an owner with nothing more to do ends, whoever is attached to it', async () => {
  const path = await newPath()
  const owner = await startProgram('log-owner', [path, 'leave'], 'open')
  const ended = new Promise((resolve) => owner.once('exit', resolve))
  // It may be gone before this process gets there.
  await attachTo(path)
    .then(
      ({ store }) => store.follow()[Symbol.asyncIterator]().next(),
      () => {},
    )
    .catch(() => {})
  expect(await ended).toBe(0)
})

describe('two owners', () => {
  test('cannot be: the second is told who has it, and the first serves on', async () => {
    const path = await newPath()
    await using runtime = await createRuntime({ path })
    const before = await ownerOf(path)
    await expect(createRuntime({ path })).rejects.toMatchObject({ code: 'ES_LOCKED' })
    const told = await agentctl(['log', '--project', path])
    expect(told.code).toBe(0)
    expect(await ownerOf(path)).toEqual(before)
    expect((await attachTo(path)).owner.pid).toBe(runtime.path === null ? 0 : process.pid)
  })

  test('one after the other have other tokens: the first one’s opens nothing any more', async () => {
    const path = await newPath()
    const first = await createRuntime({ path })
    const { token } = await ownerOf(path)
    await first.close()
    expect(await readStoreOwner(join(path, 'log'))).toEqual({ type: 'none' })
    await using second = await createRuntime({ path })
    const now = await ownerOf(path)
    expect(now.token).not.toBe(token)
    await expect(attach({ socket: now.socket, token, client: 'test' })).rejects.toMatchObject({
      code: 'ATTACH_REFUSED',
    })
    expect(second.path).toBe(path)
  })
})

describe('owner.json', () => {
  test('can be read by the owner’s user alone, and says where the socket is', async () => {
    const path = await newPath()
    await using runtime = await createRuntime({ path })
    const file = join(path, 'log', 'owner.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const record = JSON.parse(await readFile(file, 'utf8')) as StoreOwner
    expect(record).toMatchObject({ pid: process.pid, socket: expect.any(String), token: expect.any(String) })
    expect(record.token?.length).toBeGreaterThan(40)
    expect(runtime.parked).toEqual([])
  })

  test.each(['a socket of somebody else’s making', 'a plain file', 'a folder that others can enter'])(
    'that names %s is not followed there',
    async (what) => {
      const { server } = await serve()
      const parent = await mkdtemp(join(folder, 'agent-orchestration-x-'))
      let socket = join(parent, 's.sock')
      if (what === 'a plain file') await writeFile(socket, '')
      else {
        if (what === 'a socket of somebody else’s making') {
          socket = join(await mkdtemp(join(folder, 'service-')), 's.sock')
        } else await chmod(parent, 0o755)
        const service = createServer((connection) => {
          connection.destroy()
          throw new Error('it was asked')
        })
        await new Promise<void>((resolve) => service.listen(socket, resolve))
        onTestFinished(() => void service.close())
      }
      await expect(attach({ socket, token: server.address.token, client: 'test' })).rejects.toMatchObject({
        code: 'ATTACH_FAILED',
      })
    },
  )
})

test('what only the running process knows is asked for by itself, and no part of the log', async () => {
  const path = await newPath()
  await using runtime = await createRuntime({ path })
  const attached = await attachTo(path)
  expect(await attached.live()).toEqual({ parked: [], actors: [] })
  expect(attached.owner.acts).toEqual([
    'pause',
    'resume',
    'cancel',
    'approve',
    'deny',
    'erase',
    'retry',
    'settle',
  ])
  await expect(attached.act('launch', {})).rejects.toMatchObject({ code: 'ATTACH_ACT_UNKNOWN' })
  await expect(attached.store.append('a', [{ event_type: 'x' }])).rejects.toMatchObject({
    code: 'ES_READ_ONLY',
  })
  expect(runtime.store.position()).toBe(attached.store.position())
})

describe('the temporary folder', () => {
  const useTemporaryFolder = (path: string): void => {
    const before = process.env['TMPDIR']
    onTestFinished(() => {
      if (before === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = before
    })
    process.env['TMPDIR'] = path
  }

  test('may have too long a name for a socket: the system’s own serves', async () => {
    const long = join(folder, 'x'.repeat(100))
    await mkdir(long)
    const path = await newPath()
    useTemporaryFolder(long)
    await using runtime = await createRuntime({ path })
    expect(dirname(dirname((await ownerOf(path)).socket))).toBe('/tmp')
    expect(await readdir(long)).toEqual([])
    expect((await attachTo(path)).owner.pid).toBe(process.pid)
    expect(runtime.path).toBe(path)
  })

  test('may be missing: the runtime works without a socket, and warns', async () => {
    const path = await newPath()
    useTemporaryFolder(join(folder, 'nowhere'))
    const warnings: unknown[] = []
    const ignore = (): void => {}
    await using runtime = await createRuntime({
      path,
      logger: {
        debug: ignore,
        info: ignore,
        warn: (fields) => void warnings.push(fields),
        error: ignore,
        isLevelEnabled: () => false,
      },
    })
    expect(warnings).toMatchObject([{ err: { code: 'ATTACH_UNAVAILABLE' } }])
    expect(await ownerOf(path)).not.toHaveProperty('socket')
    const { id } = await runtime.sessions.start({ role: 'orchestrator' })
    expect(id).toMatch(/^sess_/)
  })

  test('may have our folder’s name taken by somebody else: a folder of its own serves, and goes with it', async () => {
    const taken = join(folder, 'taken')
    await mkdir(join(taken, `agent-orchestration-${process.getuid?.() ?? 0}`), {
      recursive: true,
      mode: 0o777,
    })
    await chmod(join(taken, `agent-orchestration-${process.getuid?.() ?? 0}`), 0o777)
    const path = await newPath()
    useTemporaryFolder(taken)
    const runtime = await createRuntime({ path })
    const { socket } = await ownerOf(path)
    expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700)
    expect((await attachTo(path)).owner.pid).toBe(process.pid)
    expect(await readdir(taken)).toHaveLength(2)
    await runtime.close()
    expect(await readdir(taken)).toHaveLength(1)
  })
})
