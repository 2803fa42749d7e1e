/** Verification: today's machines held against yesterday's log. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { createRuntime, type VerifyProgress } from '../../src/index.ts'
import { knownMachines } from '../../src/query/state-at.ts'
import { verifyLog, type VerifiableLog } from '../../src/query/verify-log.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'

type Change = {
  readonly guard?: () => boolean
  readonly target?: 'paid' | 'lost'
  readonly limit?: number
  readonly delay?: number
  readonly assigning?: () => number
  readonly courier?: string
  readonly factory?: () => { limit: number; count: number }
}

/** The machine as it was, but for what a test changes in it. */
function tab(change: Change = {}) {
  return setup({
    types: {
      context: {} as { limit: number; count: number },
      events: {} as { type: 'add' } | { type: 'pay' } | { type: 'ship' },
    },
    guards: {
      solvent: change.guard ?? (() => true),
      below: ({ context }) => context.count < context.limit,
    },
    actors: { courier: fromPromise(() => new Promise<void>(() => {})) },
    actions: { count: assign({ count: change.assigning ?? (({ context }) => context.count + 1) }) },
  }).createMachine({
    id: 'tab',
    context: change.factory ?? { limit: change.limit ?? 3, count: 0 },
    initial: 'open',
    states: {
      open: {
        on: {
          add: { guard: 'below', actions: 'count' },
          pay: { guard: 'solvent', target: change.target ?? 'paid' },
        },
      },
      paid: { on: { ship: 'shipping' } },
      lost: { on: { ship: 'shipping' } },
      shipping: {
        invoke: { id: change.courier ?? 'courier', src: 'courier' },
      },
    },
  })
}

const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false }

async function recorded(): Promise<TestRuntime> {
  const machine = tab()
  const runtime = await createTestRuntime({ machines: [machine] })
  for (const id of ['tab-1', 'tab-2']) {
    const actor = await runtime.spawn(machine, { id })
    await actor.send({ type: 'add' })
    await actor.send({ type: 'add' })
    await actor.send({ type: 'pay' })
  }
  const idle = await runtime.spawn(machine, { id: 'tab-3' })
  await idle.send({ type: 'add' })
  await runtime.store.append('notes', [{ event_type: 'noted' }])
  return runtime
}

describe('runtime.verify', () => {
  test('finds nothing where nothing has changed, and counts what it folded', async () => {
    const runtime = await recorded()
    const seen: VerifyProgress[] = []
    const report = await runtime.verify({ onProgress: (progress) => seen.push(progress) })
    expect(report).toMatchObject({
      ok: true,
      integrity: { ok: true },
      streams: 3,
      events: 10,
      problem_count: 0,
      problems: [],
      needs_machines: [],
      archived: 0,
    })
    expect(seen).toEqual([
      { streams: 1, events: 4 },
      { streams: 2, events: 8 },
      { streams: 3, events: 10 },
    ])
    await runtime.close()
  })

  test('names the guard that refuses now, at the first event that it refuses, once per stream', async () => {
    const runtime = await recorded()
    const report = await runtime.verify({ machines: [tab({ guard: () => false })] })
    expect(report).toMatchObject({ ok: false, problem_count: 2 })
    expect(report.problems).toEqual([
      expect.objectContaining({
        kind: 'refused',
        stream_id: 'tab-1',
        machine: 'tab@1',
        version: 4,
        event_type: 'pay',
        expected: 'paid',
        got: 'open',
        guard: 'solvent',
        reason: 'it is refused now: guard "solvent" said no to "pay" in state "open"',
      }),
      expect.objectContaining({ kind: 'refused', stream_id: 'tab-2', version: 4 }),
    ])
    await runtime.close()
  })

  test('names the state that was expected and the one that a changed target leads to', async () => {
    const runtime = await recorded()
    const { problems } = await runtime.verify({ machines: [tab({ target: 'lost' })] })
    expect(problems[0]).toMatchObject({
      kind: 'led_elsewhere',
      version: 4,
      expected: 'paid',
      got: 'lost',
      guard: null,
      reason: 'it leads to "lost" now, and led to "paid"',
    })
    await runtime.close()
  })

  test('finds a changed context factory at the first event that is decided otherwise because of it', async () => {
    const runtime = await recorded()
    const { problems } = await runtime.verify({ machines: [tab({ limit: 1 })] })
    expect(problems.map(({ stream_id, version, kind, guard }) => [stream_id, version, kind, guard])).toEqual([
      ['tab-1', 3, 'refused', 'below'],
      ['tab-2', 3, 'refused', 'below'],
    ])
    await runtime.close()
  })

  test('finds a context factory that throws now at the first event of every stream', async () => {
    const runtime = await recorded()
    const factory = (): never => {
      throw new Error('no limit')
    }
    const { problems } = await runtime.verify({ machines: [tab({ factory })] })
    expect(
      problems.map(({ stream_id, version, kind, reason }) => [stream_id, version, kind, reason]),
    ).toEqual(['tab-1', 'tab-2', 'tab-3'].map((id) => [id, 1, 'threw', 'its code throws now: no limit']))
    await runtime.close()
  })

  test('finds leaves that would be owed under another name, though every state agrees', async () => {
    const runtime = await recorded()
    await runtime.send('tab-1', { type: 'ship' })
    expect((await runtime.verify()).ok).toBe(true)
    const without = setup({ types: { events: {} as { type: string } } }).createMachine({
      id: 'tab',
      initial: 'open',
      states: {
        open: { on: { add: { actions: () => {} }, pay: 'paid' } },
        paid: { on: { ship: 'shipping' } },
        shipping: {},
      },
    })
    const { problems } = await runtime.verify({ machines: [without] })
    expect(problems).toMatchObject([{ kind: 'owed', stream_id: 'tab-1', version: 5, got: [] }])
    expect(problems[0]?.reason).toMatch(/^it owed owed\/tab-1\/leaf\/5:\d+, and owes nothing now$/)
    await runtime.close()
  })

  test('looks at one stream when it is asked for one, and only at that', async () => {
    const runtime = await recorded()
    const changed = tab({ guard: () => false })
    expect(await runtime.verify({ streamId: 'tab-3', machines: [changed] })).toMatchObject({
      ok: true,
      integrity: null,
      streams: 1,
      events: 2,
    })
    expect((await runtime.verify({ streamId: 'tab-2', machines: [changed] })).problems).toHaveLength(1)
    await expect(runtime.verify({ streamId: 'tab-9' })).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
    await runtime.close()
  })

  test('lists machines whose code it was not given, with how many streams they have', async () => {
    const runtime = await recorded()
    const without = await runtime.restart({ machines: [], logger: quiet })
    expect(await without.verify()).toMatchObject({
      ok: true,
      streams: 0,
      needs_machines: [{ machine: 'tab@1', streams: 3, example: 'tab-1' }],
    })
    expect(await without.verify({ machines: [tab()] })).toMatchObject({ streams: 3, needs_machines: [] })
    await without.close()
  })

  test('takes a child that failed when it was born for what it is: its parent heard of it', async () => {
    const child = setup({}).createMachine({
      id: 'child',
      context: () => {
        throw new Error('born to fail')
      },
    })
    const parent = setup({ actors: { child } }).createMachine({
      id: 'parent',
      initial: 'on',
      states: { on: { invoke: { id: 'child', src: 'child', onError: 'off' } }, off: {} },
    })
    const runtime = await createTestRuntime({ machines: [parent] })
    const actor = await runtime.spawn(parent, { id: 'p-1' })
    expect(actor.getSnapshot().value).toBe('off')
    expect(await runtime.verify()).toMatchObject({ ok: true, streams: 2, events: 3, problems: [] })
    await runtime.close()
  })

  test('may be told to stop', async () => {
    const runtime = await recorded()
    const stop = new AbortController()
    const stopped = runtime.verify({ signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })
    await expect(stopped).rejects.toThrow('enough')
    await runtime.close()
  })

  test('runs nothing and writes nothing, and the actors it looks at go on', async () => {
    const runtime = await recorded()
    const before = runtime.store.position()
    await runtime.verify()
    expect(runtime.store.position()).toBe(before)
    expect(await runtime.send('tab-3', { type: 'add' })).toMatchObject({ accepted: true, version: 3 })
    await runtime.close()
  })

  test('says nothing wrong of actors that are written to while it reads', async () => {
    const runtime = await recorded()
    const writing = new AbortController()
    const writer = (async () => {
      for (let n = 0; !writing.signal.aborted; n += 1) {
        const actor = await runtime.spawn(tab(), { id: `busy-${n % 5}` })
        await actor.send({ type: 'pay' })
        await actor.send({ type: 'ship' })
      }
    })()
    for (let n = 0; n < 10; n += 1) expect((await runtime.verify()).problems).toEqual([])
    writing.abort()
    await writer
    await runtime.close()
  })

  test('lists the first 1,000 problems and counts the rest', async () => {
    const machine = tab()
    const runtime = await createTestRuntime({ machines: [machine] })
    for (let n = 0; n < 1_010; n += 1) {
      const event = { event_type: 'actor.created', machine: 'tab@1', state: 'nowhere', payload: {} }
      await runtime.store.append(`made-up-${n}`, [event])
    }
    const report = await runtime.verify()
    expect(report).toMatchObject({ ok: false, problem_count: 1_010 })
    expect(report.problems).toHaveLength(1_000)
    await runtime.close()
  })

  test('has one stream open at a time, and asks for its next event when it is done with the last', async () => {
    const runtime = await recorded()
    const { store } = runtime
    const open = { now: 0, most: 0, handed: 0 }
    let folded = 0
    const watched = Object.assign(Object.create(null) as object, {
      head: (id: string) => store.head(id),
      heads: () => store.heads(),
      entries: (prefix: string) => store.entries(prefix),
      verify: () => store.verify(),
      async *readStream(id: string) {
        open.now += 1
        open.most = Math.max(open.most, open.now)
        for await (const record of store.readStream(id)) {
          open.handed += 1
          yield record
        }
        open.now -= 1
      },
    }) as unknown as VerifiableLog
    await verifyLog(watched, {
      machines: knownMachines([tab()]),
      onProgress({ events }) {
        // Nothing was read ahead of what is counted.
        expect(open.handed).toBe(events)
        folded = events
      },
    })
    expect({ ...open, folded }).toEqual({ now: 0, most: 1, handed: 10, folded: 10 })
    await runtime.close()
  })
})

describe('a log with a damaged record', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'verify-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('is reported by the store, and by the stream that has the record; the others are still folded', async () => {
    const good = join(folder, 'good')
    const machine = tab()
    let position = 0
    {
      await using runtime = await createRuntime({ path: good, machines: [machine] })
      for (const id of ['tab-1', 'tab-2', 'tab-3']) {
        const actor = await runtime.spawn(machine, { id })
        await actor.send({ type: 'add' })
        await actor.send({ type: 'pay' })
      }
      expect(await runtime.verify()).toMatchObject({
        ok: true,
        streams: 3,
        events: 9,
        integrity: { ok: true },
      })
      for await (const event of runtime.store.readStream('tab-2')) {
        if (event.version === 2) position = event.position
      }
    }
    const path = join(folder, 'damaged')
    await cp(good, path, { recursive: true })
    const database = new Level(join(path, 'log', 'db'))
    await database.open()
    for await (const [key, value] of database.iterator()) {
      if (key.startsWith('e') && value.includes('tab-2') && value.includes('"add"')) {
        await database.put(key, value.replace('"open"', '"paid"'))
      }
    }
    await database.close()
    await using store = await openLevelEventStore({ path: join(path, 'log'), create: false })
    const report = await verifyLog(store, { machines: knownMachines([machine]) })
    expect(report.ok).toBe(false)
    expect(report.integrity?.problems[0]).toMatchObject({
      kind: 'unreadable',
      stream_id: 'tab-2',
      version: 2,
    })
    expect(report.problems).toMatchObject([{ kind: 'damaged', stream_id: 'tab-2', position }])
    expect(report).toMatchObject({ streams: 3, problem_count: 1 })
  })
})
