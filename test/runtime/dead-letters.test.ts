/** What was given up on can be tried again by hand, once, or thrown away; the log keeps what became of it. */
import { expect, test } from 'vitest'
import { setup, sendTo, type AnyActorRef, type AnyEventObject } from 'xstate'
import { eventsOf, openEngine, reopen, rest, until, type Opened } from './engine-under-test.ts'

const peer = setup({
  types: { context: {} as { seen: AnyEventObject[] }, events: {} as AnyEventObject },
  actions: {},
}).createMachine({
  id: 'peer',
  context: { seen: [] },
  on: {
    tell: {
      actions: sendTo(
        ({ event }) => event['whom'] as AnyActorRef,
        ({ event, self }) => ({
          type: 'note',
          n: event['n'] as number,
          from: self,
        }),
      ),
    },
    note: { actions: ({ event }) => void heard.push(event) },
  },
})
const heard: AnyEventObject[] = []

/** A reference to an actor that need not exist. */
async function abroad(engine: Opened, id: string): Promise<AnyActorRef> {
  const known = await engine.spawn(peer, { id: 'known' })
  return Object.create(known, {
    sessionId: { value: id },
    toJSON: { value: () => ({ xstate$$type: 1, id, address: id }) },
  }) as AnyActorRef
}

async function withLetter(): Promise<{ engine: Opened; id: string }> {
  heard.length = 0
  const engine = await openEngine({ machines: [peer] })
  const a = await engine.spawn(peer, { id: 'a' })
  await a.send({ type: 'tell', whom: await abroad(engine, 'late'), n: 1 })
  await until(async () => (await engine.deadLetters()).length === 1, 'the dead letter')
  const [letter] = await engine.deadLetters()
  expect(letter).toMatchObject({ kind: 'mail', to: 'late', from: 'a', reason: 'there is no such actor' })
  return { engine, id: letter?.id ?? '' }
}

test('mail is sent again, references in it included, and reaches an actor that has come into being', async () => {
  const { engine, id } = await withLetter()
  const late = await engine.spawn(peer, { id: 'late' })
  await engine.deadLetters.retry(id, { by: 'alice' })
  await until(() => heard.length === 1, 'the mail')
  expect(heard[0]).toMatchObject({ type: 'note', n: 1 })
  expect(heard[0]?.['from']).toMatchObject({ sessionId: 'a' })
  expect(late.version).toBe(2)
  expect(await engine.deadLetters()).toEqual([])
  expect(await eventsOf(engine.store, 'late~dead')).toMatchObject([
    { event_type: 'runtime.dead_letter' },
    { event_type: 'runtime.dead_letter_retried', source_agent: 'alice', payload: { id } },
  ])
})

test('two who retry it at once send it once', async () => {
  const { engine, id } = await withLetter()
  await engine.spawn(peer, { id: 'late' })
  const tries = await Promise.allSettled([engine.deadLetters.retry(id), engine.deadLetters.retry(id)])
  expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  await rest()
  expect(heard).toHaveLength(1)
})

test('what nobody takes again is a new dead letter', async () => {
  const { engine, id } = await withLetter()
  await engine.deadLetters.retry(id)
  await until(async () => (await engine.deadLetters()).length === 1, 'the next dead letter')
  expect((await engine.deadLetters())[0]?.id).not.toBe(id)
})

test('what is discarded is listed no longer, also after a restart', async () => {
  const { engine, id } = await withLetter()
  await engine.deadLetters.discard(id)
  const again = await reopen(engine, [peer])
  expect(await again.deadLetters()).toEqual([])
  await expect(again.deadLetters.discard(id)).rejects.toMatchObject({ code: 'DEAD_LETTER_UNKNOWN' })
  expect(await eventsOf(again.store, 'late~dead')).toHaveLength(2)
})
