/** What keeps agents within bounds, joined into one: approvals, questions about permissions, and the limits' options. */
import { z } from 'zod'
import {
  budgetSchema,
  openBudgetAccounts,
  type BudgetOption,
  type RunBudget,
} from './agents/budget-accounts.ts'
import { createBudgetDesk, type BudgetDesk } from './agents/budget-desk.ts'
import { endRunsWithParents } from './agents/end-with-parent.ts'
import { createBudgetService, type BudgetService } from './agents/budget-service.ts'
import { DEFAULT_LOOP_LIMITS, type LoopLimits } from './agents/loop-guard.ts'
import type { Heartbeats } from './agents/heartbeat.ts'
import { createPersonWait, type WaitForPerson } from './agents/person-wait.ts'
import type { RunQueue } from './agents/run-queue.ts'
import { createWebhookDesk, type WebhookOptions, type WebhookService } from './agents/webhooks.ts'
import type { BackgroundAgentResult } from './agents/run-result.ts'
import type { Tool } from './agents/define-tool.ts'
import { answerQuestion, type PermissionQuestion } from './agents/permission-question.ts'
import { createApprovalDesk, type ApprovalDesk } from './permissions/approval-desk.ts'
import { settleLeftovers } from './permissions/approval-leftovers.ts'
import { createApprovalService, type ApprovalService } from './permissions/approval-service.ts'
import type { PermissionExplanation } from './permissions/explain-permission.ts'
import type { PermissionHookRegistry } from './permissions/hook-registry.ts'
import type { LifecycleGate } from './permissions/lifecycle-gate.ts'
import type { NewId } from './runtime/clock.ts'
import type { Engine } from './runtime/engine.ts'
import { createInboxDelivery } from './sessions/inbox.ts'
import type { SessionDirectory } from './sessions/directory.ts'

export type GuardOptions = {
  /** Signs what is sent to the `webhook` of runs. */
  readonly webhooks?: WebhookOptions
  /** How long a request for a person's approval is open, and then its grant, in ms; default 14 days. */
  readonly approvalTtlMs?: number
  /** What agents, sessions, roles and trees of sessions may spend in this folder; at 100 % a person is asked. */
  readonly budgets?: readonly BudgetOption[]
  /**
   * When a run that makes the same calls with the same results again and again is warned (3 repetitions) and ended
   * (5); `false` lets it go round for ever.
   */
  readonly loopGuard?: Partial<LoopLimits> | false
}

const repetitions = z.number().int().min(2).max(20)

export const guardOptions = {
  approvalTtlMs: z.number().int().positive().optional(),
  webhooks: z.strictObject({ secret: z.string().min(16) }).optional(),
  budgets: z.array(budgetSchema).readonly().optional(),
  loopGuard: z
    .union([z.literal(false), z.object({ warnAt: repetitions.optional(), stopAt: repetitions.optional() })])
    .optional(),
}

/** The runtime's doors to them. */
export interface Guards {
  /** What waits for a person, and the decision. */
  readonly approvals: ApprovalService
  /** How webhooks stand, and sending one again that was given up. */
  readonly webhooks: WebhookService
  /** How budgets stand, and raising one by hand. */
  readonly budgets: BudgetService
  /**
   * Says whether the hooks would allow something, and why not, without doing or recording anything.
   * @throws RuntimeError `INPUT_INVALID`, `SESSION_UNKNOWN`
   */
  explainPermission(question: PermissionQuestion): Promise<PermissionExplanation>
}

export type GuardParts = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly gate: LifecycleGate
  readonly registry: PermissionHookRegistry
  readonly newId: NewId
  readonly queue: RunQueue
  readonly heartbeats: Heartbeats
  readonly closing: AbortSignal
  readonly defaultProject: string
  readonly hookTimeoutMs: number | undefined
  readonly tools: readonly Tool[]
  readonly options: GuardOptions
  result(runId: string): Promise<BackgroundAgentResult>
}

/** What handlers need of them while they run. */
export type HandlerGuards = {
  readonly approvals: ApprovalDesk
  readonly budgets: BudgetDesk
  readonly loopLimits: LoopLimits | undefined
  readonly tools: readonly Tool[]
  readonly waitForPerson: WaitForPerson
}

export async function createGuards(parts: GuardParts): Promise<{
  readonly doors: Guards
  readonly handlers: HandlerGuards
  /** After recovery: settles what the last process left. */
  recover(): Promise<void>
  /** Limits what a run and all that it starts may spend. */
  limitTree(runId: string, budget: RunBudget): Promise<void>
  /** Tells this address when the run has ended. */
  armWebhook(runId: string, url: string): Promise<void>
}> {
  const { engine, directory, closing, queue, options } = parts
  const desk = createApprovalDesk({ engine, newId: parts.newId, ttlMs: options.approvalTtlMs })
  const accounts = await openBudgetAccounts({ engine, directory, budgets: options.budgets ?? [] })
  const waitForPerson = createPersonWait({ engine, queue, heartbeats: parts.heartbeats })
  const budgets = createBudgetDesk({ engine, accounts, approvals: desk, waitForPerson })
  const webhooks = createWebhookDesk({
    engine,
    directory,
    closing,
    hasSecret: options.webhooks !== undefined,
    result: (runId) => parts.result(runId),
  })
  const inboxes = createInboxDelivery({ engine, directory, closing })
  const parents = endRunsWithParents(parts)
  const leftovers = {
    engine,
    desk,
    hasEnded: async (runId: string) => ((await directory.row(runId))?.outcome ?? null) !== null,
  }
  const settle = async (runId?: string): Promise<void> => {
    await settleLeftovers(leftovers, runId)
    await budgets.settleEnded(async (id) => (runId === undefined || id === runId) && leftovers.hasEnded(id))
  }
  directory.subscribe((row) => {
    if (row.outcome === null || closing.aborted) return
    if (!desk.asking.has(row.id) && !accounts.any) return
    settle(row.id).catch((error: unknown) => {
      // What is left over then is settled at the next opening.
      if (!closing.aborted) engine.onError(error)
    })
  })
  return {
    doors: {
      approvals: createApprovalService({ engine, gate: parts.gate }),
      webhooks: webhooks.service,
      budgets: createBudgetService({ engine, accounts }),
      explainPermission: (question) => answerQuestion(parts, question),
    },
    handlers: {
      approvals: desk,
      tools: parts.tools,
      loopLimits: options.loopGuard === false ? undefined : { ...DEFAULT_LOOP_LIMITS, ...options.loopGuard },
      budgets,
      waitForPerson,
    },
    async recover() {
      await settle()
      await parents.recover()
      await inboxes.recover()
      await webhooks.recover()
    },
    limitTree: (runId, budget) => accounts.limitTree(runId, budget),
    armWebhook: (runId, url) => webhooks.arm(runId, url),
  }
}
