/** Which budgets a call counts against: its agent's, its session's, its role's, and those of every tree that it is in. */
import { z } from 'zod'
import { budgetMachine, type BudgetLimit, type BudgetScope } from '../../machines/budget.machine.ts'
import { microUsdOf } from '../billing/micro-usd.ts'
import { digestOf } from '../permissions/fingerprint.ts'
import { isoTime } from '../runtime/clock.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'
import type { Engine } from '../runtime/engine.ts'
import type { SessionDirectory } from '../sessions/directory.ts'

/** USD in whole micro-dollars. */
const usdSchema = z
  .number()
  .nonnegative()
  .max(1e9)
  .refine((usd) => Math.abs(usd * 1e6 - Math.round(usd * 1e6)) < 1e-3, 'more than six decimals')
const amounts = { usd: usdSchema.optional(), tokens: z.number().int().nonnegative().optional() }
const hasLimit = (budget: { usd?: number | undefined; tokens?: number | undefined }): boolean =>
  (budget.usd ?? budget.tokens) !== undefined

/** A limit of a run and all that it starts. */
export const runBudgetSchema = z.object(amounts).refine(hasLimit, 'a budget limits usd or tokens')
export type RunBudget = z.input<typeof runBudgetSchema>

export const budgetSchema = z
  .object({
    scope: z.enum(['agent', 'session', 'role', 'tree']),
    /** Which one: an agent id, a session id, a role, the session or run at the top. Default: each has its own. */
    of: z.string().min(1).optional(),
    ...amounts,
  })
  .refine(hasLimit, 'a budget limits usd or tokens')
export type BudgetOption = z.input<typeof budgetSchema>

const BUDGET_PREFIX = 'budget_'

export type BudgetActor = DurableActor<typeof budgetMachine>

/** Who spends. */
export type Spender = {
  readonly run_id: string
  readonly agent_id: string
  readonly session_id: string
  readonly role: string
}

export type BudgetAccounts = {
  /** False as long as nobody has a budget: then nothing is looked up. */
  readonly any: boolean
  /** The accounts that limit this spender, always in the same order. */
  of(spender: Spender): Promise<BudgetActor[]>
  /** Limits a run and all that it starts. */
  limitTree(runId: string, budget: RunBudget): Promise<void>
  all(): Promise<BudgetActor[]>
  find(scope: BudgetScope, of: string): Promise<BudgetActor | undefined>
}

/** Reads which accounts there are. */
export async function openBudgetAccounts(host: {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly budgets: readonly BudgetOption[]
}): Promise<BudgetAccounts> {
  const { engine, directory, budgets } = host
  const known = new Set<string>()
  for await (const { stream_id } of engine.store.heads(BUDGET_PREFIX)) known.add(stream_id)
  const chains = new Map<string, Promise<string[]>>()

  const open = async (scope: BudgetScope, of: string, limit: BudgetLimit): Promise<BudgetActor> => {
    const account = accountId(scope, of)
    const actor = await engine.spawn(budgetMachine, {
      id: account,
      createdAs: 'budget.opened',
      input: { account, scope, of, limit, at: isoTime(engine.clock) },
    })
    known.add(account)
    return actor
  }
  const existing = async (account: string): Promise<BudgetActor | undefined> =>
    known.has(account) ? engine.get(budgetMachine, account) : undefined
  /** The account, if there is a limit for it; with today's limit. */
  const account = async (
    scope: BudgetScope,
    of: string,
    isTop: boolean,
  ): Promise<BudgetActor | undefined> => {
    const option = optionFor(budgets, { scope, of, isTop })
    const there = await existing(accountId(scope, of))
    if (option === undefined) return there
    const limit = limitFrom(option)
    if (there === undefined) return open(scope, of, limit)
    if (!isSame(there.getSnapshot().context.limit, limit)) {
      await there.send({ type: 'budget.limited', limit, at: isoTime(engine.clock) })
    }
    return there
  }
  /** From the spender up to whoever nobody started. */
  const ancestors = async (runId: string): Promise<string[]> => {
    const chain = new Set<string>()
    for (let id: string | null = runId; id !== null && !chain.has(id);) {
      chain.add(id)
      const row = await directory.row(id)
      // The session that a run works for lies between it and whoever started both.
      id =
        row === undefined ? null : row.owner_id !== null && row.owner_id !== id ? row.owner_id : row.parent_id
    }
    return [...chain]
  }

  return {
    get any() {
      return budgets.length > 0 || known.size > 0
    },
    async of(spender) {
      const chain = chains.get(spender.run_id) ?? ancestors(spender.run_id)
      chains.set(spender.run_id, chain)
      const above = await chain
      const wanted: (readonly [BudgetScope, string, boolean])[] = [
        ['agent', spender.agent_id, false],
        ['role', spender.role, false],
        ['session', spender.session_id, false],
        ...above.map((id, index) => ['tree', id, index === above.length - 1] as const),
      ]
      const found = await Promise.all(wanted.map(([scope, of, isTop]) => account(scope, of, isTop)))
      return found.filter((actor) => actor !== undefined)
    },
    async limitTree(runId, budget) {
      await open('tree', runId, limitFrom(budget))
    },
    async all() {
      const actors = await Promise.all(Array.from(known, (id) => engine.get(budgetMachine, id)))
      return actors.filter((actor) => actor !== undefined)
    },
    find: (scope, of) => existing(accountId(scope, of)),
  }
}

/** Ids of users may hold anything; names of streams may not. */
function accountId(scope: BudgetScope, of: string): string {
  const key = /^[\w.-]{1,100}$/.test(of) ? of : `~${digestOf(of).slice(0, 32)}`
  return `${BUDGET_PREFIX}${scope}_${key}`
}

function optionFor(
  budgets: readonly BudgetOption[],
  { scope, of, isTop }: { readonly scope: BudgetScope; readonly of: string; readonly isTop: boolean },
): BudgetOption | undefined {
  const same = budgets.filter((budget) => budget.scope === scope)
  const own = same.find((budget) => budget.of === of)
  // A budget for each tree belongs to its top.
  return own ?? (scope !== 'tree' || isTop ? same.find((budget) => budget.of === undefined) : undefined)
}

function limitFrom({ usd, tokens }: RunBudget): BudgetLimit {
  return { micro_usd: usd === undefined ? null : microUsdOf(usd, 'budget.usd'), tokens: tokens ?? null }
}

function isSame(a: BudgetLimit, b: BudgetLimit): boolean {
  return a.micro_usd === b.micro_usd && a.tokens === b.tokens
}
