/** Where the ambient scope reaches and where it does not (ruling 1): side by side, two runtimes, a test's set-up, a thread. */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  currentRuntime,
  currentSessionId,
  listNamedSessions,
  nameSession,
  startSession,
} from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { root } from '../architecture/source-file.ts'

const pauses = async (turns: number): Promise<void> => {
  for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Starts a session, does other things, and says whose it still is. */
const work = async (name: string, turns: number): Promise<{ started: string; seen: string | undefined }> => {
  const { id } = await startSession({ role: 'supervisor' })
  await pauses(turns)
  await nameSession({ session_name: name })
  await pauses(turns)
  return { started: id, seen: currentSessionId() }
}

describe('scopes side by side (ruling 1, X-2)', () => {
  let runtime: TestRuntime
  let setUp: string

  // What a test runner sets up is not what calls the test.
  beforeEach(async () => {
    runtime = await createTestRuntime()
    setUp = await runtime.run(async () => (await startSession({ role: 'supervisor' })).id)
  })
  afterEach(() => runtime.close())

  test('in a Promise.all each keeps its own session, and names that one', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `side-${n}`)
    const seen = await Promise.all(names.map((name, n) => runtime.run(() => work(name, 8 - n))))
    expect(seen.map((one) => one.seen)).toEqual(seen.map((one) => one.started))
    expect(new Set(seen.map((one) => one.started)).size).toBe(8)
    const named = await Promise.all(names.map((name) => runtime.sessions.byName(name)))
    expect(named.map((session) => session?.id)).toEqual(seen.map((one) => one.started))
  })

  test('in a Promise.all within one scope, what is started is a child of the scope’s session, not of the last one', async () => {
    const [own, children] = await runtime.run(async () => {
      const { id } = await startSession({ role: 'orchestrator' })
      return [id, await Promise.all([1, 2, 3].map(() => startSession({ role: 'supervisor' })))] as const
    })
    const parents = await Promise.all(
      children.map(async ({ id }) => (await runtime.sessions.get(id)).parent_id),
    )
    expect(parents).toEqual([own, own, own])
  })

  test('two runtimes in one process: each scope has its own runtime, nested ones as well', async () => {
    await using other = await createTestRuntime({ ids: 1 })
    const [here, there] = await Promise.all([
      runtime.run(() => work('same-name', 3)),
      other.run(() => work('same-name', 5)),
    ])
    expect((await runtime.sessions.byName('same-name'))?.id).toBe(here.started)
    expect((await other.sessions.byName('same-name'))?.id).toBe(there.started)
    await runtime.run(async () => {
      const { id } = await startSession({ role: 'supervisor' })
      await other.run(async () => {
        expect([currentRuntime().project === other.project, currentSessionId()]).toEqual([true, undefined])
        await startSession({ role: 'supervisor' })
        expect(currentRuntime().sessions).toBe(other.sessions)
      })
      expect([currentRuntime().sessions === runtime.sessions, currentSessionId()]).toEqual([true, id])
    })
  })

  test('what beforeEach started in a scope is there, but the test is in no scope', async () => {
    expect((await runtime.sessions.get(setUp)).id).toBe(setUp)
    expect(currentSessionId()).toBeUndefined()
    expect(() => currentRuntime()).toThrow(expect.objectContaining({ code: 'NO_AMBIENT_SESSION' }))
    await expect(listNamedSessions()).rejects.toMatchObject({ code: 'NO_AMBIENT_SESSION' })
    await expect(startSession({ role: 'supervisor' })).rejects.toMatchObject({ code: 'NO_AMBIENT_SESSION' })
  })

  test('a worker thread gets ids, not context', async () => {
    const entry = new URL(`file://${join(root, 'dist/src/index.js')}`).href
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.entry).then(async ({ currentSessionId, startSession }) => {
        const error = await startSession({ role: 'supervisor' }).catch((e) => e)
        parentPort.postMessage({ given: workerData.id, seen: currentSessionId() ?? null, code: error.code })
      })`
    const [started, said] = await runtime.run(async () => {
      const { id } = await startSession({ role: 'supervisor' })
      const worker = new Worker(code, { eval: true, workerData: { entry, id } })
      const [message] = (await once(worker, 'message')) as [unknown]
      return [id, message]
    })
    expect(said).toEqual({ given: started, seen: null, code: 'NO_AMBIENT_SESSION' })
  })
})
