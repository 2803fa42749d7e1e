/** A folder that is open already: shared in the same process, waited for in another, refused by name in workers. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createRuntime, defineAgent } from '../../src/index.ts'
import { projectFolder } from '../agents/project-folder.ts'
import { root } from '../architecture/source-file.ts'

const run = promisify(execFile)
const project = projectFolder()
const entry = new URL(`file://${join(root, 'dist/src/index.js')}`).href

describe('in the same process', () => {
  test('a second open is refused, and told that it can share', async () => {
    await project.open()
    await expect(createRuntime({ path: project.path() })).rejects.toMatchObject({
      code: 'ES_LOCKED',
      pid: process.pid,
      message: expect.stringContaining("ifOpen: 'share'") as string,
    })
  })

  test('a second open shares, and the folder is let go of when the last one closes', async () => {
    const first = await project.open()
    const second = await project.open({ ifOpen: 'share' })
    const { id } = await second.sessions.start({ role: 'supervisor' })
    await first.close()
    await first.close()
    expect((await second.sessions.get(id)).status).toBe('active')
    await second.close()
    const third = await project.open()
    expect((await third.sessions.get(id)).status).toBe('active')
  })

  test('opens at once, from two names of the folder, share one runtime; a failed one leaves nothing behind', async () => {
    const path = project.path()
    const agents = [defineAgent('twice', () => 1), defineAgent('twice', () => 2)]
    await expect(createRuntime({ path, agents, ifOpen: 'share' })).rejects.toMatchObject({
      code: 'AGENT_EXISTS',
    })
    const all = await Promise.all(
      [path, join(path, '..', '.project'), path].map((name) =>
        createRuntime({ path: name, ifOpen: 'share' }),
      ),
    )
    expect(new Set(all.map((runtime) => runtime.sessions)).size).toBe(1)
    const closed = Promise.all(all.map((runtime) => runtime.close()))
    // It is being closed: waited for, not refused.
    const next = await project.open()
    await closed
    expect(next.sessions).not.toBe(all[0]?.sessions)
  })

  test('hot reload, which loads the package anew, shares as well, and is told what the open one does not know', async () => {
    const first = await project.open({ agents: [defineAgent('old', () => 1)] })
    vi.resetModules()
    const anew = await import('../../src/index.ts')
    expect(anew.createRuntime).not.toBe(createRuntime)
    const warned: string[] = []
    const logger = {
      debug() {},
      info() {},
      warn: (_fields: object, message: string) => warned.push(message),
      error() {},
      isLevelEnabled: () => false,
    }
    const agents = [anew.defineAgent('old', () => 1), anew.defineAgent('new', () => 2)]
    const second = await anew.createRuntime({ path: project.path(), ifOpen: 'share', agents, logger })
    expect(second.sessions).toBe(first.sessions)
    expect(warned).toEqual([expect.stringContaining('the agent "new"')])
    await expect(anew.createRuntime({ path: project.path() })).rejects.toMatchObject({ code: 'ES_LOCKED' })
    await second.close()
  })
})

describe('in another process', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  const holder = async (): Promise<ChildProcess> => {
    const child = spawn(
      process.execPath,
      [join(root, 'dist/test/faults/programs/log-owner.js'), project.path(), 'wait'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    children.push(child)
    await once(child.stdout, 'data')
    return child
  }

  test('who holds it is waited for, and then named', async () => {
    const child = await holder()
    const error: unknown = await createRuntime({ path: project.path(), lockTimeoutMs: 300 }).catch(
      (e: unknown) => e,
    )
    expect(error).toMatchObject({ code: 'ES_LOCKED', pid: child.pid })
    expect((error as Error).message).toContain(`process ${child.pid}`)
    expect((error as Error).message).toContain('waited for 300 ms')
  })

  test.each(['SIGKILL', 'SIGTERM', 'close'] as const)(
    'one that ends in time is taken over from, as a watcher restarts programs: %s',
    async (how) => {
      const child = await holder()
      const opening = project.open({ lockTimeoutMs: 20_000 })
      if (how === 'close') child.stdin?.end()
      else child.kill(how)
      const runtime = await opening
      expect(await runtime.sessions.byName('owned')).toMatchObject({ status: 'active' })
    },
  )

  test('a worker of a cluster is told so by name', async () => {
    const program = join(project.path(), '..', 'cluster.mjs')
    await writeFile(
      program,
      `import cluster from 'node:cluster'
       import { createRuntime } from ${JSON.stringify(entry)}
       const path = process.argv[2]
       if (cluster.isPrimary) {
         const runtime = await createRuntime({ path })
         const worker = cluster.fork()
         worker.on('message', async (message) => {
           console.log(JSON.stringify(message))
           worker.kill()
           await runtime.close()
         })
       } else {
         const error = await createRuntime({ path, lockTimeoutMs: 100 }).catch((e) => e)
         process.send({ code: error.code, details: error.details, cause: error.cause?.code, parent: process.ppid })
       }`,
    )
    const { stdout } = await run(process.execPath, [program, project.path()])
    const said = JSON.parse(stdout) as { parent: number }
    expect(said).toMatchObject({
      code: 'RUNTIME_IN_CLUSTER',
      cause: 'ES_LOCKED',
      details: { worker: 1, pid: said.parent },
    })
  })
})

test('a worker thread is told by name which thread has the folder; one of its own it can open', async () => {
  await project.open()
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.entry).then(async ({ createRuntime }) => {
      const error = await createRuntime({ path: workerData.path }).catch((e) => e)
      const own = await createRuntime({ path: workerData.path + '-own' })
      const { id } = await own.sessions.start({ role: 'supervisor' })
      await own.close()
      parentPort.postMessage({ code: error.code, details: error.details, started: id.startsWith('sess_') })
    })`
  const worker = new Worker(code, { eval: true, workerData: { entry, path: project.path() } })
  const [said] = (await once(worker, 'message')) as [unknown]
  expect(said).toMatchObject({
    code: 'RUNTIME_IN_THREAD',
    details: { pid: process.pid, thread: 0 },
    started: true,
  })
})
