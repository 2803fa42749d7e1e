/**
 * Appends to a store for ever and says on standard output what was acknowledged; made to be killed.
 *
 * Arguments: the store's folder, the number of writers, a seed. A line is the position and the id of the
 * first event of an acknowledged append, and how many events it had.
 */
import { writeSync } from 'node:fs'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'

const [path = '', writers = '1', seed = '1'] = process.argv.slice(2)

/** A small generator, so that a run can be repeated. */
const randomFrom = (start: number): ((below: number) => number) => {
  let state = start
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

const store = await openLevelEventStore({ path })
writeSync(1, 'open\n')

const write = async (writer: number): Promise<never> => {
  const random = randomFrom(Number(seed) * 1000 + writer)
  for (;;) {
    const size = 1 + random(5)
    const events = Array.from({ length: size }, (_, index) => ({
      event_type: 'counted',
      payload: { index, size, filler: 'x'.repeat(random(2000)) },
    }))
    const { events: appended } = await store.append(`writer-${writer}`, events)
    const [first] = appended
    writeSync(1, `${first?.position} ${first?.event_id} ${size}\n`)
  }
}

await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)))
