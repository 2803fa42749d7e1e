/** What keeps agents within bounds, joined into one: approvals, questions about permissions, and the limits' options. */
import { z } from 'zod'
import { DEFAULT_LOOP_LIMITS, type LoopLimits } from './agents/loop-guard.ts'
import type { RunQueue } from './agents/run-queue.ts'
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
import type { SessionDirectory } from './sessions/directory.ts'

export type GuardOptions = {
  /** How long a request for a person's approval is open, and then its grant, in ms; default 14 days. */
  readonly approvalTtlMs?: number
  /**
   * When a run that makes the same calls with the same results again and again is warned (3 repetitions) and ended
   * (5); `false` lets it go round for ever.
   */
  readonly loopGuard?: Partial<LoopLimits> | false
}

const repetitions = z.number().int().min(2).max(20)

export const guardOptions = {
  approvalTtlMs: z.number().int().positive().optional(),
  loopGuard: z
    .union([z.literal(false), z.object({ warnAt: repetitions.optional(), stopAt: repetitions.optional() })])
    .optional(),
}

/** The runtime's doors to them. */
export interface Guards {
  /** What waits for a person, and the decision. */
  readonly approvals: ApprovalService
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
  readonly closing: AbortSignal
  readonly defaultProject: string
  readonly hookTimeoutMs: number | undefined
  readonly tools: readonly Tool[]
  readonly options: GuardOptions
}

/** What handlers need of them while they run. */
export type HandlerGuards = {
  readonly approvals: ApprovalDesk
  readonly loopLimits: LoopLimits | undefined
  readonly tools: readonly Tool[]
  aside<T>(runId: string, work: () => Promise<T>): Promise<T>
}

export function createGuards(parts: GuardParts): {
  readonly doors: Guards
  readonly handlers: HandlerGuards
  /** After recovery: settles what the last process left. */
  recover(): Promise<void>
} {
  const { engine, directory, closing, queue, options } = parts
  const desk = createApprovalDesk({ engine, newId: parts.newId, ttlMs: options.approvalTtlMs })
  const leftovers = {
    engine,
    desk,
    hasEnded: async (runId: string) => ((await directory.row(runId))?.outcome ?? null) !== null,
  }
  directory.subscribe((row) => {
    if (row.outcome === null || !desk.asking.has(row.id) || closing.aborted) return
    settleLeftovers(leftovers, row.id).catch((error: unknown) => {
      // What is left over then is settled at the next opening.
      if (!closing.aborted) engine.onError(error)
    })
  })
  return {
    doors: {
      approvals: createApprovalService({ engine, gate: parts.gate }),
      explainPermission: (question) => answerQuestion(parts, question),
    },
    handlers: {
      approvals: desk,
      tools: parts.tools,
      loopLimits: options.loopGuard === false ? undefined : { ...DEFAULT_LOOP_LIMITS, ...options.loopGuard },
      aside: (runId, work) => queue.stepAside(runId, work),
    },
    recover: () => settleLeftovers(leftovers),
  }
}
