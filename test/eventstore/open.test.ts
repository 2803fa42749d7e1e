/** What a folder may hold when a store is opened in it, and what is said when it does not fit. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLevelEventStore, readStoreOwner } from '../../eventstore/index.ts'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-open-'))
  path = join(folder, 'store')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('opening a store', () => {
  test('makes one where there is none, unless that is not wanted', async () => {
    await expect(openLevelEventStore({ path, create: false })).rejects.toMatchObject({
      code: 'ES_NOT_FOUND',
      message: expect.stringMatching(
        /^There is no event store in .+\. Expected .+\. Correct the path, or .+\.$/,
      ) as string,
    })
    await (await openLevelEventStore({ path })).close()
    expect((await readdir(path)).sort()).toEqual(['db', 'high-water', 'store.json'])
    const again = await openLevelEventStore({ path, create: false })
    await again.close()
  })

  test('twice in one process is refused, and the message says who has it', async () => {
    const store = await openLevelEventStore({ path })
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({
      code: 'ES_LOCKED',
      pid: process.pid,
      message: expect.stringContaining(`open in this process ${process.pid}`) as string,
    })
    await store.append('a', [{ event_type: 'still here' }])
    await store.close()
    await (await openLevelEventStore({ path })).close()
  })

  test('writes who has it open, and removes that when it is closed', async () => {
    const store = await openLevelEventStore({ path, clock: () => Date.UTC(2026, 0, 1) })
    expect(await readStoreOwner(path)).toMatchObject({
      type: 'live',
      owner: { pid: process.pid, started_at: '2026-01-01T00:00:00.000Z' },
    })
    await store.close()
    expect(await readStoreOwner(path)).toEqual({ type: 'none' })
  })

  test('takes over from an owner that died, and from a file that is no owner', async () => {
    await (await openLevelEventStore({ path })).close()
    await writeFile(
      join(path, 'owner.json'),
      JSON.stringify({
        pid: process.pid,
        pid_start: '1',
        host: (await import('node:os')).hostname(),
        started_at: 'x',
      }),
    )
    // The same process id, but another process had it then; where the system does not say, it counts as alive.
    expect(['stale', 'live']).toContain((await readStoreOwner(path)).type)
    await (await openLevelEventStore({ path })).close()
    await writeFile(join(path, 'owner.json'), 'nonsense')
    expect(await readStoreOwner(path)).toEqual({ type: 'none' })
    await (await openLevelEventStore({ path })).close()
  })

  test('goes on with a creation that was cut off at any point', async () => {
    await mkdir(join(path, 'db'), { recursive: true })
    await writeFile(join(path, 'db', 'LOCK'), '')
    await writeFile(join(path, 'db', 'MANIFEST-000001'), 'x')
    const first = await openLevelEventStore({ path })
    await first.append('a', [{ event_type: 'x' }])
    await first.close()
    await rm(join(path, 'store.json'))
    const second = await openLevelEventStore({ path })
    expect(second.position()).toBe(1)
    await second.close()
    expect(JSON.parse(await readFile(join(path, 'store.json'), 'utf8'))).toMatchObject({ format: 1 })
  })

  test('refuses a database that is not a store, and leaves it alone', async () => {
    await mkdir(path)
    const other = new Level(join(path, 'db'))
    await other.put('key', 'value')
    await other.close()
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_NOT_A_STORE' })
    const again = new Level(join(path, 'db'))
    expect(await again.get('key')).toBe('value')
    await again.close()
  })

  test('refuses a store of a later format, and a marker that is none', async () => {
    await (await openLevelEventStore({ path })).close()
    const marker = join(path, 'store.json')
    const text = await readFile(marker, 'utf8')
    await writeFile(marker, text.replace('"format": 1', '"format": 2'))
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_FORMAT' })
    await writeFile(marker, '{}')
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_NOT_A_STORE' })
    await writeFile(marker, text)
    await (await openLevelEventStore({ path })).close()
  })

  test('can be disposed of by scope', async () => {
    {
      await using store = await openLevelEventStore({ path })
      await store.append('a', [{ event_type: 'x' }])
    }
    await using again = await openLevelEventStore({ path })
    expect(again.position()).toBe(1)
  })
})
