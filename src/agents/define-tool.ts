/** How users declare a tool: what it may touch, what it costs, what to do when its outcome is in doubt. */
import type { z } from 'zod'
import { assertCapability } from '../permissions/trigger.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** What a tool's implementation gets beside its input. */
export type ToolContext = {
  readonly call_id: string
  /** The same at each attempt of one call: give it to the service that must not do it twice. */
  readonly idempotency_key: string
  readonly run_id: string
  readonly session_id: string
  readonly project: string
  readonly agent_role: string
  readonly signal: AbortSignal
  readonly log: (line: string) => void
  /** Books what the call really cost, in USD, and the tokens it used. */
  readonly spend: (cost: {
    readonly usd: number
    readonly tokens?: number
    readonly what?: string
  }) => Promise<void>
}

/** After a crash in the middle: run it again, ask the world whether it happened, or ask a person. */
export type InDoubtPolicy = 'retry' | 'verify' | 'ask'

/** USD, or USD and tokens. */
export type Estimate = number | { readonly usd: number; readonly tokens: number }

export type ToolOptions<TSchema extends z.ZodType, TOutput> = {
  readonly name: string
  /** Capability names that hooks trigger on, e.g. `execute:file:delete`. */
  readonly capabilities: readonly string[]
  readonly input: TSchema
  /**
   * Expected cost of a call in USD, or USD and tokens; without one, a gated call is denied by the cost hook, and any
   * call by a budget of money.
   */
  readonly estimate?: (input: z.output<TSchema>) => Estimate | Promise<Estimate>
  readonly inDoubt: InDoubtPolicy
  /** It waits for a change, so that the same answer again and again is no loop. */
  readonly poll?: boolean
  /** For `inDoubt: 'verify'`: whether the call happened, and with what output. */
  readonly verify?: (
    input: z.output<TSchema>,
    ctx: ToolContext,
  ) => Promise<{ readonly happened: true; readonly output: TOutput } | { readonly happened: false }>
  readonly execute: (input: z.output<TSchema>, ctx: ToolContext) => Promise<TOutput> | TOutput
}

export interface Tool<TSchema extends z.ZodType = z.ZodType, TOutput = unknown> extends Omit<
  ToolOptions<TSchema, TOutput>,
  'estimate' | 'verify' | 'execute'
> {
  readonly estimate: ((input: never) => Estimate | Promise<Estimate>) | undefined
  readonly verify:
    | ((
        input: never,
        ctx: ToolContext,
      ) => Promise<{ readonly happened: true; readonly output: TOutput } | { readonly happened: false }>)
    | undefined
  readonly execute: (input: never, ctx: ToolContext) => Promise<TOutput> | TOutput
}

/**
 * Declares a tool. Its calls go through the hooks, and each is a recorded step of the handler that makes it.
 *
 * @throws PermissionError `PM_INVALID_CAPABILITY` for a name that would slip past triggers; RuntimeError
 * `INPUT_INVALID` for `inDoubt: 'verify'` without a `verify`.
 */
export function defineTool<TSchema extends z.ZodType, TOutput>(
  options: ToolOptions<TSchema, TOutput>,
): Tool<TSchema, TOutput> {
  assertCapability(options.name, 'name')
  for (const [index, capability] of options.capabilities.entries()) {
    assertCapability(capability, `capabilities[${index}]`)
  }
  if (options.inDoubt === 'verify' && options.verify === undefined) throw cannotVerify(options.name)
  return { ...options, estimate: options.estimate, verify: options.verify }
}

function cannotVerify(name: string): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `Tool "${name}" wants to verify what is in doubt, and has no \`verify\`.`,
    expected: "With inDoubt: 'verify', a function that says whether the call happened.",
    todo: "Add `verify`, or use inDoubt: 'ask' or 'retry'.",
    details: { path: 'verify' },
  })
}

/** USD; `null` for none, and for what is no number of dollars. */
export async function estimatedCost(tool: Tool, input: never): Promise<number | null> {
  return (await estimateOf(tool, input)).usd
}

/** The same with tokens; 0 if none are named. */
export async function estimateOf(
  tool: Tool,
  input: never,
): Promise<{ readonly usd: number | null; readonly tokens: number }> {
  const estimate = await tool.estimate?.(input)
  const { usd, tokens } = typeof estimate === 'object' ? estimate : { usd: estimate, tokens: 0 }
  return {
    usd: typeof usd === 'number' && Number.isFinite(usd) && usd >= 0 ? usd : null,
    tokens: Number.isSafeInteger(tokens) && tokens >= 0 ? tokens : 0,
  }
}
