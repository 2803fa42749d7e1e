/** While much is written, reads and verification find nothing wrong; a read that is cut off by closing says so. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLevelEventStore, type RecordedEvent } from '../../eventstore/index.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-load-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const noise = (length: number): string => {
  let text = ''
  while (text.length < length) text += Math.random().toString(36).slice(2)
  return text
}

describe('a store under load', () => {
  test('verifies at any time, also while LevelDB rewrites its files', async () => {
    const path = join(folder, 'load')
    const store = await openLevelEventStore({ path })
    const done = new AbortController()
    let written = 0
    const write = async (writer: number): Promise<void> => {
      while (!done.signal.aborted) {
        const durability = writer % 2 === 0 ? 'os' : 'fsync'
        await store.append(`s-${writer}`, [{ event_type: 'x', payload: noise(4000) }], { durability })
        written += 1
      }
    }
    const writers = Array.from({ length: 40 }, (_, writer) => write(writer))
    const tables = async (): Promise<number> =>
      (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.ldb')).length
    for (let round = 0; round < 6 || (await tables()) < 4; round += 1) {
      expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
      let last = 0
      for await (const { position } of store.readAll({ fromPosition: Math.max(0, store.position() - 500) })) {
        expect(position).toBeGreaterThan(last)
        last = position
      }
      for (let n = 0; n < 20; n += 1) await store.append('pace', [{ event_type: 'x' }])
    }
    done.abort()
    await Promise.all(writers)
    await store.close()
    const again = await openLevelEventStore({ path })
    expect(again.position()).toBeGreaterThanOrEqual(written)
    expect(await again.verify()).toMatchObject({ ok: true, problems: [] })
    await again.close()
  })

  test('a read that is under way when the store closes is whole or says so', async () => {
    const store = await openLevelEventStore({ path: join(folder, 'closing') })
    await store.append(
      'a',
      Array.from({ length: 5000 }, () => ({ event_type: 'x', payload: noise(400) })),
    )
    const seen: RecordedEvent[] = []
    const reading = (async () => {
      for await (const event of store.readAll()) {
        seen.push(event)
        if (event.position === 10) void store.close()
      }
    })()
    const outcome = await reading.then(
      () => 'whole',
      (error: unknown) => Reflect.get(error as object, 'code') as unknown,
    )
    expect([
      [5000, 'whole'],
      [seen.length, 'ES_CLOSED'],
    ]).toContainEqual([seen.length, outcome])
  })
})
