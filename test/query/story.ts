/**
 * A log in which something of everything has happened, made by a script whose clock and ids are its own.
 *
 * `test/histories/story.ndjson` is what it made once: the golden outputs are about that. `UPDATE_STORY=1` with
 * test/query/story.test.ts makes it anew.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assign, sendTo, setup, type AnyActorRef } from 'xstate'
import { z } from 'zod'
import {
  createMemoryEventStore,
  exportLog,
  importLog,
  openLevelEventStore,
  type EventStore,
  type RecordedEvent,
} from '../../eventstore/index.ts'
import {
  createRuntime,
  defineAgent,
  defineTool,
  destructiveOperationHook,
  generateHandoff,
  loadHandoff,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type PermissionHook,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { createTestClock, type TestClock } from '../../src/testing/test-clock.ts'

export const STORY = join(import.meta.dirname, '../histories/story.ndjson')

/** What the story's machine needs to be replayed: also as text, for `--machines`. */
export const orderMachine = setup({
  types: {
    context: {} as {
      items: { sku: string; count: number }[]
      paid: number
      api_key: string
      parcel: AnyActorRef | null
    },
    events: {} as
      | { type: 'add'; sku: string; count: number }
      | { type: 'pay'; amount: number }
      | { type: 'ship' }
      | { type: 'greet'; whom: AnyActorRef }
      | { type: 'lost' },
  },
  guards: { inStock: ({ context }) => context.items.every(({ count }) => count < 10) },
  actions: {
    addItem: assign({
      items: ({ context, event }) =>
        event.type === 'add' ? [...context.items, { sku: event.sku, count: event.count }] : context.items,
    }),
    notePayment: assign({ paid: ({ event }) => (event.type === 'pay' ? event.amount : 0) }),
    greetThem: sendTo(({ event }) => (event as { whom: AnyActorRef }).whom, { type: 'lost' }),
  },
  delays: { untilForgotten: 3 * 24 * 60 * 60 * 1000 },
}).createMachine({
  id: 'order',
  version: '3',
  context: { items: [], paid: 0, api_key: 'sk-not-for-everybody-0001', parcel: null },
  initial: 'open',
  on: { greet: { actions: 'greetThem' } },
  states: {
    open: {
      on: { add: { actions: 'addItem' }, pay: { target: 'paid', actions: 'notePayment' } },
      after: { untilForgotten: 'forgotten' },
    },
    paid: { on: { ship: { guard: 'inStock', target: 'shipped' } } },
    shipped: { type: 'final' },
    forgotten: { type: 'final' },
  },
})

const removeTool = defineTool({
  name: 'remove',
  capabilities: ['execute:file:delete'],
  input: z.object({ path: z.string(), api_key: z.string() }),
  estimate: () => 0,
  inDoubt: 'ask',
  execute: () => 'gone',
})

const listTool = defineTool({
  name: 'list',
  capabilities: ['read:file'],
  input: z.object({ path: z.string() }),
  inDoubt: 'retry',
  execute: () => ['a', 'b'],
})

const chargeTool = (charging: { begun: () => void }) =>
  defineTool({
    name: 'charge',
    capabilities: ['execute:payment:charge'],
    input: z.object({ amount: z.number() }),
    estimate: () => 0.5,
    inDoubt: 'ask',
    execute: (_input, { signal }) => {
      charging.begun()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('the process went away')))
      })
    },
  })

const janitor = defineAgent('janitor', async (ctx) => {
  await loadHandoff('supervisor_to_workagent')
  ctx.log('took over from the lead')
  await ctx.progress({ phase: 'looking', percent: 10 })
  await ctx.step('look', () => ({ leftovers: ['dist', 'tmp'] }))
  await ctx.spend({ usd: 0.0125, tokens: 1200, what: 'plan' })
  try {
    await ctx.tool(removeTool, { path: 'dist', api_key: 'hunter2' })
  } catch {
    ctx.log('not allowed to remove dist; listing it instead')
  }
  const files = await ctx.tool(listTool, { path: 'dist' })
  await ctx.spend({ usd: 0.002, tokens: 150, what: 'report' })
  return { files }
})

const tester = defineAgent('tester', async (ctx) => {
  await ctx.spend({ usd: 0.03, tokens: 5000, what: 'plan' })
  await ctx.step('unit', () => {
    throw new Error('2 of 40 tests failed: \u001B[31mred')
  })
})

const lead = defineAgent({
  id: 'lead',
  role: 'supervisor',
  run: async () => {
    const run = await startBackgroundAgent({
      agent_id: 'janitor',
      task_description: 'remove what is left over',
    })
    await generateHandoff({ type: 'supervisor_to_workagent', context: { work: 'remove dist and tmp' } })
    const { status } = await waitForBackgroundAgent(run)
    await generateHandoff({
      type: 'supervisor_to_orchestrator',
      context: { work_completed: `the janitor ${status}`, next_steps: 'decide about dist' },
    })
    return status
  },
})

const intruder = defineAgent('intruder', () => 'never')
const migrator = defineAgent('migrator', (ctx) => waitForEnd(ctx.signal))

function waitForEnd(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the process went away')))
  })
}

const doorman: PermissionHook = {
  triggers: ['agent:start'],
  validate: ({ agent_id }) =>
    agent_id === 'intruder'
      ? { allowed: false, reason: 'not on the list', alternatives: ['ask the host'] }
      : { allowed: true },
}

function counting(): (prefix: string) => string {
  let count = 0
  return (prefix) => `${prefix}_00000000-0000-7000-8000-${hex((count += 1))}`
}

function hex(count: number): string {
  return count.toString(16).padStart(12, '0')
}

/** The same log with its events' ids, which are the store's and the engine's own, numbered as they appear. */
async function renumbered(store: EventStore): Promise<EventStore> {
  const ids = new Map<string, string>()
  const number = (text: string): string =>
    text.replaceAll(/(?<![_0-9a-f-])(?!0{8}-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
      const known = ids.get(id) ?? `00000000-0000-7000-9000-${hex(ids.size + 1)}`
      ids.set(id, known)
      return known
    })
  const same = createMemoryEventStore()
  for await (const event of store.readAll()) {
    const {
      stream_id,
      version: _v,
      position: _p,
      hash: _h,
      ...draft
    } = JSON.parse(number(JSON.stringify(event))) as RecordedEvent
    await same.append(stream_id, [draft], { outcome: true })
  }
  const entries = []
  for await (const { key, value } of store.entries('')) {
    entries.push({ key: number(key), value: JSON.parse(number(JSON.stringify(value))) as unknown })
  }
  await same.appendBatch({ appends: [], entries })
  return same
}

/** Makes the log; its lines as `exportLog` writes them, entries included. */
export async function tellStory(): Promise<string> {
  const clock = createTestClock('2026-11-19T09:00:00.000Z')
  const newId = counting()
  const store = createMemoryEventStore({ clock: () => clock.now() })
  let begun: () => void = () => {}
  const charging = new Promise<void>((resolve) => (begun = resolve))
  const charge = chargeTool({ begun: () => begun() })
  const payer = defineAgent('payer', (ctx) => ctx.tool(charge, { amount: 12 }))
  const options: RuntimeOptions = {
    store: keptOpen(store),
    clock,
    newId,
    project: 'shop',
    machines: [orderMachine],
    tools: [removeTool, listTool, charge],
    hooks: { 'destructive-ops': destructiveOperationHook(), doorman },
    logger: silent,
    onError: () => {},
  }
  const agents = [lead, janitor, tester, intruder, payer]
  const runtime = await createRuntime({ ...options, agents: [...agents, migrator] })
  await firstDay(runtime, clock, charging)
  await runtime.close()

  await clock.advance(3_600_000)
  // The next process has no code for one of the agents, and does not know whether the charge happened.
  const next = await createRuntime({ ...options, agents })
  await until(() => next.parked.length === 2, 'two runs are parked')
  await next.sessions.pause(await root(next), { reason: 'waiting for a decision about dist' })
  await next.close()

  const same = await renumbered(store)
  let text = ''
  for await (const piece of exportLog(same, { entries: true })) text += piece
  await store.close()
  await same.close()
  return text
}

async function root(runtime: Runtime): Promise<string> {
  const session = await runtime.sessions.byName('release-7')
  return session?.id ?? ''
}

async function firstDay(runtime: Runtime, clock: TestClock, charging: Promise<void>): Promise<void> {
  const { sessions, agents } = runtime
  const tick = (): Promise<void> => clock.advance(1500)
  const { id: release } = await sessions.start({
    role: 'orchestrator',
    name: 'release-7',
    tags: ['area:shop'],
  })
  await tick()
  const run = async (agent_id: string, task_description: string): Promise<void> => {
    const { run_id } = await agents.startById({ agent_id, task_description, parent_id: release })
    await agents.wait(run_id, { timeout: 60_000 })
    await tick()
  }
  await run('lead', 'clean up before the release')
  await run('tester', 'run the tests')
  await run('intruder', '')

  const order = await runtime.spawn(orderMachine, { id: 'order-1' })
  await order.send({ type: 'add', sku: 'lamp', count: 2 })
  await tick()
  await order.send({ type: 'add', sku: 'bulb', count: 12 })
  await order.send({ type: 'pay', amount: 61 })
  for (let times = 0; times < 3; times += 1) await order.send({ type: 'ship' })
  await tick()
  const forgotten = await runtime.spawn(orderMachine, { id: 'order-2' })
  const shipped = await runtime.spawn(orderMachine, { id: 'order-3' })
  await shipped.send({ type: 'pay', amount: 5 })
  await shipped.send({ type: 'ship' })
  await tick()
  await forgotten.send({ type: 'greet', whom: shipped as unknown as AnyActorRef })
  await until(async () => (await runtime.deadLetters()).length === 1, 'a dead letter')

  // 14 hours later, on the next day.
  await clock.advance(14 * 3_600_000)
  const { run_id: payment } = await agents.startById({ agent_id: 'payer', parent_id: release })
  await charging
  await tick()
  await agents.startById({ agent_id: 'migrator', task_description: 'move the tables', parent_id: release })
  await until(
    async () => (await agents.list({ status_filter: 'running' })).length === 2,
    `${payment} is at work`,
  )
  await tick()
}

/** Says nothing of what the story is full of. */
export const silent: NonNullable<RuntimeOptions['logger']> = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isLevelEnabled: () => false,
}

/** Closing a runtime closes its store; this one is opened again. */
function keptOpen(store: EventStore): EventStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close' || name === Symbol.asyncDispose) return async () => {}
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Puts the checked-in story into the log of a project folder. */
export async function storyProject(path: string): Promise<void> {
  const text = await readFile(STORY, 'utf8')
  await using store = await openLevelEventStore({ path: join(path, 'log') })
  await importLog(store, pieces(text))
}

/** The checked-in story in a store in memory. */
export async function storyStore(): Promise<EventStore> {
  const store = createMemoryEventStore()
  await importLog(store, pieces(await readFile(STORY, 'utf8')))
  return store
}

async function* pieces(text: string): AsyncGenerator<string> {
  yield text
}
