/**
 * The head of a stream is that of its last event for whoever asks: after a kill, and while the storage has a batch that
 * the log was not told of yet.
 */
import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EventLog } from '../../eventstore/event-log.ts'
import { openLevelEventStore, type NewEvent, type StreamHead } from '../../eventstore/index.ts'
import { eventKey } from '../../eventstore/keys.ts'
import { MemoryStorage } from '../../eventstore/memory-storage.ts'
import { checkAtOpen } from '../../eventstore/open-check.ts'
import type { StorageBatch } from '../../eventstore/storage.ts'
import { openOver } from './fault-scenario.ts'
import { FaultyStorage } from './faulty-storage.ts'

const x = (count: number): NewEvent[] => Array.from({ length: count }, () => ({ event_type: 'x' }))

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const openLog = async (storage: MemoryStorage): Promise<EventLog> => {
  const end = await checkAtOpen(storage, { reached: undefined, dropped: [] })
  return new EventLog({ storage, end, close: () => storage.close() })
}

/** What a process that was killed leaves. */
const killed = (storage: MemoryStorage): MemoryStorage => new MemoryStorage(storage)

describe('after a kill', () => {
  type Step =
    | { readonly type: 'append'; readonly streams: readonly number[]; readonly said: string | undefined }
    | { readonly type: 'truncate'; readonly stream: number }
    | { readonly type: 'close' | 'kill' }

  const stream = fc.nat({ max: 4 })
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('append' as const),
        streams: fc.array(stream, { minLength: 1, maxLength: 4 }),
        said: fc.option(fc.constantFrom('on', 'off'), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('truncate' as const), stream }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('close' as const, 'kill' as const) }) },
  )

  const write = async (log: EventLog, step: Step): Promise<void> => {
    if (step.type === 'append') {
      const event = step.said === undefined ? {} : { machine: 'm@1', state: { is: step.said } }
      await log.appendBatch({
        appends: step.streams.map((n) => ({ stream_id: `s-${n}`, events: [{ event_type: 'x', ...event }] })),
      })
    } else if (step.type === 'truncate') {
      const head = await log.head(`s-${step.stream}`)
      if (head === undefined) return
      const tombstone = { event_type: 'gone' }
      await log.truncate(head.stream_id, { tombstone, expectedVersion: head.version })
    }
  }

  const expectHeads = async (log: EventLog, expected: readonly StreamHead[]): Promise<void> => {
    expect(await collect(log.heads())).toEqual(expected)
    for (const head of expected) {
      expect(await log.head(head.stream_id)).toEqual(head)
      const last = (await collect(log.readStream(head.stream_id))).at(-1)
      expect(last).toMatchObject({ version: head.version, hash: head.hash })
    }
    expect(await log.verify()).toMatchObject({ ok: true, problems: [] })
  }

  test('every head is what it was, whatever was appended and archived before', async () => {
    expect.hasAssertions()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        let storage = new MemoryStorage()
        let log = await openLog(storage)
        for (const taken of steps) {
          await write(log, taken)
          const heads = await collect(log.heads())
          if (taken.type === 'close') await log.close()
          else if (taken.type === 'kill') storage = killed(storage)
          else continue
          log = await openLog(storage)
          await expectHeads(log, heads)
        }
      }),
    )
  })

  test('the next append to a stream has the next version, and a wrong expectation is refused', async () => {
    const storage = new MemoryStorage()
    const log = await openLog(storage)
    await log.append('a', x(2))
    const again = await openLog(killed(storage))
    await expect(again.append('a', x(1), { expectedVersion: 'no_stream' })).rejects.toMatchObject({
      code: 'ES_VERSION_CONFLICT',
      actual: 2,
    })
    expect(await again.append('a', x(1), { expectedVersion: 2 })).toMatchObject({ version: 3 })
  })
})

/** A storage that can be made to wait before it has a batch, or before it says so. */
class GatedStorage extends MemoryStorage {
  readonly #gates = { before: Promise.resolve(), after: Promise.resolve() }

  /** Holds writes from now on; gives back what lets them go. */
  hold(where: 'before' | 'after'): () => void {
    let open = (): void => {}
    this.#gates[where] = new Promise((resolve) => (open = resolve))
    return open
  }

  override batch(): StorageBatch {
    const batch = super.batch()
    return {
      ...batch,
      write: async (options) => {
        await this.#gates.before
        await batch.write(options)
        await this.#gates.after
      },
    }
  }
}

describe('while a batch is being written', () => {
  const seenOf = async (log: EventLog) => {
    const heads = await collect(log.heads())
    const streams = await Promise.all(
      ['a', 'b'].map(async (stream_id) => {
        const { length } = await collect(log.readStream(stream_id))
        expect((await log.head(stream_id))?.version ?? 0).toBe(length)
        return length
      }),
    )
    expect(await log.verify()).toMatchObject({ ok: true, problems: [] })
    expect(heads.map(({ version }) => version)).toEqual(streams.filter((length) => length > 0))
    return streams
  }

  test('readers see it from the moment at which the storage has it, told or not', async () => {
    const storage = new GatedStorage()
    const log = await openLog(storage)
    await log.append('a', x(2))
    const letIn = storage.hold('before')
    const letOut = storage.hold('after')
    const appended = log.appendBatch({
      appends: [
        { stream_id: 'a', events: x(1) },
        { stream_id: 'b', events: x(4) },
      ],
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(await seenOf(log)).toEqual([2, 0])
    letIn()
    await expect.poll(() => storage.getSync(eventKey(3))).toBeDefined()
    expect(await seenOf(log)).toEqual([3, 4])
    letOut()
    await appended
    expect(await seenOf(log)).toEqual([3, 4])
  })

  test('that fails after the storage has it, readers see what the storage has', async () => {
    const storage = new FaultyStorage({ write: 2, fault: 'kept but failed' })
    const log = await openOver(storage)
    await log.append('a', x(2))
    await expect(log.append('a', x(1))).rejects.toMatchObject({ code: 'ES_WRITE_UNKNOWN' })
    expect(await log.head('a')).toMatchObject({ version: 3 })
    expect(await collect(log.readStream('a'))).toHaveLength(3)
    expect(await collect(log.heads())).toMatchObject([{ stream_id: 'a', version: 3 }])
    await log.close()
  })
})

describe('a folder that a killed process left', () => {
  /** Events that do not compress, so that few are in a block. */
  const noisy = (count: number): NewEvent[] =>
    Array.from({ length: count }, () => ({ event_type: 'x', payload: randomBytes(1500).toString('base64') }))

  let folder = ''
  let path = ''
  let heads: StreamHead[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'event-store-heads-'))
    path = join(folder, 'killed')
    const store = await openLevelEventStore({ path: join(folder, 'live') })
    await store.append('a', noisy(20))
    await store.append('b', noisy(20))
    // Into a table: damage to a write-ahead log is found in the files already.
    await store.compact?.()
    heads = await collect(store.heads())
    await cp(join(folder, 'live'), path, { recursive: true })
    await rm(join(path, 'owner.json'))
    await store.close()
  })
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  /** Damages what is in the first third of the table: events of the first stream. */
  const damageTable = async (): Promise<void> => {
    const [name = ''] = (await readdir(join(path, 'db'))).filter((file) => file.endsWith('.ldb'))
    const file = join(path, 'db', name)
    const bytes = await readFile(file)
    const at = Math.floor(bytes.length / 3)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(file, bytes)
  }

  test('opens with the heads it had', async () => {
    const store = await openLevelEventStore({ path })
    expect(await collect(store.heads())).toEqual(heads)
    expect(await store.append('a', x(1), { expectedVersion: 20 })).toMatchObject({ version: 21 })
    await store.close()
  })

  test('and damaged is refused, or opens as a copy, or without the damaged stream', async () => {
    await damageTable()
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_CORRUPT' })
    const copy = await openLevelEventStore({ path, onDamage: 'read-only' })
    expect(await collect(copy.readStream('b'))).toHaveLength(20)
    await expect(copy.append('b', x(1))).rejects.toMatchObject({ code: 'ES_READ_ONLY' })
    await copy.close()
    for (const version of [21, 22]) {
      const store = await openLevelEventStore({ path, onDamage: 'quarantine' })
      await expect(collect(store.readStream('a'))).rejects.toMatchObject({ code: 'ES_CORRUPT' })
      await expect(store.append('a', x(1))).rejects.toMatchObject({ code: 'ES_QUARANTINED' })
      expect(await store.append('b', x(1))).toMatchObject({ version })
      expect(await collect(store.heads())).toMatchObject([{ version: 20 }, { version }])
      await store.close()
    }
  })
})
