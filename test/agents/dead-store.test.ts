/** When the store takes no more writes, nobody waits for ever: waits end with the store's error, and it is told once. */
import { expect, test } from 'vitest'
import { EventStoreError } from '../../eventstore/errors.ts'
import { createMemoryEventStore } from '../../eventstore/memory-event-store.ts'
import { createRuntime, defineAgent } from '../../src/index.ts'

test('a wait ends with the error of a store that died, and the trouble is told once', async () => {
  const memory = createMemoryEventStore()
  let dead = false
  const store = new Proxy(memory, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      const method = member.bind(target) as (...args: unknown[]) => unknown
      if (name !== 'append' && name !== 'appendBatch') return method
      return async (...args: unknown[]) => {
        if (dead) {
          throw new EventStoreError('ES_POISONED', {
            happened: 'An earlier write failed',
            expected: 'Expected a disk with room',
            remedy: 'Make room and open the store again',
          })
        }
        return method(...args)
      }
    },
  })
  const troubles: unknown[] = []
  let goOn: () => void = () => {}
  const told = new Promise<void>((resolve) => (goOn = resolve))
  const agent = defineAgent('worker', async (ctx) => {
    await told
    await ctx.step('one', () => 1)
  })
  const runtime = await createRuntime({ store, agents: [agent], onError: (error) => troubles.push(error) })
  const run = await runtime.agents.start(agent, { input: undefined })
  const waiting = run.result({ timeoutMs: 20_000 })
  dead = true
  goOn()
  await expect(waiting).rejects.toMatchObject({ code: 'ES_POISONED' })
  expect(troubles.filter((error) => (error as { code?: string }).code === 'ES_POISONED')).toHaveLength(1)
  await expect(runtime.run(() => 1)).rejects.toMatchObject({ code: 'ES_POISONED' })
  await runtime.close()
})
