/** Makes what a handler holds during one attempt: each of its durable calls goes through the journal. */
import { copyAsJson } from '../../eventstore/payload.ts'
import { countOf, microUsdOf } from '../billing/micro-usd.ts'
import { isoTime } from '../runtime/clock.ts'
import { inboxOf } from '../sessions/inbox.ts'
import { inPassing } from '../sessions/scope.ts'
import { askPerson, checkedQuestion } from './approval-question.ts'
import type { Attempt } from './attempt.ts'
import { runCommandStep } from './command-step.ts'
import type { HandlerContext } from './handler-context.ts'
import { interrupted } from './journal-errors.ts'
import { watchData } from './loop-guard.ts'
import { callTool, type ToolCaller } from './tool-call.ts'

export function handlerContext(attempt: Attempt): HandlerContext {
  const { host, context, journal, logs, heartbeat, signal } = attempt
  const { engine } = host
  const spender = {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    role: context.role,
  }
  const book = async (cost: Cost, spend_id: string, call_id: string | null = null): Promise<void> => {
    const amount = amountOf(cost)
    // First: a booking that is repeated after a crash counts once there.
    await host.budgets.spent(spender, { spend_id, call_id, amount })
    const fact = {
      type: 'agent.spent',
      tokens: amount.tokens,
      cost_micro_usd: amount.micro_usd,
      what: cost.what ?? '',
      spend_id,
      at: isoTime(engine.clock),
    }
    await engine.sendOutcome(context.run_id, fact, { source: context.run_id })
  }
  const spendAtOnce = (cost: Cost): Promise<void> => book(cost, host.newId('spend'))
  const spendOnce = async (cost: Cost): Promise<void> => {
    // Refused at the door: what cannot be booked is no call on the record.
    amountOf(cost)
    return journal.call({
      kind: 'spend',
      name: cost.what ?? 'cost',
      prepare: () => ({ spend_id: host.newId('spend') }),
      execute: async ({ spend_id }) => {
        if (!journal.records.booked.has(spend_id)) await book(cost, spend_id)
      },
    })
  }
  const progress = (input: { phase?: string; percent?: number }): Promise<void> =>
    host.sessions.progress(context.owner_id, input)
  const caller: ToolCaller = {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    role: context.role,
    project: context.project,
    signal,
    log: (line) => logs.add(line),
    spend: (cost, callId) => book(cost, host.newId('spend'), callId),
  }
  let ownPartials = 0
  const partial = async (value: unknown): Promise<void> => {
    const own = !journal.inside
    if (own) ownPartials += 1
    // An earlier attempt has said so, and what it said after that.
    if (own && ownPartials <= context.own_partials) return
    const kept = copyAsJson(value, { root: () => 'partial', outcome: true }).value
    const fact = {
      type: 'agent.partial',
      value: kept,
      own,
      attempt: context.attempts,
      at: isoTime(engine.clock),
    }
    if (!(await attempt.record(fact))) throw interrupted(context.run_id, 'partial')
  }
  return {
    run_id: context.run_id,
    agent_id: context.agent_id,
    session_id: context.owner_id,
    parent_id: context.parent_id,
    role: context.role,
    project: context.project,
    task_description: context.task_description,
    started_at: context.started_at ?? context.at,
    attempt: context.attempts,
    signal,
    inbox: inboxOf({ engine, closing: signal }, context.owner_id),
    log: (line) => logs.add(line, { own: !journal.inside }),
    // Inside of a step both belong to that step: what it costs, it costs again when it runs again.
    spend: (cost) => inPassing(journal.inside ? spendAtOnce(cost) : spendOnce(cost)),
    progress: (input) =>
      journal.inside
        ? progress(input)
        : journal.call({ kind: 'progress', name: input.phase ?? 'progress', execute: () => progress(input) }),
    partial: (value) => inPassing(partial(value)),
    heartbeat: (details) => heartbeat.beat(details),
    last_heartbeat: context.heartbeat,
    step: (name, fn) =>
      journal.call({
        kind: 'step',
        name,
        prepare: () => ({ idempotency_key: host.newId('step') }),
        execute: async (data) => fn({ idempotency_key: data.idempotency_key, signal }),
      }),
    tool: (tool, input) =>
      journal.call({
        kind: 'tool',
        name: tool.name,
        prepare: () => ({ call_id: host.newId('call'), ...watchData(tool.name, input, tool.poll) }),
        execute: async (data) =>
          (await callTool(host, caller, { callId: data.call_id, tool: tool, input })) as never,
      }),
    command: (name, spec) => runCommandStep({ ...attempt, caller }, name, spec),
    requestApproval: async (raw) => {
      const question = checkedQuestion(raw)
      return journal.call({
        kind: 'approval',
        name: 'request',
        prepare: () => ({ approval_id: host.approvals.newApprovalId() }),
        execute: ({ approval_id }) => askPerson(host, caller, { approval_id, question }),
      })
    },
    patch: (id) => journal.patch(id),
  }
}

type Cost = Parameters<HandlerContext['spend']>[0]

/** @throws BillingError `BILLING_INVALID_PRICE`, `BILLING_INVALID_USAGE` */
function amountOf({ usd, tokens = 0 }: Cost): { readonly micro_usd: number; readonly tokens: number } {
  return { micro_usd: microUsdOf(usd, 'spend.usd'), tokens: Number(countOf(tokens, 'spend.tokens')) }
}
