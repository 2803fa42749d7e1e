/** The directory of sessions comes back as it was, whether the sessions are few among many actors or not. */
import { expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { createRuntime } from '../../src/create-runtime.ts'

const other = createMachine({ id: 'other', on: { tick: {} } })

/** A store that counts how often its whole log was read. */
function counting(store: EventStore): { readonly store: EventStore; whole: number } {
  const counted = {
    whole: 0,
    store: new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name === 'readAll') counted.whole += 1
        if (name === 'close') return async () => {}
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    }),
  }
  return counted
}

test.each([
  { what: 'few', sessions: 3, others: 400, reads: 0 },
  { what: 'many', sessions: 6, others: 5, reads: 1 },
])('$what of them', async ({ sessions, others, reads }) => {
  const counted = counting(createMemoryEventStore())
  const { store } = counted
  const options = { store, machines: [other] }
  const first = await createRuntime(options)
  for (let i = 0; i < sessions; i += 1) {
    const session = await first.sessions.start({
      role: 'workagent',
      project: 'p',
      name: `s-${i}`,
      tags: [`t${i}`],
    })
    if (i === 1) await first.sessions.pause(session.id)
  }
  await Promise.all(Array.from({ length: others }, (_, i) => first.spawn(other, { id: `o-${i}` })))
  const before = await first.sessions.list({})
  await first.close()
  counted.whole = 0
  const second = await createRuntime(options)
  expect(await second.sessions.list({})).toEqual(before)
  expect(before).toHaveLength(sessions)
  expect(counted.whole).toBe(reads)
  await second.close()
})
