/** How users bind code to an agent id: a function, or a command in a child process. */
import { z } from 'zod'
import type { Role } from '../../machines/session-record.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { RetryPolicy } from '../runtime/effects/retry-policy.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { CommandOutput, CommandSpec } from './command-spec.ts'
import type { HandlerContext } from './handler-context.ts'

export type { CommandOutput, CommandSpec }

type AgentOptions<TSchema extends z.ZodType> = {
  /** An id, or a pattern in which `*` stands for any characters: `work-*`. */
  readonly id: string
  readonly role?: Role
  readonly input?: TSchema
  /**
   * Ends a run that takes longer, as `timed_out`; ms of time at work: it stands still while the run is queued, paused,
   * parked or waits for a person. Default 24 h.
   */
  readonly deadlineMs?: number
  /**
   * Gives up an attempt whose handler has given no sign of life for so long, in ms: no beat (`ctx.heartbeat`), no durable
   * call, no log line. While it waits for a person, a run, a message or a handoff it need give none. Default: never.
   */
  readonly heartbeatTimeoutMs?: number
  /** How often, and after what delay, an attempt that was given up is followed by another. Default 5 attempts, after 1 s and more. */
  readonly retry?: RetryPolicy
}

export type FunctionAgentOptions<TSchema extends z.ZodType, TOutput> = AgentOptions<TSchema> & {
  readonly run: (ctx: HandlerContext, input: z.output<TSchema>) => Promise<TOutput> | TOutput
}

export type CommandAgentOptions<TSchema extends z.ZodType> = AgentOptions<TSchema> & {
  readonly command: (input: z.output<TSchema>) => CommandSpec
}

export interface AgentDefinition<TInput = unknown, TOutput = unknown> {
  readonly id: string
  readonly role: Role
  readonly deadlineMs: number
  readonly heartbeatTimeoutMs: number | undefined
  readonly retry: RetryPolicy | undefined
  readonly schema: z.ZodType | undefined
  readonly run: (ctx: HandlerContext, input: never) => Promise<TOutput>
  /** For types only. */
  readonly '~types'?: { readonly input: TInput; readonly output: TOutput }
}

/** Any agent, whatever its input and output: what lists of agents hold. */
export type AnyAgentDefinition = Omit<AgentDefinition, '~types'>

const timesSchema = z.object({
  deadlineMs: z.number().positive().optional(),
  heartbeatTimeoutMs: z.number().positive().optional(),
})

const DEFAULT_DEADLINE_MS = 24 * 60 * 60 * 1000

/**
 * Binds code to an agent id. After a restart the handler runs again from its top, and its recorded calls return
 * what they returned; so everything that touches the world goes through `ctx.step`, `ctx.tool` or `ctx.command`.
 */
export function defineAgent<TSchema extends z.ZodType = z.ZodUnknown, TOutput = unknown>(
  options: FunctionAgentOptions<TSchema, TOutput>,
): AgentDefinition<z.input<TSchema>, TOutput>
export function defineAgent<TSchema extends z.ZodType = z.ZodUnknown>(
  options: CommandAgentOptions<TSchema>,
): AgentDefinition<z.input<TSchema>, CommandOutput>
export function defineAgent<TInput = unknown, TOutput = unknown>(
  id: string,
  handler: (ctx: HandlerContext, input: TInput) => Promise<TOutput> | TOutput,
): AgentDefinition<TInput, TOutput>
export function defineAgent(
  first: string | FunctionAgentOptions<z.ZodType, unknown> | CommandAgentOptions<z.ZodType>,
  handler?: (ctx: HandlerContext, input: never) => unknown,
): AgentDefinition {
  const options =
    typeof first === 'string'
      ? ({ id: first, run: handler } as FunctionAgentOptions<z.ZodType, unknown>)
      : first
  assertUsable(options)
  checkedInput(timesSchema, options, `defineAgent("${options.id}")`)
  const run =
    'command' in options
      ? (ctx: HandlerContext, input: never) => ctx.command('command', options.command(input))
      : options.run
  return {
    id: options.id,
    role: ('role' in options ? options.role : undefined) ?? 'workagent',
    deadlineMs: ('deadlineMs' in options ? options.deadlineMs : undefined) ?? DEFAULT_DEADLINE_MS,
    heartbeatTimeoutMs: 'heartbeatTimeoutMs' in options ? options.heartbeatTimeoutMs : undefined,
    retry: 'retry' in options ? options.retry : undefined,
    schema: 'input' in options ? options.input : undefined,
    run: async (ctx, input) => run(ctx, input),
  }
}

/** Said where the mistake is, and not when the first run fails. */
function assertUsable(options: {
  readonly id?: unknown
  readonly run?: unknown
  readonly command?: unknown
}): void {
  const idIsGood = typeof options.id === 'string' && options.id.trim() !== ''
  if (idIsGood && [options.run, options.command].some((code) => typeof code === 'function')) return
  throw new RuntimeError('INPUT_INVALID', {
    happened: idIsGood
      ? `defineAgent was given no code for "${options.id}".`
      : 'defineAgent was given no id.',
    expected: 'An id or pattern, and a function as `run` or `command`.',
    todo: 'Write defineAgent({ id: "work-*", run: async (ctx, input) => { … } }).',
    details: { path: idIsGood ? 'run' : 'id' },
  })
}
