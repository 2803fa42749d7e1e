/**
 * Stories of work that are told in a process that is killed, and told again by whoever opens the log next: whatever was on
 * disk is not done again, so each comes to the same end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  defineAgent,
  generateHandoff,
  loadHandoff,
  startBackgroundAgent,
  waitForBackgroundAgent,
  type Runtime,
  type RuntimeOptions,
} from '../../../src/index.ts'

export type Story = {
  readonly options: RuntimeOptions
  /** Begins it or takes it up; resolves with its end. */
  tell(this: void, runtime: Runtime): Promise<unknown>
}

const valueOf = async (runtime: Runtime, agent_id: string): Promise<unknown> => {
  const run = await runtime.agents.startById({ agent_id, run_id: `run_${agent_id}` })
  const { state, output } = await run.result({ timeoutMs: 30_000 })
  return { state, value: output.value ?? null }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited 30 s in vain')
    await sleep(2)
  }
}

const inbox: Story = {
  options: {
    agents: [
      defineAgent('part', (_ctx, input: string) => `done ${input}`),
      defineAgent({
        id: 'reader',
        role: 'supervisor',
        run: async (ctx) => {
          for (const input of ['north', 'south']) await startBackgroundAgent({ agent_id: 'part', input })
          const read: string[] = []
          while (read.length < 2) {
            const message = await ctx.inbox.receive({ timeoutMs: 30_000 })
            if (message === null) return 'nothing came'
            read.push(
              message.outcome.kind === 'succeeded' ? String(message.outcome.output) : message.outcome.kind,
            )
            await ctx.inbox.ack(message)
          }
          return read.toSorted((a, b) => a.localeCompare(b))
        },
      }),
    ],
  },
  tell: (runtime) => valueOf(runtime, 'reader'),
}

const handoff: Story = {
  options: {
    agents: [
      defineAgent('maker', async () => {
        const order = await loadHandoff('supervisor_to_workagent')
        await generateHandoff({ type: 'workagent_completion', context: { made: order['wanted'] } })
      }),
      defineAgent({
        id: 'buyer',
        role: 'supervisor',
        run: async () => {
          void startBackgroundAgent({ agent_id: 'maker' })
          await generateHandoff({ type: 'supervisor_to_workagent', context: { wanted: 'a chair' } })
          return (await loadHandoff('workagent_completion'))['made']
        },
      }),
    ],
  },
  tell: (runtime) => valueOf(runtime, 'buyer'),
}

const archive: Story = {
  options: { archiveAfterMs: 0 },
  async tell(runtime) {
    const { sessions } = runtime
    await sessions.start({ role: 'supervisor', session_id: 'sess_old', name: 'old' })
    if ((await sessions.get('sess_old')).status === 'active') await sessions.end('sess_old')
    await until(async () => (await sessions.get('sess_old')).status === 'archived')
    await runtime.filesSettled()
    return (await sessions.get('sess_old')).status
  },
}

const question: Story = {
  options: {
    approvalTtlMs: 60 * 24 * 60 * 60_000,
    agents: [
      defineAgent('asker', async (ctx) => {
        const { status, by } = await ctx.requestApproval({ question: 'Go on?' })
        return `${status} by ${by}`
      }),
    ],
  },
  async tell(runtime) {
    const end = valueOf(runtime, 'asker')
    const answered = (async () => {
      let over = false
      void end.finally(() => (over = true))
      await until(async () => over || (await runtime.approvals.list()).length > 0)
      for (const { approval_id } of await runtime.approvals.list())
        await runtime.approvals.approve(approval_id, { by: 'ann' })
    })()
    await answered
    return end
  },
}

const cancel: Story = {
  options: {
    agents: [
      defineAgent('digger', async (ctx) => {
        for (const row of ['a', 'b']) await ctx.partial(await ctx.step(row, () => row))
        await new Promise(() => {})
      }),
    ],
  },
  async tell(runtime) {
    const boss = await runtime.sessions.start({ role: 'supervisor', session_id: 'sess_boss' })
    const run = await runtime.agents.startById({
      agent_id: 'digger',
      run_id: 'run_digger',
      parent_id: boss.id,
    })
    const partial = async (): Promise<unknown> =>
      (await runtime.agents.result({ agent_id: 'run_digger' })).output.partial
    await until(async () => (await partial()) === 'b')
    await run.cancel('enough')
    await until(async () => (await boss.inbox.list()).length > 0)
    return (await boss.inbox.list()).map(({ outcome }) => outcome)
  },
}

const team: Story = {
  options: {
    agents: [
      defineAgent('work-*', async (ctx, n: number) => {
        const double = await ctx.step('double', () => 2 * n)
        await ctx.spend({ usd: 0.01, tokens: n })
        return ctx.step('add', () => double + 1)
      }),
      defineAgent({
        id: 'team',
        role: 'supervisor',
        run: async () => {
          const runs = [1, 2, 3, 4].map((n) => startBackgroundAgent({ agent_id: `work-${n}`, input: n }))
          const results = await Promise.all(
            runs.map((run) => waitForBackgroundAgent(run, { timeout: 30_000 })),
          )
          return results.map(({ output, billing }) => [output.value, billing.tokens_used])
        },
      }),
    ],
  },
  tell: (runtime) => valueOf(runtime, 'team'),
}

export const STORIES: Readonly<Record<string, Story>> = { inbox, handoff, archive, question, cancel, team }
