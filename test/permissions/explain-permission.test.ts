/** "May it, and why not?": every hook's word, in order, without anything being done, recorded or told. */
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  costControlHook,
  defineAgent,
  defineTool,
  explainPermission,
  securityAuditHook,
  type PermissionExplanation,
  type PermissionHook,
} from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'

let runtime: TestRuntime
afterEach(() => runtime.close())

let ran = 0
const drop = defineTool({
  name: 'drop-table',
  capabilities: ['execute:database:delete', 'execute:compute'],
  input: z.object({ rows: z.number() }),
  estimate: ({ rows }) => rows,
  inDoubt: 'ask',
  execute: () => (ran += 1),
})
const wall: PermissionHook = {
  triggers: ['execute:database'],
  validate: () => ({ allowed: false, reason: 'not here', alternatives: ['elsewhere'] }),
}
const position = async (): Promise<number> => runtime.store.position()

describe('explainPermission (O-003)', () => {
  test('gives the decision, and the word of every hook, also behind the first denial', async () => {
    runtime = await createTestRuntime({
      tools: [drop],
      hooks: { wall, 'cost-control': costControlHook() },
    })
    const before = await position()
    const answer = await runtime.explainPermission({ tool_name: 'drop-table', parameters: { rows: 6 } })
    expect(answer).toEqual({
      decision: 'denied',
      allowed: false,
      by: 'wall',
      reason: 'not here',
      alternatives: ['elsewhere'],
      hooks: [
        {
          hook: 'wall',
          allowed: false,
          reason: 'not here',
          alternatives: ['elsewhere'],
          triggers: ['execute:database'],
          duration_ms: 0,
        },
        {
          hook: 'cost-control',
          allowed: false,
          reason: 'Operation costs $6.00, exceeds $5.00 limit for workagent',
          alternatives: [
            'Split operation into smaller subtasks',
            'Request approval via escalation',
            'Optimize parameters to reduce cost',
          ],
          triggers: ['execute:api', 'execute:compute'],
          duration_ms: 0,
        },
      ],
      reasons: [
        '"wall" denies it: not here.',
        '"cost-control" denies it: Operation costs $6.00, exceeds $5.00 limit for workagent.',
      ],
    })
    expect([await position(), ran]).toEqual([before, 0])
  })

  test('asks on behalf of a session: its role decides', async () => {
    runtime = await createTestRuntime({ tools: [drop], hooks: { 'cost-control': costControlHook() } })
    const session = await runtime.sessions.start({ role: 'supervisor' })
    const ask = (session_id?: string): Promise<PermissionExplanation> =>
      runtime.explainPermission({
        tool_name: 'drop-table',
        parameters: { rows: 6 },
        ...(session_id !== undefined && { session_id }),
      })
    expect((await ask(session.id)).decision).toBe('allowed')
    expect((await ask()).decision).toBe('denied')
    await expect(ask('sess_x')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  })

  test('tells each hook that it is only a question; the audit hook and onFailure stay silent', async () => {
    const seen: boolean[] = []
    const told: unknown[] = []
    runtime = await createTestRuntime({
      hooks: {
        ear: {
          triggers: ['*'],
          validate: ({ dry_run }) => {
            seen.push(dry_run)
            return { allowed: false, requires_approval: true, reason: 'ask the owner' }
          },
          onFailure: (context) => void told.push(context),
        },
        audit: securityAuditHook({ record: (entry) => void told.push(entry) }),
      },
    })
    const answer = await runtime.explainPermission({ tool_name: 'execute:file:write' })
    expect(answer).toMatchObject({
      decision: 'needs_approval',
      by: 'ear',
      reasons: ['"ear" leaves it to a person: ask the owner.', '"audit" allows it.'],
    })
    expect([seen, told]).toEqual([[true], []])
  })

  test('asks the listeners of beforeToolExecute about tools, and not about the lifecycle', async () => {
    runtime = await createTestRuntime()
    runtime.agents.on('beforeToolExecute', () => {
      throw new Error('closed')
    })
    const decisionOf = async (tool_name: string): Promise<string> =>
      (await runtime.explainPermission({ tool_name })).decision
    expect([await decisionOf('execute:x'), await decisionOf('session:pause')]).toEqual(['denied', 'allowed'])
  })

  test('in a handler it speaks for the run, and leaves no step behind', async () => {
    const asker = defineAgent({
      id: 'asker',
      role: 'supervisor',
      run: async () =>
        (await explainPermission({ tool_name: 'drop-table', parameters: { rows: 9 } })).decision,
    })
    runtime = await createTestRuntime({
      agents: [asker],
      tools: [drop],
      hooks: {
        'for-asker': {
          triggers: ['execute:database'],
          validate: ({ agent_id, agent_role }) => ({
            allowed: agent_id === 'asker' && agent_role === 'supervisor',
          }),
        },
      },
    })
    const run = await runtime.agents.start(asker, { input: undefined })
    expect((await run.result()).output.value).toBe('allowed')
    const types: string[] = []
    for await (const event of runtime.store.readStream(run.run_id)) types.push(event.event_type)
    expect(types).not.toContain('step.started')
  })

  test.each([
    [{ tool_name: '' }, 'INPUT_INVALID'],
    [{ tool_name: 'execute:*' }, 'PM_INVALID_CAPABILITY'],
    [{ tool_name: 'x', capabilities: ['a b'] }, 'PM_INVALID_CAPABILITY'],
    [{ tool_name: 'x', estimated_cost: -1 }, 'INPUT_INVALID'],
    [{ tool_name: 'x', parameters: { f: Number.NaN } }, 'PM_INVALID_PARAMETERS'],
  ])('refuses %o with %s', async (question, code) => {
    runtime = await createTestRuntime()
    await expect(runtime.explainPermission(question)).rejects.toMatchObject({ code })
  })

  test('belongs to a scope when it is called without one', async () => {
    runtime = await createTestRuntime()
    await expect(explainPermission({ tool_name: 'x' })).rejects.toMatchObject({ code: 'NO_AMBIENT_SESSION' })
    expect(await runtime.run(() => explainPermission({ tool_name: 'x' }))).toMatchObject({
      decision: 'allowed',
      reasons: ['No hook watches "x", so it is allowed.'],
    })
  })
})
