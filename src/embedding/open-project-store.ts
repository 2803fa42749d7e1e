/** Opens a project's log, waits a while for a process that is about to let go of it, and says who holds it if it does not. */
import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { isEventStoreError } from '../../eventstore/errors.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { readStoreOwner, type StoreOwner } from '../../eventstore/owner.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** A process that is restarted has its predecessor for this long, as a rule less; ms. */
export const DEFAULT_LOCK_TIMEOUT_MS = 3_000

const LOOK_EVERY_MS = 50

export type OpenProjectStore = {
  /** The folder of the log. */
  readonly path: string
  readonly clock: () => number
  /** How long another process is waited for, in ms of real time. */
  readonly lockTimeoutMs: number
}

/**
 * @throws EventStoreError `ES_LOCKED` when another process keeps the log, naming it; RuntimeError `RUNTIME_IN_CLUSTER` when
 * this one is a cluster's worker, `RUNTIME_IN_THREAD` when another thread of this process has it
 */
export async function openProjectStore({
  path,
  clock,
  lockTimeoutMs,
}: OpenProjectStore): Promise<EventStore> {
  const deadline = performance.now() + lockTimeoutMs
  for (;;) {
    try {
      return await openLevelEventStore({ path, clock })
    } catch (error) {
      if (!isEventStoreError(error, 'ES_LOCKED')) throw error
      const owner = await liveOwner(path)
      // Nobody of this process lets go while this is waited for; other processes may.
      if (owner?.pid === process.pid) throw inThread(path, owner, error)
      if (performance.now() >= deadline) throw tooLong(error, { owner, path, lockTimeoutMs })
      await untilGone(path, { owner, deadline })
    }
  }
}

/** To open is dear, to read one small file is not. */
async function untilGone(
  path: string,
  { owner, deadline }: { readonly owner: StoreOwner | undefined; readonly deadline: number },
): Promise<void> {
  for (;;) {
    await sleep(Math.max(0, Math.min(LOOK_EVERY_MS, deadline - performance.now())))
    // One who has not said who it is yet, or no longer: the database is asked.
    if (owner === undefined || performance.now() >= deadline) return
    if ((await liveOwner(path))?.pid !== owner.pid) return
  }
}

async function liveOwner(path: string): Promise<StoreOwner | undefined> {
  const ownership = await readStoreOwner(path)
  return ownership.type === 'live' ? ownership.owner : undefined
}

function inThread(path: string, owner: StoreOwner, cause: Error): Error {
  if (owner.thread === undefined || owner.thread === threadId) return cause
  return new RuntimeError('RUNTIME_IN_THREAD', {
    happened: `Thread ${owner.thread} of this process has the log in ${path} open; this is thread ${threadId}.`,
    expected: 'One runtime for a project, in one thread.',
    todo: 'Give the worker thread ids and let it ask the thread that has the runtime, or a folder of its own.',
    cause,
    details: { path, pid: owner.pid, thread: owner.thread },
  })
}

type Waited = Pick<OpenProjectStore, 'path' | 'lockTimeoutMs'> & { readonly owner: StoreOwner | undefined }

function tooLong(error: Error, { owner, path, lockTimeoutMs }: Waited): Error {
  const holder = owner === undefined ? 'another process' : `process ${owner.pid}`
  if (cluster.worker !== undefined) {
    return new RuntimeError('RUNTIME_IN_CLUSTER', {
      happened: `This is worker ${cluster.worker.id} of a cluster, and ${holder} has the log in ${path} open.`,
      expected: 'One runtime for a project, in one process: the workers of a cluster cannot share it.',
      todo: 'Open the runtime in the primary and let the workers ask it, or give each worker a folder of its own.',
      cause: error,
      details: { path, worker: cluster.worker.id, ...(owner && { pid: owner.pid }) },
    })
  }
  if (lockTimeoutMs > 0) error.message += ` It was waited for ${lockTimeoutMs} ms.`
  return error
}
