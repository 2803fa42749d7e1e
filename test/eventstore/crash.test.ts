/** A process that is killed while it appends loses nothing it acknowledged and leaves no half of a batch. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore, readStoreOwner, type RecordedEvent } from '../../eventstore/index.ts'

const program = fileURLToPath(
  new URL('../../dist/test/faults/programs/append-until-killed.js', import.meta.url),
)
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 8)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-crash-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Acknowledged = { readonly position: number; readonly event_id: string; readonly size: number }

type Child = { readonly pid: number; readonly kill: () => Promise<readonly Acknowledged[]> }

/** Starts the program and resolves once it has acknowledged `count` appends. */
const startAppending = async (
  path: string,
  options: { writers: number; seed: number; count: number },
): Promise<Child> => {
  const { writers, seed, count } = options
  const child = spawn(process.execPath, [program, path, String(writers), String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const acknowledged = (): Acknowledged[] =>
    text
      .slice(0, text.lastIndexOf('\n'))
      .split('\n')
      .slice(1)
      .filter((line) => line !== '')
      .map((line) => {
        const [position, event_id = '', size] = line.split(' ')
        return { position: Number(position), event_id, size: Number(size) }
      })
  await new Promise<void>((resolve, reject) => {
    child.on('close', () => reject(new Error(`the program ended by itself: ${text}`)))
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.split('\n').length > count + 1) resolve()
    })
  })
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
      return acknowledged()
    },
  }
}

type Counted = { readonly index: number; readonly size: number }

const assertWholeBatches = (events: readonly RecordedEvent[]): void => {
  const counted = events.map((event) => event.payload as Counted)
  for (const [at, { index, size }] of counted.entries()) {
    const next = counted[at + 1]
    if (index + 1 < size) expect(next).toMatchObject({ index: index + 1, size })
    else if (next !== undefined) expect(next.index).toBe(0)
  }
}

describe.skipIf(!existsSync(program))('a killed process (needs the build: npm run build)', () => {
  test(`loses nothing it acknowledged, in ${ROUNDS} rounds over one log`, async () => {
    const path = join(folder, 'store')
    let known = 0
    for (let round = 1; round <= ROUNDS; round += 1) {
      const child = await startAppending(path, {
        writers: round % 2 === 0 ? 20 : 1,
        seed: round,
        // Now and then thousands of batches after the last opening.
        count: round % 40 === 8 ? 5_000 : 1 + ((round * 7) % 40),
      })
      const acknowledged = await child.kill()
      const store = await openLevelEventStore({ path })
      const events: RecordedEvent[] = []
      for await (const event of store.readAll({ fromPosition: known })) events.push(event)
      for (const { position, event_id } of acknowledged) {
        expect(events[position - known - 1]).toMatchObject({ position, event_id })
      }
      assertWholeBatches(events)
      expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
      known = store.position()
      await store.close()
    }
    expect(known).toBeGreaterThan(0)
  })

  test('keeps a second process out while it lives, and names its owner', async () => {
    const path = join(folder, 'locked')
    const child = await startAppending(path, { writers: 1, seed: 1, count: 1 })
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({
      code: 'ES_LOCKED',
      pid: child.pid,
      message: expect.stringContaining(`Stop process ${child.pid}`) as string,
    })
    expect(await readStoreOwner(path)).toMatchObject({ type: 'live', owner: { pid: child.pid } })
    await child.kill()
    expect(await readStoreOwner(path)).toMatchObject({ type: 'stale', owner: { pid: child.pid } })
    const store = await openLevelEventStore({ path })
    expect(await readStoreOwner(path)).toMatchObject({ type: 'live', owner: { pid: process.pid } })
    await store.close()
    expect(await readStoreOwner(path)).toEqual({ type: 'none' })
  })
})
