/** A folder of its own for each test, the runtimes opened in it, and waiting for a condition. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../src/index.ts'

export type ProjectFolder = {
  readonly path: () => string
  /** Opens a runtime over the folder; it is closed after the test. */
  open(options?: RuntimeOptions): Promise<Runtime>
}

export function projectFolder(): ProjectFolder {
  let folder = ''
  const opened: Runtime[] = []
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'agents-'))
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((runtime) => runtime.close()))
    await rm(folder, { recursive: true, force: true })
  })
  const path = (): string => join(folder, '.project')
  return {
    path,
    async open(options = {}) {
      const runtime = await createRuntime({ path: path(), ...options })
      opened.push(runtime)
      return runtime
    },
  }
}

/** Resolves when `condition` holds; throws after 10 s. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what = 'the condition to hold',
): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited 10 s in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A promise with its own handles. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
} {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

export async function eventsOf(runtime: Runtime, streamId: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of runtime.store.readStream(streamId)) events.push(event)
  return events
}

export async function allEvents(runtime: Runtime): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of runtime.store.readAll()) events.push(event)
  return events
}
