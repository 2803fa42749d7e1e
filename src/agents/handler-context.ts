/** What a handler holds: its durable calls, its log, its signal, and who it is. */
import type { Role } from '../../machines/session-record.ts'
import type { Inbox } from '../sessions/inbox.ts'
import type { z } from 'zod'
import type { ApprovalAnswer, ApprovalQuestion } from './approval-question.ts'
import type { CommandOutput, CommandSpec } from './command-spec.ts'
import type { Tool } from './define-tool.ts'

export interface HandlerContext {
  readonly run_id: string
  readonly agent_id: string
  /** The session the run works for; its own id if it works for itself. */
  readonly session_id: string
  readonly parent_id: string | null
  readonly role: Role
  readonly project: string
  readonly task_description: string
  /** When the run first started: the same in each attempt, so use it instead of the clock. ISO 8601. */
  readonly started_at: string
  /** 1 at first; more after a restart or a pause. */
  readonly attempt: number
  /** Aborts on cancel, pause, deadline and close. */
  readonly signal: AbortSignal
  /** The ends of the runs that it started, until they are acknowledged; `receive` and `ack` are durable calls. */
  readonly inbox: Inbox
  /** The last recorded beat of an earlier attempt; `null` if there was none. Each attempt may find another: look at it in a step. */
  readonly last_heartbeat: { readonly at: string; readonly details: unknown } | null
  /** Records a line; what is logged ends up in `output.logs`. */
  log(line: string): void
  /**
   * A recorded piece of work: run once, and returned as recorded ever after. `fn` gets an idempotency key for
   * the case that a crash comes between its end and the record: then it is run again. Other durable calls do not
   * belong into `fn` (they fail with `CALL_NESTED`); `log`, `spend` and `progress` do.
   */
  step<T>(
    name: string,
    fn: (step: { idempotency_key: string; signal: AbortSignal }) => Promise<T> | T,
  ): Promise<T>
  /** Calls a tool through the hooks. @throws PermissionDeniedError with `reason` and `alternatives` */
  tool<TSchema extends z.ZodType, TOutput>(
    tool: Tool<TSchema, TOutput>,
    input: z.input<TSchema>,
  ): Promise<TOutput>
  /**
   * Runs a command in a child process of its own group; its output becomes log lines, its exit code the outcome.
   * A child left over by a killed process is ended before the command runs again.
   */
  command(name: string, spec: CommandSpec): Promise<CommandOutput>
  /**
   * Asks a person, and waits for the answer, over restarts and for weeks: the run gives its place up, and its deadline
   * stands still. A no is an answer, not an error, and so is `expired`.
   *
   * @throws RuntimeError `INPUT_INVALID`
   */
  requestApproval(question: ApprovalQuestion): Promise<ApprovalAnswer>
  /** True where the new code may run, false where this run was begun by the old one; one answer per id and run. */
  patch(id: string): Promise<boolean>
  progress(input: { phase?: string; percent?: number }): Promise<void>
  /**
   * Says that it lives, and, for the next attempt, how far it is. Durable calls and log lines say so as well. A beat
   * costs nothing: one in 30 s is recorded, or more where `heartbeatTimeoutMs` is short, and the last one when the
   * attempt is stopped.
   */
  heartbeat(details?: unknown): void
  /**
   * Records what it has so far, in the place of what it said before: a run that is cancelled, fails or comes to its
   * deadline has it in `output.partial`, and so has its `outcome`. Resolves when it is on disk.
   */
  partial(value: unknown): Promise<void>
  /** Books cost, in USD, and tokens. */
  spend(cost: { readonly usd: number; readonly tokens?: number; readonly what?: string }): Promise<void>
}
