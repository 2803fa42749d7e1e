/** Budgets as a tool call needs them: reserved before it begins, spent while it runs, settled after it; a person is asked at 100 %. */
import {
  fits,
  isNearlyUsed,
  limitOf,
  usedOf,
  type Amount,
  type BudgetContext,
} from '../../machines/budget.machine.ts'
import { toolCallMachine, type ToolCallContext } from '../../machines/tool-call.machine.ts'
import type { ApprovalDesk } from '../permissions/approval-desk.ts'
import { callFingerprint } from '../permissions/fingerprint.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { BudgetAccounts, BudgetActor, Spender } from './budget-accounts.ts'
import type { WaitForPerson } from './person-wait.ts'

export type BudgetWish = {
  readonly call_id: string
  readonly tool: string
  readonly project: string
  readonly spender: Spender
  /** `null`: nobody has estimated the money. */
  readonly micro_usd: number | null
  readonly tokens: number
  readonly signal: AbortSignal
  /** Said once when four fifths are used. */
  readonly onWarning: (text: string) => void
}

/** Why a call may not spend. */
export type BudgetRefusal = {
  readonly by: string
  readonly reason: string
  readonly alternatives: readonly string[]
}

export type BudgetDesk = {
  /** Reserves in every account, asking a person where it does not fit; rejects when the signal aborts. */
  reserve(wish: BudgetWish): Promise<BudgetRefusal | undefined>
  /** Counts what was spent; `call_id` if by a call that has reserved. A repeated `spend_id` counts once. */
  spent(
    spender: Spender,
    what: { readonly spend_id: string; readonly call_id: string | null; readonly amount: Amount },
  ): Promise<void>
  settle(spender: Spender, callId: string): Promise<void>
  release(spender: Spender, callId: string): Promise<void>
  /** Runs that have ended owe nothing: what their calls still have reserved counts as spent. */
  settleEnded(hasEnded: (runId: string) => Promise<boolean>): Promise<void>
}

type Host = {
  readonly engine: Engine
  readonly accounts: BudgetAccounts
  readonly approvals: ApprovalDesk
  readonly waitForPerson: WaitForPerson
}

export function createBudgetDesk(host: Host): BudgetDesk {
  const { engine, accounts } = host
  const now = (): string => isoTime(engine.clock)
  const release = async (actors: readonly BudgetActor[], callId: string): Promise<void> => {
    for (const actor of actors) await actor.send({ type: 'budget.released', call_id: callId, at: now() })
  }
  const limiting = (spender: Spender): Promise<BudgetActor[]> =>
    accounts.any ? accounts.of(spender) : Promise.resolve([])

  return {
    async reserve(wish) {
      const actors = await limiting(wish.spender)
      const strict = actors.find((actor) => limitOf(contextOf(actor)).micro_usd !== null)
      if (wish.micro_usd === null && strict !== undefined) return withoutEstimate(strict)
      const amount = { micro_usd: wish.micro_usd ?? 0, tokens: wish.tokens }
      for (;;) {
        const full = await reserveInAll(actors, { wish, amount, at: now() })
        if (full === undefined) return undefined
        // Whoever waits holds nothing that others could use meanwhile.
        await release(actors, wish.call_id)
        const refusal = await askFor(host, { actor: full, wish, amount })
        if (refusal !== undefined) return refusal
      }
    },
    async spent(spender, what) {
      for (const actor of await limiting(spender)) {
        await actor.send({ type: 'budget.spent', ...what, at: now() })
        await warn(actor, { at: now(), say: () => {} })
      }
    },
    async settle(spender, callId) {
      for (const actor of await limiting(spender)) {
        await actor.send({ type: 'budget.settled', call_id: callId, at: now() })
      }
    },
    async release(spender, callId) {
      await release(await limiting(spender), callId)
    },
    async settleEnded(hasEnded) {
      if (!accounts.any) return
      for (const actor of await accounts.all()) {
        for (const [call_id, { run_id }] of Object.entries(contextOf(actor).reserved)) {
          if (!(await hasEnded(run_id))) continue
          const type = (await hasBegun(engine, call_id)) ? 'budget.settled' : 'budget.released'
          await actor.send({ type, call_id, at: now() })
        }
      }
    },
  }
}

async function hasBegun(engine: Engine, callId: string): Promise<boolean> {
  const call = await engine.find(callId)
  if (call?.machine !== toolCallMachine.id) return false
  return (call.actor.getSnapshot() as unknown as { context: ToolCallContext }).context.attempts > 0
}

function contextOf(actor: BudgetActor): BudgetContext {
  return actor.getSnapshot().context
}

/** The first account that has no room, if there is one. */
async function reserveInAll(
  actors: readonly BudgetActor[],
  { wish, amount, at }: { readonly wish: BudgetWish; readonly amount: Amount; readonly at: string },
): Promise<BudgetActor | undefined> {
  const { call_id, spender } = wish
  for (const actor of actors) {
    // Reserved before a crash or a pause: it still is.
    if (contextOf(actor).reserved[call_id] !== undefined) continue
    const fact = { type: 'budget.reserved', call_id, run_id: spender.run_id, amount, at } as const
    const { accepted } = await actor.send(fact)
    if (!accepted) return actor
    await warn(actor, { at, say: wish.onWarning })
  }
  return undefined
}

async function warn(
  actor: BudgetActor,
  { at, say }: { readonly at: string; readonly say: (text: string) => void },
): Promise<void> {
  const context = contextOf(actor)
  if (context.warned || !isNearlyUsed(context)) return
  const { accepted } = await actor.send({ type: 'budget.warned', at })
  if (accepted) say(`${nameOf(context)} is used to 80 % and more: ${standing(context)}`)
}

/** Asks once per account, however many wait for it. Resolves when it is worth trying again, or with the refusal. */
async function askFor(
  host: Host,
  what: { readonly actor: BudgetActor; readonly wish: BudgetWish; readonly amount: Amount },
): Promise<BudgetRefusal | undefined> {
  const { actor, wish, amount } = what
  const { engine, approvals } = host
  const at = (): string => isoTime(engine.clock)
  if (fits(contextOf(actor), amount)) return undefined
  if (actor.getSnapshot().value === 'refused') return refusedBy(contextOf(actor))
  if (actor.getSnapshot().value === 'open') {
    await actor.send({ type: 'budget.asked', approval_id: approvals.newApprovalId(), at: at() })
  }
  const { approval_id: id } = contextOf(actor)
  if (id === null) return undefined
  const question = questionOf(what)
  await approvals.request(id, question)
  const { signal, spender } = wish
  const decision = await host.waitForPerson({ run_id: spender.run_id, approval_id: id, signal }, () =>
    approvals.decision(id, signal),
  )
  if (decision.status === 'denied') {
    const reason = `denied by ${decision.decided_by ?? 'a person'}: ${decision.note ?? 'no reason given'}`
    await actor.send({ type: 'budget.refused', approval_id: id, reason, at: at() })
    return refusedBy(contextOf(actor))
  }
  if (decision.status === 'expired' || decision.status === 'withdrawn') {
    await actor.send({ type: 'budget.unasked', approval_id: id, at: at() })
    if (decision.status === 'withdrawn') return undefined
    return { by: nameOf(contextOf(actor)), reason: `the approval is expired`, alternatives: ALTERNATIVES }
  }
  const { call_id, fingerprint } = decision
  await approvals.reserve(id, { call_id, fingerprint })
  // Of all that waited for it, one brings it in.
  await actor.send({
    type: 'budget.raised',
    approval_id: id,
    by: decision.decided_by ?? '',
    amount: raiseIn(decision),
    at: at(),
  })
  await approvals.consume(id)
  return undefined
}

type Question = Parameters<ApprovalDesk['request']>[1]

function questionOf({
  actor,
  wish,
  amount,
}: {
  readonly actor: BudgetActor
  readonly wish: BudgetWish
  readonly amount: Amount
}): Question {
  const context = contextOf(actor)
  const { scope, of, limit } = context
  const { spender, tool, call_id, project } = wish
  const used = usedOf(context)
  const most = limitOf(context)
  /** As much again as at first, or what is lacking if that is more. */
  const raise = (key: keyof Amount): number =>
    most[key] === null ? 0 : Math.max(limit[key] ?? 0, used[key] + amount[key] + 1 - most[key])
  const parameters = {
    scope,
    of,
    limit: most,
    used,
    needed: amount,
    raise: { micro_usd: raise('micro_usd'), tokens: raise('tokens') },
  }
  return {
    subject: 'budget',
    fingerprint: callFingerprint({ tool: context.account, parameters, session_id: spender.session_id }),
    tool,
    capabilities: [],
    parameters,
    call_id,
    run_id: spender.run_id,
    session_id: spender.session_id,
    agent_role: spender.role,
    project,
    estimated_cost: wish.micro_usd === null ? null : wish.micro_usd / 1e6,
    asked_by: `budget:${scope}:${of}`,
    reason: `${nameOf(context)} is used up: ${standing(context)}, and ${text(amount)} more is needed`,
    alternatives: ALTERNATIVES,
  }
}

/** What the person said, else what the request named. */
function raiseIn({ terms, parameters }: { readonly terms: unknown; readonly parameters: unknown }): Amount {
  const { raise } = parameters as { raise: Amount }
  const { usd = null, tokens = null } = (terms ?? {}) as { usd?: number | null; tokens?: number | null }
  return {
    micro_usd: usd === null ? raise.micro_usd : Math.round(usd * 1e6),
    tokens: tokens ?? raise.tokens,
  }
}

const ALTERNATIVES = ['Ask a person to raise the budget', 'Finish with what is there', 'Use a cheaper way']

function refusedBy(context: BudgetContext): BudgetRefusal {
  return {
    by: `budget:${context.scope}:${context.of}`,
    reason: `${nameOf(context)} is used up: ${standing(context)}; a raise was ${context.refusal ?? 'refused'}`,
    alternatives: ALTERNATIVES,
  }
}

/** Of what has no price nobody can say that it fits. */
function withoutEstimate(actor: BudgetActor): BudgetRefusal {
  const { scope, of } = contextOf(actor)
  return {
    by: `budget:${scope}:${of}`,
    reason: `Operation has no cost estimate, so it cannot be held to ${nameOf(contextOf(actor))}`,
    alternatives: ['Declare an estimate on the tool (`estimate: () => 0` for a free one)'],
  }
}

function nameOf({ scope, of }: BudgetContext): string {
  return `the budget of ${scope} "${of}"`
}

function standing(context: BudgetContext): string {
  const used = usedOf(context)
  const limit = limitOf(context)
  return [
    ...(limit.micro_usd === null ? [] : [`${usd(used.micro_usd)} of ${usd(limit.micro_usd)}`]),
    ...(limit.tokens === null ? [] : [`${used.tokens} of ${limit.tokens} tokens`]),
  ].join(', ')
}

function text({ micro_usd, tokens }: Amount): string {
  return tokens === 0 ? usd(micro_usd) : `${usd(micro_usd)} and ${tokens} tokens`
}

function usd(micro: number): string {
  return `$${(micro / 1e6).toFixed(2)}`
}
