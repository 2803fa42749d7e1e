/** The one door for readers, on a log in which something of everything has happened. */
import { fromPromise, setup } from 'xstate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventStore, RecordedEvent } from '../../eventstore/index.ts'
import {
  createLogQuery,
  createRuntime,
  type EventsQuestion,
  type LogQuery,
  withPolicies,
} from '../../src/index.ts'
import { mermaidSequence } from '../../src/query/mermaid-sequence.ts'
import { orderMachine, storyStore } from './story.ts'

let store: EventStore
let query: LogQuery
let blind: LogQuery
let all: RecordedEvent[]

beforeAll(async () => {
  store = await storyStore()
  query = createLogQuery(store, { machines: [orderMachine] })
  blind = createLogQuery(store)
  all = await listOf(store.readAll())
})
afterAll(() => store.close())

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const events = (question: EventsQuestion): Promise<RecordedEvent[]> => listOf(query.events(question))
const one = async (type: string, nth = 0): Promise<RecordedEvent> => {
  const found = all.filter(({ event_type }) => event_type === type)[nth]
  if (found === undefined) throw new Error(`no ${type}`)
  return found
}
const runOf = (agent: string): string =>
  all.find(({ payload }) => (payload as { input?: { agent_id?: string } }).input?.agent_id === agent)
    ?.stream_id ?? ''

describe('events', () => {
  test('are found by type, text, role, verdict, correlation and place, all of which must hold', async () => {
    const types = async (question: EventsQuestion): Promise<string[]> =>
      (await events(question)).map(({ event_type }) => event_type)
    expect(await types({ types: ['handoff.*'] })).toEqual([
      'handoff.generated',
      'handoff.received',
      'handoff.claimed',
      'handoff.generated',
      'handoff.received',
    ])
    expect(await types({ text: '40 TESTS', types: ['agent.*'] })).toEqual(['agent.failed'])
    expect(await types({ verdict: 'denied' })).toEqual([
      'tool.judged',
      'runtime.refused',
      'runtime.refused',
      'runtime.refused',
    ])
    expect(new Set(await types({ role: 'orchestrator' }))).toEqual(
      new Set(['session.created', 'session.active', 'handoff.received', 'session.paused']),
    )
    expect((await events({ correlation_id: 'order-1' })).map(({ stream_id }) => stream_id)).toEqual([
      'order-1',
      'order-1',
      'order-1',
      'order-1',
      'order-1~refused',
      'order-1~refused',
    ])
    expect((await events({ from_position: 5, to_position: 7 })).map(({ position }) => position)).toEqual([
      5, 6, 7,
    ])
  })

  test('of an actor are its own, those below it, and what it caused elsewhere', async () => {
    const janitor = runOf('janitor')
    const own = await events({ actor: janitor })
    const streams = new Set(own.map(({ stream_id }) => stream_id))
    expect([...streams].filter((id) => id.startsWith('call_'))).toHaveLength(2)
    expect(streams).toContain(janitor)
    const lead = new Set((await events({ actor: runOf('lead') })).map(({ stream_id }) => stream_id))
    for (const stream of streams) expect(lead).toContain(stream)
  })

  test('of a stretch of time begin at its beginning and end before its end', async () => {
    const day = await events({ since: '2026-11-20T00:00:00Z' })
    expect(day.length).toBeGreaterThan(3)
    expect(day.every(({ timestamp }) => timestamp >= '2026-11-20')).toBe(true)
    const before = await events({ until: '2026-11-20T00:00:00Z' })
    expect(before.length + day.length).toBe(all.length)
    await expect(events({ since: 'soon' })).rejects.toMatchObject({ code: 'QUERY_INVALID' })
    await expect(events({ verdict: 'maybe' as 'denied' })).rejects.toMatchObject({ code: 'QUERY_INVALID' })
  })

  test('with a limit are the last ones of those without', async () => {
    for (const question of [
      {},
      { types: ['step.*'] },
      { stream_id: 'order-1' },
      { to_position: 30 },
      { text: 'a' },
    ]) {
      const every = await events(question)
      for (const limit of [0, 1, 3, 1000]) {
        expect(await events({ ...question, limit })).toEqual(limit === 0 ? [] : every.slice(-limit))
      }
    }
  })

  test('never match by what looks like a secret', async () => {
    expect(all.some(({ payload }) => JSON.stringify(payload).includes('hunter2'))).toBe(true)
    expect(await events({ text: 'hunter2' })).toEqual([])
  })
})

describe('a name or an id', () => {
  test('leads to its stream; a position or an id of an event to the event', async () => {
    const session = all.find(({ event_type }) => event_type === 'session.created')?.stream_id
    expect(await query.find({ text: 'release-7' })).toMatchObject({ stream_id: session, event_id: null })
    expect(await query.find({ text: 'janitor' })).toMatchObject({ stream_id: runOf('janitor') })
    const judged = await one('tool.judged')
    for (const text of [String(judged.position), `#${judged.position}`, judged.event_id]) {
      expect(await query.find({ text })).toMatchObject({ event_id: judged.event_id, version: 2 })
    }
  })

  test('may be cut in the middle, as tables cut it, as long as only one fits', async () => {
    const janitor = runOf('janitor')
    const cut = `run_…${janitor.slice(-8)}`
    expect(await query.find({ text: cut })).toMatchObject({ stream_id: janitor })
    expect(await query.find({ text: cut.replace('…', '...') })).toMatchObject({ stream_id: janitor })
    await expect(query.find({ text: 'run_…000' })).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
  })

  test('that is not there is told with what comes near', async () => {
    await expect(query.find({ text: 'relaese-7' })).rejects.toMatchObject({
      code: 'QUERY_NOT_FOUND',
      details: { did_you_mean: ['release-7'] },
    })
    await expect(query.find({ text: '' })).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
  })
})

describe('the state', () => {
  test('is that of a version, a position, a moment, or the last', async () => {
    const paid = await query.state({ stream_id: 'order-1' })
    expect(paid).toMatchObject({ version: 4, value: 'paid', source: 'replay', needs_machines: false })
    expect(paid.context).toMatchObject({ paid: 61, api_key: '[redacted]' })
    expect(await query.state({ stream_id: 'order-1', version: 2 })).toMatchObject({
      value: 'open',
      context: { items: [{ sku: 'lamp', count: 2 }] },
      timers: [{ due_at: '2026-11-22T09:00:06.000Z' }],
    })
    const second = (await events({ stream_id: 'order-1' }))[1]
    expect(await query.state({ stream_id: 'order-1', position: second?.position })).toMatchObject({
      version: 2,
    })
    expect(await query.state({ stream_id: 'order-1', time: second?.timestamp })).toMatchObject({ version: 2 })
    await expect(query.state({ stream_id: 'order-1', position: 1 })).rejects.toMatchObject({
      code: 'QUERY_NOT_FOUND',
    })
    await expect(query.state({ stream_id: 'order-1', version: 99 })).rejects.toMatchObject({
      code: 'QUERY_NOT_FOUND',
    })
    await expect(query.state({ stream_id: 'nobody' })).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
  })

  test('without the code is the one that was recorded, and says what it needs', async () => {
    expect(await blind.state({ stream_id: 'order-1' })).toMatchObject({
      value: 'paid',
      source: 'recorded',
      context: null,
      needs_machines: true,
    })
    expect(await blind.state({ stream_id: runOf('janitor') })).toMatchObject({ source: 'replay' })
  })
})

describe('what changed', () => {
  test('between two versions are the changed places only', async () => {
    expect(
      await query.diff({ stream_id: 'order-1', from: { version: 2 }, to: { version: 4 } }),
    ).toMatchObject({
      from: { version: 2, value: 'open' },
      to: { version: 4, value: 'paid' },
      changes: [
        { kind: 'changed', path: 'value', before: 'open', after: 'paid' },
        { kind: 'added', path: 'context.items[1]', after: { sku: 'bulb', count: 12 } },
        { kind: 'changed', path: 'context.paid', before: 0, after: 61 },
        { kind: 'removed', path: expect.stringMatching(/^timers/) as string },
      ],
    })
  })

  test('by one event is told when nothing else is asked, and of the first event everything is new', async () => {
    const { changes } = await query.diff({ stream_id: 'order-1', to: { version: 3 } })
    expect(changes).toEqual([
      { kind: 'added', path: 'context.items[1]', before: null, after: { sku: 'bulb', count: 12 } },
    ])
    const first = await query.diff({ stream_id: 'order-1', from: { version: 0 }, to: { version: 1 } })
    expect(first.changes.every(({ kind }) => kind === 'added')).toBe(true)
    expect(JSON.stringify(first)).not.toContain('sk-not-for-everybody')
  })

  test('without the code is the state value', async () => {
    expect(
      await blind.diff({ stream_id: 'order-1', from: { version: 3 }, to: { version: 4 } }),
    ).toMatchObject({
      source: 'recorded',
      changes: [{ path: 'value', before: 'open', after: 'paid' }],
    })
  })

  test('is told for each step, and the steps together make the difference', async () => {
    const steps = await listOf(query.steps({ stream_id: 'order-1' }))
    expect(steps.map(({ event, value }) => [event.event_type, value])).toEqual([
      ['actor.created', 'open'],
      ['add', 'open'],
      ['add', 'open'],
      ['pay', 'paid'],
    ])
    for (const { event, changes } of steps) {
      const diff = await query.diff({ stream_id: 'order-1', to: { version: event.version } })
      expect(changes).toEqual(diff.changes)
    }
    const late = await listOf(query.steps({ stream_id: 'order-1', from_version: 3, to: { version: 3 } }))
    expect(late).toEqual(steps.slice(2, 3))
  })

  test('can be blamed on the event that last wrote the place', async () => {
    const blame = await query.blame({ stream_id: 'order-1' })
    const writer = Object.fromEntries(blame.places.map(({ path, event }) => [path, event.version]))
    expect(writer).toMatchObject({
      value: 4,
      'context.paid': 4,
      'context.items[0].sku': 2,
      'context.items[1].count': 3,
      'context.api_key': 1,
    })
    expect(JSON.stringify(blame)).not.toContain('sk-not-for-everybody')
    const items = await query.blame({ stream_id: 'order-1', path: 'context.items' })
    expect(items.history.map(({ version }) => version)).toEqual([1, 2, 3])
    expect(items.places).toMatchObject([{ path: 'context.items', writes: 3, event: { event_type: 'add' } }])
    await expect(query.blame({ stream_id: 'order-1', path: 'context.nothing' })).rejects.toMatchObject({
      code: 'QUERY_NOT_FOUND',
    })
    const early = await query.blame({ stream_id: 'order-1', path: 'context.items', at: { version: 2 } })
    expect(early.history).toHaveLength(2)
  })
})

describe('causes', () => {
  test('lead from a denial up to the session that it began with, over four streams', async () => {
    const judged = await one('tool.judged')
    const { ancestors } = await query.causes({ event: judged.event_id })
    expect(ancestors.map(({ event_type, link }) => `${event_type} by ${link}`)).toEqual([
      'tool.requested by order',
      'step.started by call',
      'agent.began by attempt',
      'agent.started by attempt',
      'agent.created by attempt',
      'step.started by call',
      'agent.began by attempt',
      'agent.started by attempt',
      'agent.created by attempt',
    ])
    const { ancestors: further } = await query.causes({ event: (await one('agent.created', 1)).position })
    expect(further.map(({ event_type }) => event_type)).toEqual([
      'step.started',
      'agent.began',
      'agent.started',
      'agent.created',
    ])
  })

  test('and what an event led to are the same links from the other side', async () => {
    const step = all.find(
      ({ event_type, payload }) =>
        event_type === 'step.started' && (payload as { name: string }).name === 'remove',
    )
    const { descendants, descendant_count } = await query.causes({ event: step?.event_id ?? '' })
    expect(descendants.map(({ event_type, depth }) => `${depth} ${event_type}`)).toEqual([
      '1 tool.requested',
      '2 tool.judged',
      '3 step.failed',
    ])
    expect(descendant_count).toBe(3)
    for (const { event_id } of descendants) {
      const { ancestors } = await query.causes({ event: event_id })
      expect(ancestors.map((each) => each.event_id)).toContain(step?.event_id)
    }
  })

  test('by causation_id lead from a message that nobody took to the event that sent it', async () => {
    const dead = await one('runtime.dead_letter')
    expect((await query.causes({ event: dead.event_id })).ancestors).toMatchObject([
      { event_type: 'greet', link: 'causation' },
    ])
  })

  test('of an event that is not there are an error', async () => {
    await expect(query.causes({ event: 10_000 })).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
  })
})

describe('the timeline', () => {
  test('has who said what to whom, and what became of it', async () => {
    const messages = await listOf(query.timeline())
    const told = messages.map(({ from, to, type, fate }) => `${from.label} > ${to.label}: ${type} ${fate}`)
    expect(told).toEqual(
      expect.arrayContaining([
        'release-7 > lead: agent.created taken',
        'lead > janitor: handoff.received taken',
        'janitor > remove: tool.requested taken',
        'remove > janitor: tool.judged taken',
        'list > janitor: tool.succeeded taken',
        'lead > release-7: handoff.received taken',
        'outside > order-1: pay taken',
        'outside > order-1: ship refused',
        'order-2 > order-3: lost dead',
      ]),
    )
    expect(messages.map(({ position }) => position)).toEqual(
      messages.map(({ position }) => position).toSorted((a, b) => a - b),
    )
  })

  test('of an actor leaves out what does not concern it', async () => {
    const messages = await listOf(query.timeline({ within: 'order-2' }))
    expect(messages.map(({ type }) => type)).toEqual(['actor.created', 'greet', 'lost'])
  })

  test('is a sequence diagram with each participant once, and nothing that ends a line in it', async () => {
    const messages = await listOf(query.timeline())
    const lines = mermaidSequence(messages).trimEnd().split('\n')
    expect(lines[0]).toBe('sequenceDiagram')
    const participants = lines.filter((line) => / as /.test(line))
    expect(new Set(participants).size).toBe(participants.length)
    expect(lines.length).toBe(1 + participants.length + messages.length)
    const nasty = mermaidSequence([
      { ...(messages[0] as (typeof messages)[number]), note: 'a;b\n#c "quoted" <b>' },
    ])
    expect(nasty.trimEnd().split('\n').at(-1)).toMatch(
      /: agent\.created: a#59;b #35;c #34;quoted#34; #60;b#62;$|: session\.created/,
    )
  })
})

describe('decisions', () => {
  test('are listed with what each hook said, without secrets', async () => {
    const denied = await listOf(query.permissions({ verdict: 'denied' }))
    expect(denied).toMatchObject([
      {
        action: 'remove',
        agent_id: 'janitor',
        role: 'workagent',
        by: 'hook:destructive-ops',
        capabilities: ['execute:file:delete'],
        parameters: { path: 'dist', api_key: '[redacted]' },
      },
      { action: 'agent.started', agent_id: 'intruder', by: 'hook:doorman', alternatives: ['ask the host'] },
      { action: 'ship', who: 'order-1', by: 'guard:inStock', count: 1 },
      { action: 'ship', who: 'order-1', count: 2 },
    ])
    const files = await listOf(query.permissions({ action: 'execute:file' }))
    expect(files.map(({ action }) => action)).toEqual(['remove'])
    const lead = await listOf(query.permissions({ actor: runOf('lead') }))
    expect(lead.map(({ action }) => action)).toEqual(['agent.started', 'agent.started', 'remove', 'list'])
  })

  test('tell whether an agent may do something: no and why, yes, or that it never asked', async () => {
    expect(await query.explainPermission({ who: 'janitor', action: 'execute:file:delete' })).toMatchObject({
      answer: 'denied',
      denied_count: 1,
      last_denied: { by: 'hook:destructive-ops', reason: 'Destructive operations require human approval' },
    })
    expect(await query.explainPermission({ who: 'janitor', action: 'list' })).toMatchObject({
      answer: 'allowed',
    })
    expect(await query.explainPermission({ who: 'order-1', action: 'ship' })).toMatchObject({
      answer: 'denied',
      denied_count: 3,
    })
    expect(await query.explainPermission({ who: 'tester', action: 'remove' })).toMatchObject({
      answer: 'unknown',
      others: [{ agent_id: 'janitor', verdict: 'denied' }],
    })
  })
})

describe('costs', () => {
  test('add up the same however they are grouped', async () => {
    const total = { bookings: 3, tokens: 6350, cost_micro_usd: 44_500 }
    for (const by of ['session', 'tree', 'role', 'agent', 'day', 'what'] as const) {
      const spending = await query.billing({ by })
      expect(spending.total).toMatchObject(total)
      expect(spending.rows.reduce((sum, row) => sum + row.cost_micro_usd, 0)).toBe(44_500)
    }
    expect((await query.billing({ by: 'agent' })).rows).toMatchObject([
      { name: 'release-7', cost_micro_usd: 0 },
      { key: 'payer' },
      { key: 'migrator' },
      { key: 'tester', cost_micro_usd: 30_000 },
      { key: 'janitor', tokens: 1350 },
    ])
    expect((await query.billing({ by: 'tree' })).rows).toMatchObject([
      { name: 'release-7', cost_micro_usd: 44_500 },
    ])
    expect((await query.billing({ within: runOf('lead') })).total.cost_micro_usd).toBe(14_500)
    expect((await query.billing({ since: '2026-11-20T00:00:00Z' })).total.bookings).toBe(0)
    await expect(query.billing({ by: 'moon' as 'day' })).rejects.toMatchObject({ code: 'QUERY_INVALID' })
  })
})

describe('what is not done', () => {
  test('is found on disk and in the log: timers, calls in doubt, handoffs, parked runs, dead letters', async () => {
    expect(await query.pending()).toMatchObject({
      timers: [{ stream_id: 'order-2', due_at: '2026-11-22T09:00:09.000Z' }],
      tool_calls: [{ tool: 'charge', in_doubt: true }],
      handoffs: [{ type: 'supervisor_to_orchestrator', state: 'unclaimed' }],
      parked: [{ agent_id: 'payer' }, { agent_id: 'migrator' }],
      dead_letters: [{ from: 'order-2', to: 'order-3', reason: 'the actor has ended' }],
      mail: [],
    })
  })

  test('is for a person to see to where a leaf was given up', async () => {
    const fetcher = setup({
      actors: { fetchIt: fromPromise(async () => Promise.reject(new Error('no route'))) },
    }).createMachine({
      id: 'fetcher',
      initial: 'fetching',
      states: { fetching: { invoke: { id: 'it', src: 'fetchIt', onDone: 'done' } }, done: {} },
    })
    await using runtime = await createRuntime({
      machines: [withPolicies(fetcher, { actors: { fetchIt: { retries: { attempts: 2, delayMs: 1 } } } })],
      onError: () => {},
    })
    await runtime.spawn(fetcher, { id: 'f' })
    await expect.poll(async () => (await runtime.deadLetters()).length).toBe(1)
    expect(await runtime.query.actors()).toMatchObject([{ id: 'f', waits_for: 'a person, about fetchIt' }])
    expect((await runtime.query.pending()).effects).toMatchObject([{ name: 'fetchIt', phase: 'given_up' }])
  })

  test('is no handoff to one that has ended: nobody is left to take it', async () => {
    await using runtime = await createRuntime({})
    const { sessions } = runtime
    const lead = await sessions.start({ role: 'orchestrator' })
    const other = await sessions.start({ role: 'supervisor', parent_id: lead.id })
    const type = 'supervisor_to_orchestrator'
    await sessions.handOff({ from: other.id, to: lead.id }, { type, context: { work_completed: 'all' } })
    expect((await runtime.query.pending()).handoffs).toMatchObject([{ to: lead.id, state: 'unclaimed' }])
    await sessions.end(lead)
    expect((await runtime.query.pending()).handoffs).toEqual([])
  })

  test('is part of how the log is doing', async () => {
    const health = await query.health({ now: '2026-11-23T00:00:00Z', deep: true })
    expect(health).toMatchObject({
      ok: false,
      position: all.length,
      pending: { in_doubt: 1, parked: 2, dead_letters: 1, overdue_timers: 1 },
      integrity: { ok: true },
    })
    expect(health.findings.map(({ level }) => level)).toEqual(['problem', 'problem', 'problem', 'notice'])
    const { findings } = await blind.health({ now: '2026-11-20T00:00:00Z' })
    expect(findings.at(-1)).toMatchObject({
      level: 'notice',
      text: expect.stringContaining('1 machine') as string,
    })
  })

  test('is told with who waits for what', async () => {
    const open = await query.actors()
    expect(open.map(({ name, agent_id, id, state }) => [name ?? agent_id ?? id, state])).toEqual([
      ['release-7', 'paused'],
      ['payer', 'parked'],
      ['migrator', 'parked'],
      ['order-1', 'paid'],
      ['order-2', 'open'],
    ])
    expect(open[0]?.waits_for).toBe('to be resumed: waiting for a decision about dist')
    expect(open.at(-1)?.waits_for).toMatch(/^a timer, due 2026-11-22/)
    const everybody = await query.actors({ all: true })
    expect(everybody.find(({ id }) => id === 'order-3')).toMatchObject({ state: 'shipped', ended: true })
    expect((await query.actors({ state: 'failed' })).map(({ agent_id }) => agent_id)).toEqual([
      'tester',
      'intruder',
    ])
    expect(await query.actors({ agent: 'janitor', all: true })).toMatchObject([{ refusals: 1, tokens: 1350 }])
  })

  test('and what went wrong is listed with what explains it', async () => {
    const failures = await query.failures()
    expect(failures.map(({ kind, agent_id, who, what }) => `${kind} ${agent_id ?? who} ${what}`)).toEqual([
      'refused janitor remove',
      'failed tester null',
      'refused intruder agent.started',
      'failed intruder null',
      'refused order-1 ship',
      'dead_letter order-3 lost',
      'refused order-1 ship',
      'parked migrator null',
      'in_doubt payer charge',
      'parked payer null',
    ])
    for (const { explained_by } of failures) {
      expect(await query.why({ text: explained_by })).toHaveProperty('kind')
    }
    expect(await query.failures({ since: '2026-11-20T00:00:00Z' })).toHaveLength(3)
    expect(await query.failures({ within: runOf('lead') })).toHaveLength(1)
  })
})

describe('every question', () => {
  const questions = (asked: LogQuery, call: { signal?: AbortSignal }): Promise<unknown>[] => [
    asked.find({ text: 'release-7' }, call),
    asked.about({ stream_id: 'order-1' }, call),
    asked.actors({}, call),
    listOf(asked.events({}, call)),
    asked.state({ stream_id: 'order-1' }, call),
    listOf(asked.steps({ stream_id: 'order-1' }, call)),
    asked.diff({ stream_id: 'order-1' }, call),
    asked.blame({ stream_id: 'order-1' }, call),
    asked.causes({ event: 20 }, call),
    listOf(asked.timeline({}, call)),
    asked.why({ text: 'release-7' }, call),
    asked.failures({}, call),
    listOf(asked.permissions({}, call)),
    asked.explainPermission({ who: 'janitor', action: 'remove' }, call),
    asked.billing({}, call),
    asked.pending({}, call),
    asked.health({ now: '2026-11-20T00:00:00Z' }, call),
    asked.machines({}, call),
  ]

  test('is asked and answered in plain JSON', async () => {
    for (const answer of await Promise.all(questions(query, {}))) {
      expect(JSON.parse(JSON.stringify(answer))).toEqual(answer)
    }
  })

  test('changes nothing, in a store that could not be written', async () => {
    const frozen = new Proxy(store, {
      get(target, name) {
        if (/^(?:append|truncate|import|compact)/.test(String(name)))
          throw new Error(`${String(name)} was called`)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const before = await store.verify()
    await Promise.all(questions(createLogQuery(frozen, { machines: [orderMachine] }), {}))
    expect(await store.verify()).toEqual(before)
  })

  test('that reads the log can be given up', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    const outcomes = await Promise.allSettled(questions(query, { signal }))
    const through = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
    // What is answered from a stream's head alone has nothing to give up.
    expect(through).toEqual([1])
  })

  test('can be put to a runtime, which answers as the log alone does', async () => {
    await using runtime = await createRuntime({ machines: [orderMachine] })
    const order = await runtime.spawn(orderMachine, { id: 'o' })
    await order.send({ type: 'add', sku: 'lamp', count: 1 })
    const machines = [orderMachine]
    const outside = createLogQuery(runtime.store, { machines })
    expect(await runtime.query.state({ stream_id: 'o' })).toEqual(await outside.state({ stream_id: 'o' }))
    expect(await runtime.query.diff({ stream_id: 'o' })).toMatchObject({
      changes: [{ path: 'context.items[0]', after: { sku: 'lamp', count: 1 } }],
    })
  })
})

test('a machine of ours may be replaced by one of the same name, and two of one name are refused', () => {
  const twice = setup({}).createMachine({ id: 'order', version: '3' })
  expect(() => createLogQuery(store, { machines: [orderMachine, twice] })).toThrow(
    expect.objectContaining({ code: 'QUERY_MACHINE_INVALID' }),
  )
})
