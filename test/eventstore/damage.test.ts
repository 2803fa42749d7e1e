/**
 * Damage to the files of a store is found, and nothing wrong is ever served.
 *
 * Each round damages a copy of a sound store at a random place. Then the store must either refuse to open,
 * or report the damage and serve only what was there before, or be as sound as it was (the place held
 * nothing). `DAMAGE_ROUNDS` and `DAMAGE_SEED` choose how often and where.
 */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  isEventStoreError,
  openLevelEventStore,
  type Entry,
  type EventStore,
  type RecordedEvent,
} from '../../eventstore/index.ts'

const ROUNDS = Number(process.env['DAMAGE_ROUNDS'] ?? 10)
const SEED = Number(process.env['DAMAGE_SEED'] ?? 1)

let folder = ''
const sound = { log: '', tables: '', killed: '' }
let events: RecordedEvent[] = []
let entries: Entry[] = []

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** A small generator, so that a round can be repeated from its seed. */
const randomFrom = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const fill = async (store: EventStore): Promise<void> => {
  const random = randomFrom(7)
  for (let n = 0; n < 120; n += 1) {
    const stream_id = `stream-${n % 9}`
    const noise = Array.from({ length: random(30) }, () => random(2 ** 31)).join('')
    await store.appendBatch({
      appends: [
        {
          stream_id,
          events: [{ event_type: 'counted', payload: { n, noise }, correlation_id: `c-${n % 4}` }],
        },
        { stream_id: 'audit', events: random(3) === 0 ? [{ event_type: 'seen', payload: { n } }] : [] },
      ],
      entries: [
        { key: `owed/${n}`, value: { n, noise } },
        { key: `owed/${n - 3}`, value: undefined },
      ],
      ...(n % 5 === 0 ? { commandId: `command-${n}` } : {}),
    })
    if (n % 10 === 0) await store.appendBatch({ appends: [], entries: [{ key: `note/${n}`, value: n }] })
  }
}

/** A store that comes to the same events each time. */
const openEmpty = async (path: string): Promise<EventStore> => {
  let id = 0
  return openLevelEventStore({ path, newId: () => `evt-${(id += 1)}`, clock: () => 0 })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-store-damage-'))
  sound.log = join(folder, 'log')
  sound.tables = join(folder, 'tables')
  sound.killed = join(folder, 'killed')
  const store = await openEmpty(sound.log)
  await fill(store)
  events = await collect(store.readAll())
  entries = await collect(store.entries(''))
  await store.close()
  await cp(sound.log, sound.tables, { recursive: true })
  // Opening turns the write-ahead log into a table.
  await (await openLevelEventStore({ path: sound.tables })).close()
  await leaveKilled(sound.killed)
})

/** The same events in a table, as a process leaves it that is killed. */
const leaveKilled = async (path: string): Promise<void> => {
  const live = await openEmpty(`${path}-live`)
  await fill(live)
  await live.compact?.()
  await cp(`${path}-live`, path, { recursive: true })
  await rm(join(path, 'owner.json'))
  await live.close()
}

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** What a reader was given before it failed, and the code it failed with. */
const readUntilDamage = async (items: AsyncIterable<RecordedEvent>): Promise<[RecordedEvent[], string]> => {
  const seen: RecordedEvent[] = []
  try {
    for await (const event of items) seen.push(event)
    return [seen, '']
  } catch (error) {
    if (!isEventStoreError(error)) throw error
    return [seen, error.code]
  }
}

type Outcome = 'refused' | 'reported' | 'harmless'

/** What is said of damage names where it is: an event, a stream, or a file. */
const LOCATED = /position \d|stream '|version \d|at byte \d|CURRENT|MANIFEST|\d\.(ldb|log)\b/

const examine = async (path: string): Promise<Outcome> => {
  let store: EventStore
  try {
    store = await openLevelEventStore({ path })
  } catch (error) {
    expect(error).toMatchObject({
      name: 'EventStoreError',
      message: expect.stringMatching(LOCATED) as string,
    })
    return 'refused'
  }
  try {
    const [all, failure] = await readUntilDamage(store.readAll())
    expect(all).toEqual(events.slice(0, all.length))
    if (failure === '') expect(all.length).toBe(events.length)
    for (const stream_id of new Set(events.map((event) => event.stream_id))) {
      const [stream] = await readUntilDamage(store.readStream(stream_id))
      const expected = events.filter((event) => event.stream_id === stream_id)
      expect(stream).toEqual(expected.slice(0, stream.length))
    }
    const report = await store.verify().catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'EventStoreError' })
      return { ok: false, problems: [] }
    })
    for (const { position, stream_id, detail } of report.problems) {
      expect(position > 0 || stream_id !== '' || LOCATED.test(detail) || detail.startsWith('entry')).toBe(
        true,
      )
    }
    if (!report.ok) return 'reported'
    expect(failure).toBe('')
    expect(await collect(store.entries(''))).toEqual(entries)
    return 'harmless'
  } finally {
    await store.close()
  }
}

type Damage = (file: string, random: (below: number) => number) => Promise<string>

const edit =
  (what: string, change: (bytes: Buffer, at: number, random: (below: number) => number) => void): Damage =>
  async (file, random) => {
    const bytes = await readFile(file)
    const at = random(bytes.length)
    change(bytes, at, random)
    await writeFile(file, bytes)
    return `${what} at ${at} of ${bytes.length}`
  }

const flip = edit('one bit flipped', (bytes, at, random) => {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
})
const zero = edit('a stretch zeroed', (bytes, at, random) => {
  bytes.fill(0, at, Math.min(bytes.length, at + 1 + random(4096)))
})
const cut: Damage = async (file, random) => {
  const { length } = await readFile(file)
  const at = random(length)
  await truncate(file, at)
  return `cut at ${at} of ${length}`
}
const remove: Damage = async (file) => {
  await rm(file)
  return 'removed'
}

const attempt = async (
  kind: { source: string; file: RegExp; damage: Damage },
  seed: number,
): Promise<void> => {
  const path = join(folder, 'copy')
  await rm(path, { recursive: true, force: true })
  await cp(kind.source, path, { recursive: true })
  const random = randomFrom(seed)
  const files = (await readdir(join(path, 'db'))).filter((name) => kind.file.test(name)).sort()
  const file = files[random(files.length)] ?? ''
  const what = await kind.damage(join(path, 'db', file), random)
  try {
    await examine(path)
  } catch (error) {
    throw new Error(`${file}: ${what} (DAMAGE_SEED=${seed})`, { cause: error })
  }
}

describe('damage is found and nothing wrong is served', () => {
  const kinds: { name: string; source: () => string; file: RegExp; damage: Damage }[] = [
    { name: 'a bit flipped in the write-ahead log', source: () => sound.log, file: /\.log$/, damage: flip },
    {
      name: 'a stretch of the write-ahead log zeroed',
      source: () => sound.log,
      file: /\.log$/,
      damage: zero,
    },
    { name: 'the write-ahead log cut off', source: () => sound.log, file: /\.log$/, damage: cut },
    { name: 'a bit flipped in a table', source: () => sound.tables, file: /\.ldb$/, damage: flip },
    { name: 'a stretch of a table zeroed', source: () => sound.tables, file: /\.ldb$/, damage: zero },
    { name: 'a table cut off', source: () => sound.tables, file: /\.ldb$/, damage: cut },
    {
      name: 'a bit flipped in a table of a store that was killed',
      source: () => sound.killed,
      file: /\.ldb$/,
      damage: flip,
    },
    {
      name: 'a stretch zeroed of a table of a store that was killed',
      source: () => sound.killed,
      file: /\.ldb$/,
      damage: zero,
    },
    {
      name: 'a bit flipped in MANIFEST or CURRENT',
      source: () => sound.log,
      file: /^(MANIFEST|CURRENT)/,
      damage: flip,
    },
    {
      name: 'a stretch of MANIFEST or CURRENT zeroed',
      source: () => sound.log,
      file: /^(MANIFEST|CURRENT)/,
      damage: zero,
    },
    {
      name: 'MANIFEST or CURRENT cut off',
      source: () => sound.log,
      file: /^(MANIFEST|CURRENT)/,
      damage: cut,
    },
    {
      name: 'MANIFEST or CURRENT of a store that was killed cut off',
      source: () => sound.killed,
      file: /^(MANIFEST|CURRENT)/,
      damage: cut,
    },
    {
      name: 'a file removed',
      source: () => sound.tables,
      file: /^(MANIFEST|CURRENT|.*\.ldb|.*\.log)/,
      damage: remove,
    },
  ]
  test.each(kinds)('$name', async ({ source, file, damage }) => {
    expect.hasAssertions()
    for (let round = 0; round < ROUNDS; round += 1) {
      await attempt({ source: source(), file, damage }, SEED + round)
    }
  })

  test('a store without CURRENT is refused, not replaced by an empty one', async () => {
    const path = join(folder, 'without-current')
    await cp(sound.log, path, { recursive: true })
    const current = await readFile(join(path, 'db', 'CURRENT'))
    await rm(join(path, 'db', 'CURRENT'))
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_DATABASE_MISSING' })
    await writeFile(join(path, 'db', 'CURRENT'), current)
    expect(await examine(path)).toBe('harmless')
  })

  test('a store whose database folder is gone is refused, not made anew', async () => {
    const path = join(folder, 'without-database')
    await cp(sound.log, path, { recursive: true })
    await rm(join(path, 'db'), { recursive: true })
    await expect(openLevelEventStore({ path })).rejects.toMatchObject({ code: 'ES_DATABASE_MISSING' })
  })
})
