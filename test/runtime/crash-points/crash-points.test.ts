/**
 * The process dies, or the disk fails, at every single write of a scenario; after the next start all is as if nothing
 * had happened, but for steps that were not finished: these are done once more, at most.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import type { EventStore } from '../../../eventstore/index.ts'
import { knownMachines } from '../../../src/query/state-at.ts'
import { verifyLog } from '../../../src/query/verify-log.ts'
import { createTestClock, type TestClock } from '../../../src/testing/test-clock.ts'
import { FaultyStorage, type Fault, type FaultPlan } from '../../eventstore/faulty-storage.ts'
import { Ledger, Life } from './life.ts'
import { scenarios, type Scenario } from './scenarios.ts'

/** Also cuts the recovery short, at each of its first writes. */
const THOROUGH = Number(process.env['CRASH_ROUNDS'] ?? 0) > 100

const FAULTS: readonly Fault[] = ['dies before', 'dies after', 'refused', 'kept but failed']

/** A world in which a scenario is played: what survives a crash. */
type World = { readonly scenario: Scenario; readonly clock: TestClock; readonly ledger: Ledger }

function newWorld(scenario: Scenario): World {
  return { scenario, clock: createTestClock(), ledger: new Ledger() }
}

async function rest(): Promise<void> {
  for (let n = 0; n < 6; n += 1) await turn()
}

/** Plays until the scenario is over or the process is; `over` says which. Ends what is left of it. */
async function live(
  world: World,
  storage: FaultyStorage,
  { client }: { readonly client: boolean },
): Promise<{ readonly over: boolean; readonly life: Life }> {
  const { scenario, clock, ledger } = world
  let life = new Life(storage, ledger, scenario.machines)
  let over = false
  let failed = false
  let last = Infinity
  const nextOf = async (at: Life, asked: boolean): Promise<'more' | 'over' | 'restart'> => {
    try {
      if (!asked) return (await owes(at.engine.store)) ? 'more' : 'over'
      const next = await scenario.act(at)
      return at.storeFailed ? 'more' : next
    } catch (error) {
      if (!isOfDisk(error) || !at.storeFailed) throw error
      return 'more'
    }
  }
  const play = async (): Promise<void> => {
    await life.open(clock)
    for (let turns = 0; turns < 200; turns += 1) {
      // A disk that failed ends the process, a little later: until then its client goes on asking.
      if (life.storeFailed) last = Math.min(last, turns + 5)
      if (turns > last) {
        failed = true
        return
      }
      const next = await nextOf(life, client)
      if (next === 'over') {
        over = true
        return
      }
      if (next === 'restart') {
        await life.engine.close()
        life.end()
        life = new Life(storage, ledger, scenario.machines)
        await life.open(clock)
      }
      await rest()
      await clock.advance(1_000)
      await rest()
    }
    throw new Error(`"${scenario.name}" does not come to its end`)
  }
  const played = play().catch((error: unknown) => {
    if (!isOfDisk(error)) throw error
    failed = true
  })
  await Promise.race([played, death(storage, () => over || failed)])
  if (!over) life.end()
  return { over, life }
}

/** A disk that failed is told to whoever writes; anything else is no part of the plan. */
function isOfDisk(error: unknown): boolean {
  return /^ES_|^STORE_STOPPED$/.test(String((error as { code?: unknown }).code))
}

async function death(storage: FaultyStorage, isOver: () => boolean): Promise<void> {
  while (!storage.isDead && !isOver()) await turn()
  if (isOver()) await new Promise(() => {})
}

async function owes(store: EventStore): Promise<boolean> {
  for (const prefix of ['owed/', 'outbox/']) {
    for await (const { value } of store.entries(prefix)) {
      // What was given up waits for its client.
      if ((value as { dead_letter?: string }).dead_letter === undefined) return true
    }
  }
  return false
}

type Account = { readonly streams: Readonly<Record<string, readonly string[]>>; readonly state: unknown }

/** What the log says in the end: the events of each stream, in order, and where each actor stands. */
async function accountOf(life: Life): Promise<Account> {
  const { store } = life.engine
  const streams: Record<string, readonly string[]> = {}
  const state: Record<string, unknown> = {}
  const ids = new Set<string>()
  for await (const { stream_id, machine } of store.heads()) {
    if (machine === '') continue
    const types: string[] = []
    for await (const event of store.readStream(stream_id)) {
      expect(event.version).toBe(types.length + 1)
      expect(ids.has(event.event_id)).toBe(false)
      ids.add(event.event_id)
      types.push(event.event_type)
    }
    streams[stream_id] = types
    const { value, context } = (await life.engine.find(stream_id))?.actor.getSnapshot() ?? {}
    state[stream_id] = JSON.parse(JSON.stringify({ value, context })) as unknown
  }
  return { streams, state }
}

/** Steps whose outcome is in the log, by how often. */
async function recordedSteps(storage: FaultyStorage, world: World): Promise<Map<string, number>> {
  const reader = new Life(storage, new Ledger(), () => ({}))
  await reader.openLog(world.clock)
  const recorded = new Map<string, number>()
  for await (const { event_type } of reader.log.readAll()) {
    const [, step] = /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(event_type) ?? []
    if (step !== undefined) recorded.set(step, (recorded.get(step) ?? 0) + 1)
  }
  return recorded
}

const points = { enumerated: 0, reached: 0, nested: 0 }
afterAll(() => {
  // oxlint-disable-next-line no-console -- how much was tried is a result
  console.log(
    `crash points: ${points.reached} reached of ${points.enumerated}, ${points.nested} in recoveries`,
  )
})

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (_name, scenario) => {
  test('comes to the same end, whichever write it dies at, and does no finished step again', async () => {
    const calm = newWorld(scenario)
    const storage = new FaultyStorage()
    const { over, life } = await live(calm, storage, { client: true })
    expect(over).toBe(true)
    for (const [step, times] of Object.entries(scenario.steps)) {
      expect(calm.ledger.begun.get(step)).toBe(times + (scenario.restarts ?? 0))
    }
    const expected = await accountOf(life)
    const writes = storage.writes
    expect(writes).toBeGreaterThan(3)

    for (let write = 1; write <= writes; write += 1) {
      for (const fault of FAULTS) {
        for (const kept of [0, 1]) {
          points.enumerated += 1
          await cutShort(scenario, { plan: { write, fault }, kept, expected })
        }
      }
    }
  }, 1_800_000)
})

type Cut = { readonly plan: FaultPlan; readonly kept: number; readonly expected: Account }

async function cutShort(scenario: Scenario, { plan, kept, expected }: Cut): Promise<void> {
  const world = newWorld(scenario)
  const storage = new FaultyStorage(plan)
  const first = await live(world, storage, { client: true })
  // What a power cut may keep is what no sync has covered.
  if (first.over || kept > storage.unsynced) return
  points.reached += 1
  const where = `write ${plan.write} ${plan.fault}, ${kept} kept`

  if (THOROUGH) {
    for (let write = 1; write <= 4; write += 1) {
      for (const fault of ['dies before', 'dies after'] as const) {
        const again = { ...world, ledger: copyOf(world.ledger) }
        const disk = await storage.afterPowerCut(kept, { write, fault })
        const second = await live(again, disk, { client: false })
        if (second.over) continue
        points.nested += 1
        await recover(again, {
          disk: await disk.afterPowerCut(disk.unsynced),
          expected,
          where: `${where}, then ${fault} ${write}`,
          lives: 2,
        })
      }
    }
  }
  await recover(world, { disk: await storage.afterPowerCut(kept), expected, where, lives: 1 })
}

type Recovery = {
  readonly disk: FaultyStorage
  readonly expected: Account
  readonly where: string
  /** How many ended before their time. */
  readonly lives: number
}

async function recover(world: World, { disk, expected, where, lives }: Recovery): Promise<void> {
  const { scenario, ledger } = world
  const recorded = await recordedSteps(disk, world)
  const before = copyOf(ledger)

  // Nobody asks: what is owed is finished all the same.
  const alone = await live(world, disk, { client: false })
  expect({ where, finishesByItself: alone.over }).toEqual({ where, finishesByItself: true })
  const parked = scenario.parks === true ? [] : alone.life.engine.parked
  expect({ where, parked }).toEqual({ where, parked: [] })
  await alone.life.engine.close()
  alone.life.end()

  const { over, life } = await live(world, disk, { client: true })
  expect({ where, over }).toEqual({ where, over: true })
  expect({ where, ...(await accountOf(life)) }).toEqual({ where, ...expected })
  const report = await verifyLog(life.engine.store, { machines: knownMachines(Object.values(life.machines)) })
  expect({ where, ok: report.ok, problems: report.problems }).toEqual({ where, ok: true, problems: [] })
  for (const [step, times] of Object.entries(scenario.steps)) {
    const done = recorded.get(step) ?? 0
    const begun = ledger.begun.get(step) ?? 0
    const begunBefore = before.begun.get(step) ?? 0
    const again = done < times ? (scenario.restarts ?? 0) : 0
    // At most what was still to do was done since, and once in all, but for what each crash cut short.
    const told = {
      where,
      step,
      since: begun - begunBefore <= times - done + again,
      all: begun <= times + lives + (scenario.restarts ?? 0),
      enough: begun >= times,
    }
    expect(told).toEqual({ where, step, since: true, all: true, enough: true })
  }
  await life.engine.close()
  life.end()
}

function copyOf(ledger: Ledger): Ledger {
  const copy = new Ledger()
  for (const what of ['begun', 'ended'] as const) {
    for (const [step, times] of ledger[what]) copy[what].set(step, times)
  }
  return copy
}
