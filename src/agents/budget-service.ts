/** Budgets for people: how they stand, and raising one by hand. */
import { z } from 'zod'
import {
  limitOf,
  usedOf,
  type Amount,
  type BudgetLimit,
  type BudgetScope,
} from '../../machines/budget.machine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { BudgetAccounts, BudgetActor } from './budget-accounts.ts'

const raiseSchema = z
  .object({
    scope: z.enum(['agent', 'session', 'role', 'tree']),
    of: z.string().min(1),
    by: z.string().trim().min(1).max(200),
    usd: z.number().positive().max(1e9).optional(),
    tokens: z.number().int().positive().optional(),
  })
  .refine(({ usd, tokens }) => (usd ?? tokens) !== undefined, 'usd or tokens')
export type RaiseBudget = z.input<typeof raiseSchema>

/** How a budget stands; money in whole micro-dollars. */
export type Budget = {
  readonly scope: BudgetScope
  readonly of: string
  /** `null`: not limited. */
  readonly limit: BudgetLimit
  readonly spent: Amount
  /** By calls that have begun or are about to; counts as spent until they end. */
  readonly reserved: Amount
  /** `asking`: it is used up and a person is asked; `refused`: that person said no. */
  readonly status: 'open' | 'asking' | 'refused'
  readonly warned: boolean
  readonly approval_id: string | null
}

export interface BudgetService {
  /** Every budget that something has counted against, or that a run was started with. */
  list(): Promise<Budget[]>
  /** Adds to a budget. @throws RuntimeError `BUDGET_UNKNOWN`, `BUDGET_ASKING`, `INPUT_INVALID` */
  raise(input: RaiseBudget): Promise<Budget>
}

export function createBudgetService(host: {
  readonly engine: Engine
  readonly accounts: BudgetAccounts
}): BudgetService {
  const { engine, accounts } = host
  return {
    async list() {
      return (await accounts.all()).map(budgetOf)
    },
    async raise(raw) {
      const { scope, of, by, usd = 0, tokens = 0 } = checkedInput(raiseSchema, raw, 'budgets.raise')
      const actor = await accounts.find(scope, of)
      if (actor === undefined) throw unknownBudget(scope, of)
      const amount = { micro_usd: Math.round(usd * 1e6), tokens }
      const fact = {
        type: 'budget.raised',
        approval_id: null,
        by,
        amount,
        at: isoTime(engine.clock),
      } as const
      if (!(await actor.send(fact, { source: by })).accepted) throw asking(budgetOf(actor))
      return budgetOf(actor)
    },
  }
}

function budgetOf(actor: BudgetActor): Budget {
  const { context, value } = actor.getSnapshot()
  const used = usedOf(context)
  const { scope, of, spent, warned, approval_id } = context
  const reserved = { micro_usd: used.micro_usd - spent.micro_usd, tokens: used.tokens - spent.tokens }
  return { scope, of, limit: limitOf(context), spent, reserved, status: value, warned, approval_id }
}

function unknownBudget(scope: string, of: string): RuntimeError {
  return new RuntimeError('BUDGET_UNKNOWN', {
    happened: `Nothing has counted against a budget of ${scope} "${of}".`,
    expected: 'A budget of createRuntime({ budgets }) that is in use, or one that a run was started with.',
    todo: 'List them with runtime.budgets.list().',
    details: { scope, of },
  })
}

function asking({ scope, of, approval_id }: Budget): RuntimeError {
  return new RuntimeError('BUDGET_ASKING', {
    happened: `A person is asked about the budget of ${scope} "${of}" already (${approval_id ?? ''}).`,
    expected: 'One decision at a time.',
    todo: 'Decide that: runtime.approvals.approve(id, { by, usd, tokens }).',
    details: { scope, of, approval_id },
  })
}
