/** A promise that may be left alone: who waits hears its failure alone, and if nobody does, it is told. */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Reply } from '../../src/runtime/reply.ts'

/** Several turns of the event loop: whatever was going to be told has been told. */
const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

const lost = new Error('lost')

/** How each one waits. */
const WAITING: readonly (readonly [how: string, wait: (reply: Reply<number>) => Promise<unknown>])[] = [
  ['await', async (reply) => await reply],
  ['then', (reply) => reply.then((value) => value)],
  ['catch', (reply) => reply.catch((error: unknown) => Promise.reject(error))],
  ['finally', (reply) => reply.finally(() => {})],
  ['Promise.all', async (reply) => (await Promise.all([reply, Promise.resolve()]))[0]],
  ['Promise.race', (reply) => Promise.race([reply, new Promise<never>(() => {})])],
  ['Promise.resolve', (reply) => Promise.resolve(reply)],
  ['returned from an async function', (reply) => (async () => reply)()],
]

for (const [how, wait] of WAITING) {
  test(`by ${how}, a failure is heard by who waits alone, be it early or late`, async () => {
    const unheard: unknown[] = []
    const early = new Reply<number>((error) => unheard.push(error))
    early.fail(lost)
    await expect(wait(early)).rejects.toBe(lost)
    const late = new Reply<number>((error) => unheard.push(error))
    const waited = wait(late)
    late.fail(lost)
    await expect(waited).rejects.toBe(lost)
    const given = new Reply<number>((error) => unheard.push(error))
    given.give(7)
    expect(await wait(given)).toBe(7)
    await rest()
    expect(unheard).toEqual([])
  })
}

test('a failure that nobody waits for is told once, also of a reply that was looked at', async () => {
  const unheard: unknown[] = []
  const alone = new Reply<number>((error) => unheard.push(error))
  expect(inspect(alone)).toContain('Promise')
  alone.fail(lost)
  await rest()
  expect(unheard).toEqual([lost])
})

test('what is derived from a reply is an ordinary promise', () => {
  const reply = new Reply<number>(() => {})
  expect(reply).toBeInstanceOf(Promise)
  expect(reply.then(() => {})).not.toBeInstanceOf(Reply)
  reply.give(1)
})
