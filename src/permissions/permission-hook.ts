/** What a permission hook is: a gate that is asked before a tool runs, and told afterwards how it went. */

/** What a hook is told about the wish it judges. All of it is frozen. */
export type HookContext = {
  readonly agent_role: string
  /** The tool, or the capability of a lifecycle step like `session:pause`. */
  readonly tool_name: string
  /** A deep-frozen copy of the tool's input: a hook can neither change it nor see it change. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly project: string
  readonly session_id?: string | undefined
  readonly agent_id?: string | undefined
  readonly run_id?: string | undefined
  readonly call_id?: string | undefined
  /** What the tool does to the world, by name; hooks may be triggered by these as well as by `tool_name`. */
  readonly capabilities: readonly string[]
  /** In USD, as the tool declared it for these parameters; `undefined` if it declared none. */
  readonly estimated_cost: number | undefined
  /** True when somebody only wants to know: nothing will run, so write nothing down and tell nobody. */
  readonly dry_run: boolean
  /** Aborted when the hook's time is up or the caller gave up. */
  readonly signal: AbortSignal
}

/** What a hook answers. */
export type HookAnswer = {
  readonly allowed: boolean
  /** Given to the agent and the log. */
  readonly reason?: string | undefined
  /** What could be done instead; given to the agent and the log. */
  readonly alternatives?: readonly string[] | undefined
  /** With `allowed: false`: a person may allow it. A tool call then waits until somebody has decided. */
  readonly requires_approval?: boolean | undefined
}

export type SuccessContext = HookContext & {
  /** A deep-frozen copy of what the tool returned; `undefined` if that is not data that JSON can carry. */
  readonly result: unknown
  /** In USD; `undefined` if it was not measured. */
  readonly actual_cost: number | undefined
}

export type FailureContext = HookContext & {
  /** `denied`: a hook said no and the tool never ran. `error`: the tool ran and failed. */
  readonly phase: 'denied' | 'error'
  /** What the tool threw; `undefined` if it was denied. */
  readonly error: unknown
  readonly reason: string | undefined
  readonly alternatives: readonly string[]
  /** In USD; `undefined` if it was not measured. */
  readonly actual_cost: number | undefined
}

/** A gate before a tool. Hooks fail closed: one that throws, hangs or answers nonsense has denied. */
export interface PermissionHook {
  /** Names that ask this hook, like `execute:database`; see `trigger.ts` for `*`. */
  readonly triggers: readonly string[]
  readonly validate: (context: HookContext) => Promise<HookAnswer> | HookAnswer
  /** Told after the tool succeeded; cannot change the outcome. */
  readonly onSuccess?: ((context: SuccessContext) => Promise<void> | void) | undefined
  /** Told after a denial or after the tool failed; cannot change the outcome. */
  readonly onFailure?: ((context: FailureContext) => Promise<void> | void) | undefined
}

/** A hook as the registry hands it out: with the name it was registered under. */
export interface NamedHook extends PermissionHook {
  readonly name: string
}
