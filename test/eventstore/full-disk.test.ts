/** On a full disk nothing is falsely acknowledged, and a store with ballast can still be opened, read and closed. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { isEventStoreError, openLevelEventStore, type EventStore } from '../../eventstore/index.ts'

const MEGABYTE = 1024 * 1024

/** A small file system of its own; undefined where one may not be mounted. */
const mountSmallDisk = (): string | undefined => {
  const folder = mkdtempSync(join(tmpdir(), 'event-store-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
}

const disk = process.platform === 'linux' ? mountSmallDisk() : undefined

afterAll(() => {
  if (disk === undefined) return
  execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true })
})

const fillDisk = async (folder: string): Promise<string> => {
  const file = join(folder, 'filler')
  for (let size = 16 * MEGABYTE, written = 0; size >= 1024;) {
    try {
      await writeFile(file, Buffer.alloc(size, 1), { flag: 'a' })
      written += size
    } catch {
      size = Math.floor(size / 2)
    }
    if (written > 64 * MEGABYTE) throw new Error('the disk is not small')
  }
  return file
}

/** Appends until the store refuses; the payload of each acknowledged event, and why it ended. */
const appendUntilRefused = async (store: EventStore): Promise<{ acknowledged: number[]; code: string }> => {
  const acknowledged: number[] = []
  for (let n = 0; ; n += 1) {
    try {
      await store.append('a', [{ event_type: 'counted', payload: { n, filler: 'x'.repeat(20_000) } }])
      acknowledged.push(n)
    } catch (error) {
      if (!isEventStoreError(error)) throw error
      return { acknowledged, code: error.code }
    }
  }
}

const read = async (store: EventStore): Promise<unknown[]> => {
  const seen: unknown[] = []
  for await (const { payload } of store.readAll()) seen.push((payload as { n: number }).n)
  return seen
}

describe.skipIf(disk === undefined)('a full disk (needs the right to mount a small file system)', () => {
  test('loses nothing that was acknowledged; the store opens for reading, and for writing once there is room', async () => {
    const path = join(disk ?? '', 'store')
    const first = await openLevelEventStore({ path })
    for (let n = 0; n < 200; n += 1) {
      await first.append('a', [{ event_type: 'counted', payload: { n, filler: 'x'.repeat(20_000) } }])
    }
    const filler = await fillDisk(disk ?? '')
    const { acknowledged, code } = await appendUntilRefused(first)
    expect(['ES_WRITE_UNKNOWN', 'ES_POISONED']).toContain(code)
    await expect(first.append('a', [])).rejects.toMatchObject({ code: 'ES_POISONED' })
    await first.close()
    expect(await readdir(path)).toContain('ballast')

    const third = await openLevelEventStore({ path })
    expect((await read(third)).slice(0, 200 + acknowledged.length)).toEqual([
      ...Array.from({ length: 200 }, (_, n) => n),
      ...acknowledged,
    ])
    expect(await third.verify()).toMatchObject({ ok: true, problems: [] })
    await third.close()

    await rm(filler)
    const fourth = await openLevelEventStore({ path })
    const { version } = await fourth.append('a', [{ event_type: 'late' }])
    expect(version).toBeGreaterThanOrEqual(201 + acknowledged.length)
    expect(await fourth.verify()).toMatchObject({ ok: true, problems: [] })
    await fourth.close()
  })

  test('a store without ballast says that the disk is full', async () => {
    const path = join(disk ?? '', 'without-ballast')
    const store = await openLevelEventStore({ path })
    await store.append('a', [{ event_type: 'counted', payload: 'x'.repeat(60_000) }])
    await store.close()
    await rm(join(path, 'ballast'), { force: true })
    const filler = await fillDisk(disk ?? '')
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_DISK_FULL' })
    await rm(filler)
    const again = await openLevelEventStore({ path })
    expect(again.position()).toBe(1)
    await again.close()
  })

  test('the ballast grows with the log, not before', async () => {
    const path = join(disk ?? '', 'growing')
    const store = await openLevelEventStore({ path })
    await store.append('a', [{ event_type: 'small' }])
    expect(await readdir(path)).not.toContain('ballast')
    await store.append('a', [{ event_type: 'large', payload: 'x'.repeat(100_000) }])
    await store.close()
    expect((await stat(join(path, 'ballast'))).size).toBe(MEGABYTE)
  })
})
