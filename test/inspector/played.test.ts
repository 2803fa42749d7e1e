/** A recorded log in the inspector: at any speed, step by step, with the machines' code and without. */
import { describe, expect, test } from 'vitest'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { createRuntime } from '../../src/index.ts'
import { watchActors } from '../../src/inspector/actor-watch.ts'
import type { Inspected } from '../../src/inspector/inspected.ts'
import { playLog, type Pace } from '../../src/inspector/play-log.ts'
import { statelyMessage } from '../../src/inspector/stately-message.ts'
import { knownMachines } from '../../src/query/state-at.ts'
import { lampMachine } from './receiving.ts'

/** A log of a lamp that was pressed twice, one second and one day after it was made, and then hit. */
const recorded = async (): Promise<EventStore> => {
  const store = createMemoryEventStore()
  let now = Date.parse('2026-01-01T00:00:00.000Z')
  const clock = { now: () => now, setTimeout: () => 0, clearTimeout: () => {} }
  const runtime = await createRuntime({ store: keptOpen(store), machines: [lampMachine], clock })
  const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
  for (const [wait, type] of [
    [1_000, 'press'],
    [86_400_000, 'press'],
    [0, 'hit'],
  ] as const) {
    now += wait
    await lamp.send({ type })
  }
  await runtime.close()
  return store
}

const keptOpen = (store: EventStore): EventStore =>
  new Proxy(store, {
    get: (target, key) => {
      if (key === 'close') return async () => {}
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

const play = async (
  log: EventStore,
  options: { pace?: Pace; from?: number; to?: number; machines?: readonly (typeof lampMachine)[] } = {},
): Promise<{ shown: Inspected[]; count: number }> => {
  const {
    pace = { kind: 'speed', speed: Infinity },
    from = 0,
    to = log.position(),
    machines = [lampMachine],
  } = options
  const shown: Inspected[] = []
  const count = await playLog({
    log,
    watch: watchActors(log, knownMachines(machines)),
    give: async (some) => void shown.push(...some),
    pace,
    fromPosition: from,
    toPosition: to,
    signal: new AbortController().signal,
  })
  return { shown, count }
}

const story = (shown: readonly Inspected[]): string[] =>
  shown.map((one) => {
    const what = one.kind === 'event' ? one.event.type : JSON.stringify(one.snapshot.value)
    return `${one.kind} ${one.actor.id} ${what}`
  })

describe('a log that is played', () => {
  test('shows the same as it did live: each actor, each event, each state with its context', async () => {
    const { shown, count } = await play(await recorded())
    expect(story(shown).filter((line) => line.includes('lamp-1:1:0') && !line.startsWith('event'))).toEqual([
      'actor lamp-1:1:0 "off"',
      'snapshot lamp-1:1:0 "off"',
      'snapshot lamp-1:1:0 "on"',
      'snapshot lamp-1:1:0 "off"',
    ])
    const contexts = shown.flatMap((one) =>
      one.kind === 'snapshot' && one.actor.id === 'lamp-1:1:0' ? [one.snapshot.context] : [],
    )
    expect(contexts).toEqual([{ turns: 0 }, { turns: 1 }, { turns: 2 }])
    expect(count).toBe(shown.filter(({ kind }) => kind === 'event').length)
  })

  test('shows states without contexts where the code is not given, and the definitions all the same', async () => {
    const { shown } = await play(await recorded(), { machines: [] })
    const messages = shown.map(statelyMessage)
    expect(messages.filter((message) => 'snapshot' in message && 'context' in message.snapshot)).toEqual([])
    const bulb = messages.find((message) => message.type === '@xstate.actor' && message.name === 'bulb')
    expect(bulb).toMatchObject({ parentId: 'lamp-1', snapshot: { status: 'active', value: 'off' } })
    expect(JSON.parse((bulb as { definition: string }).definition)).toMatchObject({ id: 'bulb' })
  })

  test('from the middle begins with who was there, as they stood', async () => {
    const log = await recorded()
    const events = []
    for await (const event of log.readStream('lamp-1:1:0')) events.push(event)
    const { shown } = await play(log, { from: (events[2]?.position ?? 0) - 1 })
    const bulb = shown.filter(({ actor }) => actor.id === 'lamp-1:1:0')
    expect(bulb[0]).toMatchObject({ kind: 'actor', snapshot: { value: 'on', context: { turns: 1 } } })
    expect(bulb[2]).toMatchObject({ kind: 'snapshot', snapshot: { value: 'off', context: { turns: 2 } } })
    expect(story(shown).indexOf('actor lamp-1 "lit"')).toBeLessThan(
      story(shown).indexOf('actor lamp-1:1:0 "on"'),
    )
  })

  test('takes as long as it took, divided by the speed, but no night', async () => {
    const log = await recorded()
    const took = async (speed: number): Promise<number> => {
      const began = performance.now()
      await play(log, { pace: { kind: 'speed', speed } })
      return performance.now() - began
    }
    // A second and a day: 20 ms, and the longest gap at that speed.
    const [fast, max] = [await took(50), await took(Infinity)]
    expect(fast).toBeGreaterThan(2_000)
    expect(fast).toBeLessThan(10_000)
    expect(max).toBeLessThan(1_500)
  })

  test('step by step shows nothing before it is told to, and ends when told to', async () => {
    const log = await recorded()
    const steps = [true, true, false]
    const { shown, count } = await play(log, {
      pace: { kind: 'steps', next: async () => steps.shift() ?? false },
    })
    expect(count).toBe(2)
    expect(shown.filter(({ kind }) => kind === 'event')).toHaveLength(2)
  })
})

test('a stream whose history would be too long to fold is shown by its recorded states', async () => {
  const store = createMemoryEventStore()
  const runtime = await createRuntime({ store: keptOpen(store), machines: [lampMachine] })
  const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
  await Promise.all(Array.from({ length: 2_100 }, () => lamp.send({ type: 'press' })))
  await runtime.close()
  const last = store.position() - 1
  const { shown } = await play(store, { from: last })
  const snapshots = shown.filter(({ kind }) => kind !== 'event')
  expect(snapshots.length).toBeGreaterThan(0)
  const long = snapshots.filter(({ actor }) => actor.id === 'lamp-1:1:0')
  expect(long.length).toBeGreaterThan(0)
  for (const one of long) expect(one).not.toHaveProperty('snapshot.context')
})
