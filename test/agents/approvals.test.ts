/** A person decides: the call waits without being in the way, the grant is for that call alone, and a no stays a no. */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import fc from 'fast-check'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { callFingerprint, digestOf } from '../../src/permissions/fingerprint.ts'
import {
  createRuntime,
  dataProtectionHook,
  defineAgent,
  defineTool,
  destructiveOperationHook,
  costControlHook,
  type PermissionHook,
  type Runtime,
  type RuntimeOptions,
} from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { dieAfter } from './dying-store.ts'
import { allEvents, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

const asks: PermissionHook = {
  triggers: ['execute:write'],
  validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann', alternatives: ['wait'] }),
}
const reasonOf = (error: unknown): unknown => (error as { reason?: string }).reason

/** A tool that needs a person, an agent that calls it with its input, and what ran. */
function world(ran: unknown[] = []): RuntimeOptions & { readonly ran: unknown[] } {
  const write = defineTool({
    name: 'write',
    capabilities: ['execute:write'],
    input: z.object({ text: z.string() }),
    estimate: () => 0,
    inDoubt: 'retry',
    execute: ({ text }) => {
      ran.push(text)
      return `wrote ${text}`
    },
  })
  const writer = defineAgent('writer', async (ctx, input: readonly string[] | null) =>
    Promise.all((input ?? ['a']).map(async (text) => ctx.tool(write, { text }).catch(reasonOf))),
  )
  const idle = defineAgent('idle', () => 'idle')
  return { ran, agents: [writer, idle], tools: [write], hooks: { asks } }
}

const pending = async (runtime: Runtime, count = 1): Promise<string[]> => {
  await until(async () => (await runtime.approvals.list()).length >= count, 'a request')
  return (await runtime.approvals.list()).map((approval) => approval.approval_id)
}

describe('a call that a hook leaves to a person', () => {
  test('waits without a place at work, runs once it is granted, and says on the record who allowed it (O-151, O-165)', async () => {
    const { ran, ...options } = world()
    const runtime = await project.open({ ...options, maxConcurrent: 1 })
    const run = await runtime.agents.startById({ agent_id: 'writer' })
    const [id = ''] = await pending(runtime)
    expect(await runtime.agents.result({ agent_id: run.run_id })).toMatchObject({
      state: 'awaiting_approval',
      status: 'running',
    })
    // The only place is free meanwhile (rule 9: a wait for a person is in nobody's way).
    const other = await runtime.agents.startById({ agent_id: 'idle' })
    expect((await other.result()).output.value).toBe('idle')
    expect(await runtime.approvals.get(id)).toMatchObject({
      subject: 'tool',
      tool: 'write',
      parameters: { text: 'a' },
      run_id: run.run_id,
      agent_role: 'workagent',
      asked_by: 'asks',
      reason: 'ask ann',
      alternatives: ['wait'],
      status: 'requested',
    })
    expect(ran).toEqual([])

    expect(await runtime.approvals.approve(id, { by: 'ann', note: 'go' })).toMatchObject({
      decided_by: 'ann',
    })
    expect((await run.result()).output.value).toEqual(['wrote a'])
    expect(ran).toEqual(['a'])
    expect(await runtime.approvals.get(id)).toMatchObject({
      status: 'consumed',
      decided_by: 'ann',
      note: 'go',
    })
    const types = (await allEvents(runtime)).map((event) => event.event_type)
    const ours = types.filter((type) => type.startsWith('tool.') || type.startsWith('approval.'))
    expect(ours).toEqual([
      'tool.requested',
      'tool.judged',
      'approval.requested',
      'approval.granted',
      'approval.reserved',
      'tool.approved',
      'tool.started',
      'tool.succeeded',
      'approval.consumed',
    ])
  })

  test('that is denied never runs, and the handler hears why', async () => {
    const { ran, ...options } = world()
    const told: unknown[] = []
    const hooks = { asks: { ...asks, onFailure: ({ phase }: { phase: string }) => void told.push(phase) } }
    const runtime = await project.open({ ...options, hooks })
    const run = await runtime.agents.startById({ agent_id: 'writer' })
    const [id = ''] = await pending(runtime)
    await runtime.approvals.deny(id, { by: 'ann', reason: 'too risky' })
    expect((await run.result()).output.value).toEqual(['denied by ann: too risky'])
    expect([ran, told]).toEqual([[], ['denied']])
    await runtime.close()
    const again = await project.open({ ...options, hooks })
    await expect(again.approvals.approve(id, { by: 'ann' })).rejects.toMatchObject({
      code: 'APPROVAL_DECIDED',
    })
    expect(ran).toEqual([])
  })

  test('can be decided in another process of time: the request outlives the runtime', async () => {
    const ran: unknown[] = []
    const { ran: _, ...options } = world(ran)
    const first = await project.open(options)
    const run = await first.agents.startById({ agent_id: 'writer' })
    const [id = ''] = await pending(first)
    await first.close()
    // Decided while no agent code is there at all.
    const desk = await project.open({ hooks: { asks } })
    await desk.approvals.approve(id, { by: 'ann' })
    await desk.close()
    const second = await project.open(options)
    if ((await second.sessions.get(run.run_id)).status === 'paused') await second.sessions.resume(run.run_id)
    expect((await second.agents.wait(run.run_id, { timeout: 10_000 })).output.value).toEqual(['wrote a'])
    expect(ran).toEqual(['a'])
  })

  test('blocks neither a pause nor a cancel; a request of a run that ended is withdrawn', async () => {
    const { ran, ...options } = world()
    const runtime = await project.open(options)
    const run = await runtime.agents.startById({ agent_id: 'writer' })
    const [id = ''] = await pending(runtime)
    await runtime.sessions.pause(run.run_id)
    // It stays open while the run is paused, and is good for the same call when it goes on.
    await runtime.approvals.approve(id, { by: 'ann' })
    expect(ran).toEqual([])
    await runtime.sessions.resume(run.run_id)
    expect((await run.result()).output.value).toEqual(['wrote a'])

    const cancelled = await runtime.agents.startById({ agent_id: 'writer' })
    const [other = ''] = await pending(runtime)
    await cancelled.cancel()
    await until(async () => (await runtime.approvals.get(other)).status === 'withdrawn')
    await expect(runtime.approvals.approve(other, { by: 'ann' })).rejects.toMatchObject({
      code: 'APPROVAL_EXPIRED',
      details: { status: 'withdrawn' },
    })
    expect(ran).toEqual(['a'])
  })

  test('two at once are decided in any order, each for itself', async () => {
    const { ran, ...options } = world()
    const runtime = await project.open(options)
    const run = await runtime.agents.startById({ agent_id: 'writer', input: ['a', 'b'] })
    await pending(runtime, 2)
    const [a, b] = (await runtime.approvals.list()).toSorted((x, y) =>
      JSON.stringify(x.parameters) < JSON.stringify(y.parameters) ? -1 : 1,
    )
    await runtime.approvals.approve(b?.approval_id ?? '', { by: 'ann' })
    await until(() => ran.length === 1)
    await runtime.approvals.deny(a?.approval_id ?? '', { by: 'bob', reason: 'no' })
    expect((await run.result()).output.value).toEqual(['denied by bob: no', 'wrote b'])
    expect(ran).toEqual(['b'])
  })

  test('a later hook that denies outright leaves nothing to a person', async () => {
    const { ran, ...options } = world()
    const wall: PermissionHook = { triggers: ['*'], validate: () => ({ allowed: false, reason: 'wall' }) }
    const only = { triggers: ['execute:write'], validate: wall.validate }
    const runtime = await project.open({ ...options, hooks: { asks, wall: only } })
    const run = await runtime.agents.startById({ agent_id: 'writer' })
    expect((await run.result()).output.value).toEqual(['wall'])
    expect([await runtime.approvals.list({ status: 'all' }), ran]).toEqual([[], []])
  })
})

describe('an id that does not fit', () => {
  test('is refused as what it is: unknown, decided, expired, for another call', async () => {
    const { ran, ...options } = world()
    const runtime = await createTestRuntime({ ...options, approvalTtlMs: 60_000 })
    const run = await runtime.agents.startById({ agent_id: 'writer', input: ['a', 'b'] })
    const [a = '', b = ''] = await pending(runtime, 2)
    const code = (code: string): unknown => expect.objectContaining({ code })
    await expect(runtime.approvals.approve('appr_x', { by: 'ann' })).rejects.toEqual(code('APPROVAL_UNKNOWN'))
    await expect(runtime.approvals.deny(run.run_id, { by: 'ann' })).rejects.toEqual(code('APPROVAL_UNKNOWN'))
    await expect(runtime.approvals.get('')).rejects.toEqual(code('APPROVAL_UNKNOWN'))
    const { call_id, fingerprint } = await runtime.approvals.get(b)
    for (const shown of [{ call_id }, { fingerprint }]) {
      await expect(runtime.approvals.approve(a, { by: 'ann', ...shown })).rejects.toEqual(
        code('APPROVAL_MISMATCH'),
      )
    }
    await runtime.approvals.approve(a, { by: 'ann' })
    await expect(runtime.approvals.deny(a, { by: 'bob' })).rejects.toEqual(code('APPROVAL_DECIDED'))
    await runtime.clock.advance(60_001)
    await expect(runtime.approvals.approve(b, { by: 'ann', call_id })).rejects.toEqual(
      code('APPROVAL_EXPIRED'),
    )
    expect((await run.result()).output.value).toEqual(['wrote a', 'the approval is expired: its time was up'])
    expect(ran).toEqual(['a'])
    await runtime.close()
  })

  test.each([{}, { by: '' }, { by: '  ' }, { by: 'ann', usd: -1 }, { by: 'ann', tokens: 0.5 }])(
    'a decision %o is refused at the door',
    async (decision) => {
      const { ran: _, ...options } = world()
      const runtime = await project.open(options)
      await runtime.agents.startById({ agent_id: 'writer' })
      const [id = ''] = await pending(runtime)
      const position = runtime.store.position()
      await expect(runtime.approvals.approve(id, decision as never)).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
      expect(runtime.store.position()).toBe(position)
    },
  )

  test('of two who decide at the same moment one is told that the other was first', async () => {
    const { ran, ...options } = world()
    const runtime = await project.open(options)
    const run = await runtime.agents.startById({ agent_id: 'writer' })
    const [id = ''] = await pending(runtime)
    const both = await Promise.allSettled([
      runtime.approvals.approve(id, { by: 'ann' }),
      runtime.approvals.approve(id, { by: 'bob' }),
    ])
    expect(both.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect((await run.result()).output.value).toEqual(['wrote a'])
    expect(ran).toEqual(['a'])
  })
})

test('granting is gated itself: a hook may say who may grant, and denying is never blocked', async () => {
  const { ran, ...options } = world()
  const four: PermissionHook = {
    triggers: ['approval:grant'],
    validate: ({ parameters }) => ({ allowed: parameters['by'] !== 'intern', reason: 'not an intern' }),
  }
  const broken: PermissionHook = {
    triggers: ['approval'],
    validate: ({ parameters }) => {
      if (parameters['by'] === 'bob') throw new Error('broken')
      return { allowed: true }
    },
  }
  const runtime = await project.open({ ...options, hooks: { asks, four, broken } })
  const run = await runtime.agents.startById({ agent_id: 'writer' })
  const [id = ''] = await pending(runtime)
  await expect(runtime.approvals.approve(id, { by: 'intern' })).rejects.toMatchObject({
    code: 'PM_DENIED',
    reason: 'not an intern',
  })
  await expect(runtime.approvals.approve(id, { by: 'bob' })).rejects.toMatchObject({ code: 'PM_DENIED' })
  await runtime.approvals.deny(id, { by: 'bob', reason: 'no' })
  expect((await run.result()).output.value).toEqual(['denied by bob: no'])
  expect(ran).toEqual([])
})

test('a grant that was reserved by a call that never began is there for the same call of the same session', async () => {
  const { ran, ...options } = world()
  const runtime = await project.open(options)
  const session = await runtime.sessions.start({ role: 'supervisor' })
  const start = async (text: string) =>
    runtime.agents.startById({ agent_id: 'writer', session_id: session.id, input: [text] })
  const first = await start('a')
  const [id = ''] = await pending(runtime)
  await runtime.sessions.pause(first.run_id)
  await runtime.approvals.approve(id, { by: 'ann' })
  await first.cancel()
  // Another text, or another session, is another fingerprint.
  const other = await start('b')
  await pending(runtime)
  await other.cancel()
  expect(ran).toEqual([])
  await runtime.sessions.resume(session.id).catch(() => {})
  const again = await start('a')
  expect((await again.result({ timeoutMs: 10_000 })).output.value).toEqual(['wrote a'])
  expect(await runtime.approvals.get(id)).toMatchObject({ status: 'consumed', released: 0 })
  const third = await start('a')
  await pending(runtime)
  await third.cancel()
  expect(ran).toEqual(['a'])
})

test.each([
  [
    'cost-control',
    costControlHook({ approval: true }),
    'Operation costs $7.00, exceeds $5.00 limit for workagent',
  ],
  [
    'destructive-ops',
    destructiveOperationHook({ approval: true }),
    'Destructive operations require human approval',
  ],
  [
    'data-protection',
    dataProtectionHook({ approval: true }),
    'Destructive operations require human approval',
  ],
])('the built-in %s asks a person instead of denying (O-148, O-151)', async (name, hook, reason) => {
  const drop = defineTool({
    name: 'drop',
    capabilities: ['execute:database:delete', 'execute:compute'],
    input: z.object({}),
    estimate: () => 7,
    inDoubt: 'ask',
    execute: () => 'dropped',
  })
  const runtime = await project.open({
    agents: [defineAgent('dropper', (ctx) => ctx.tool(drop, {}))],
    hooks: { [name]: hook },
  })
  const run = await runtime.agents.startById({ agent_id: 'dropper' })
  const [id = ''] = await pending(runtime)
  expect(await runtime.approvals.get(id)).toMatchObject({ asked_by: name, reason, estimated_cost: 7 })
  await runtime.approvals.approve(id, { by: 'ann' })
  expect((await run.result()).output.value).toBe('dropped')
})

test('a call in doubt keeps its grant until a person has found out', async () => {
  const build = (ran: string[]): RuntimeOptions => {
    const pay = defineTool({
      name: 'pay',
      capabilities: ['execute:write'],
      input: z.object({}),
      estimate: () => 0,
      inDoubt: 'ask',
      execute: () => {
        ran.push('paid')
        return 'paid'
      },
    })
    return { agents: [defineAgent('payer', (ctx) => ctx.tool(pay, {}))], hooks: { asks } }
  }
  const disk = await openLevelEventStore({ path: join(project.path(), 'log') })
  const before: string[] = []
  const probe = await createTestRuntime(build(before))
  await probe.agents.startById({ agent_id: 'payer', run_id: 'run_1' })
  await probe.approvals.approve((await pending(probe))[0] ?? '', { by: 'ann' })
  await until(async () => (await allEvents(probe)).some((event) => event.event_type === 'tool.succeeded'))
  const started = (await allEvents(probe)).find((event) => event.event_type === 'tool.started')?.position ?? 0
  await probe.close()
  const { store, dead } = dieAfter(disk, started)
  void createRuntime({ store, ...build([]), onError: () => {} }).then(async (runtime) => {
    await runtime.agents.startById({ agent_id: 'payer', run_id: 'run_1' })
    await runtime.approvals.approve((await pending(runtime))[0] ?? '', { by: 'ann' })
  })
  await dead
  await disk.close()
  const ran: string[] = []
  const runtime = await project.open(build(ran))
  await until(() => runtime.parked.length > 0)
  expect(runtime.parked).toMatchObject([{ code: 'TOOL_IN_DOUBT' }])
  const [approval] = await runtime.approvals.list({ status: 'in_doubt' })
  await runtime.agents.settleCall(approval?.call_id ?? '', { happened: false, by: 'ann' })
  await runtime.sessions.resume('run_1')
  expect((await runtime.agents.wait('run_1', { timeout: 10_000 })).output.value).toBe('paid')
  expect(ran).toEqual(['paid'])
  expect(await runtime.approvals.get(approval?.approval_id ?? '')).toMatchObject({ status: 'consumed' })
})

describe('a fingerprint', () => {
  const shuffled = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(shuffled)
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([key, item]) => [key, shuffled(item)]),
    )
  }

  test('does not know the order of keys, and knows everything else (X-9)', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(digestOf(shuffled(a))).toBe(digestOf(a))
        const same = digestOf(a) === digestOf(b)
        const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown
        expect(same).toBe(isDeepStrictEqual(asJson(a), asJson(b)))
      }),
      { numRuns: 300 },
    )
  })

  test('tells tools, parameters and sessions apart', () => {
    const call = { tool: 't', parameters: { a: [1, { b: 2 }] }, session_id: 's' }
    const others = [
      { ...call, tool: 'u' },
      { ...call, parameters: { a: [1, { b: 3 }] } },
      { ...call, parameters: { a: [{ b: 2 }, 1] } },
      { ...call, parameters: [['a', [1, { b: 2 }]]] },
      { ...call, session_id: 'r' },
      { tool: 't', parameters: null, session_id: 's' },
    ]
    expect(new Set([call, ...others].map(callFingerprint)).size).toBe(others.length + 1)
  })
})
