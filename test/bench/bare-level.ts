/** LevelDB without the store: what its binding can do with the same keys, the raw limit of several rows. */
import { crc32 } from 'node:zlib'
import type { ClassicLevel } from 'classic-level'
import { Level } from 'level'

type Put = readonly [key: string, value: string]

const PAGE = 1000
const READ_AHEAD_BYTES = 1024 * 1024
const CHECKSUM_END = 8
const BODY_START = 72

/** Opened with the settings of the store. */
export async function openBareLevel(folder: string): Promise<ClassicLevel> {
  const database = new Level(folder, { writeBufferSize: 16 * 1024 * 1024 }) as unknown as ClassicLevel
  await database.open()
  return database
}

/** One chained batch after the other, each synced. */
export async function writeBatches(
  database: ClassicLevel,
  batches: readonly (readonly Put[])[],
): Promise<void> {
  for (const puts of batches) {
    const batch = database.batch()
    for (const [key, value] of puts) batch.put(key, value)
    await batch.write({ sync: true })
  }
}

/** Each value with a put of its own, synced; `lanes` of them at any moment. */
export async function putEach(database: ClassicLevel, puts: readonly Put[], lanes: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let put = puts[next++]; put !== undefined; put = puts[next++]) {
      await database.put(put[0], put[1], { sync: true })
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** As much of an event as is looked at. */
type Body = {
  readonly position: number
  readonly stream_id: string
  readonly event_type: string
  readonly payload: object
}

/**
 * Reads every event, holds it against its checksum, parses it and hands it over: no chain, no order, no stream. Gives
 * back how many there are.
 */
export async function readCheckAndParse(
  database: ClassicLevel,
  take: (body: Body) => void = () => {},
): Promise<number> {
  let events = 0
  for await (const page of eventPages(database)) {
    for (const value of page) {
      if (crc32(value.slice(CHECKSUM_END)) !== Number.parseInt(value.slice(0, CHECKSUM_END), 16))
        throw new Error(`the checksum of event ${events + 1} does not hold`)
      const body = JSON.parse(value.slice(BODY_START)) as Body
      if (body.position !== (events += 1)) throw new Error(`event ${events} is at position ${body.position}`)
      take(body)
    }
  }
  return events
}

/** The next page is read while the reader works on this one. */
async function* eventPages(database: ClassicLevel): AsyncGenerator<string[], void, undefined> {
  const values = database.values({ gte: 'e', lt: 'f', highWaterMarkBytes: READ_AHEAD_BYTES })
  let next = values.nextv(PAGE)
  for (let page = await next; page.length > 0; page = await next) {
    next = values.nextv(PAGE)
    yield page
  }
  await values.close()
}
