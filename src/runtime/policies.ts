/** What a machine is registered with beside itself: how its effects, its children and its crashes are dealt with. */
import type { AnyStateMachine, ContextFrom, EventFrom, StateMachine } from 'xstate'
import { z } from 'zod'
import type { RetryPolicy } from './effects/retry-policy.ts'
import { RuntimeError } from './runtime-error.ts'

/** What the implementation of an owed action gets with its arguments; `effectOf(args)` has it. */
export type EffectRun = {
  /** `<stream>:<version>:<n>`, the same at each attempt: give it to the service that must not do it twice. */
  readonly key: string
  /** 1 for the first one. */
  readonly attempt: number
  /** In a fork, of an action that it inherited: the key under which the original owed it. */
  readonly originalKey?: string
  /** Aborts when the time is up, when the effect is abandoned, and when the runtime has waited for it at its close. */
  readonly signal: AbortSignal
}

/** What the world says of an effect whose outcome is not known. */
export type EffectAnswer =
  | { readonly happened: true; readonly output?: unknown }
  | { readonly happened: false }
  | { readonly happened: 'unknown' }

/** What a `verify` gets to find out with. */
export type EffectArgs<TMachine extends AnyStateMachine = AnyStateMachine> = {
  readonly context: ContextFrom<TMachine>
  readonly event: EventFrom<TMachine>
  readonly effect: EffectRun
}

type Timed = {
  /** After that many ms an attempt has failed and its signal aborts; default never. */
  readonly timeoutMs?: number
}

/**
 * What becomes of a named action: it is owed until its outcome is on disk. After a crash, a throw or a timeout
 * - `retry` runs it again: it has to stand that, for instance by its idempotency key;
 * - `verify` asks the world first, and a person if the world does not know;
 * - `ask` leaves it to a person.
 */
export type EffectPolicy<TMachine extends AnyStateMachine = AnyStateMachine> =
  | (Timed & { readonly policy?: 'retry'; readonly retries?: RetryPolicy })
  | (Timed & {
      readonly policy: 'verify'
      readonly retries?: RetryPolicy
      // Written as a method: a policy of one machine is taken for that of any.
      verify(args: EffectArgs<TMachine>, params: never): Promise<EffectAnswer> | EffectAnswer
    })
  | (Timed & { readonly policy: 'ask' })

/** How many crashes are taken care of within a time; the one after them escalates. */
export type CrashBudget = {
  /** Default 3. */
  readonly max?: number
  /** In ms; default 60,000. */
  readonly withinMs?: number
}

/** What becomes of a child. */
export type ActorPolicy = Timed & {
  /** For a promise, callback or observable: a failure is tried again before the machine hears of it. Default never. */
  readonly retries?: RetryPolicy
  /**
   * For a child with a stream of its own that crashes: its parent hears of the error, as in XState (`escalate`, the
   * default); it begins anew as a new stream with its first input (`restart`); it passes over the event and goes on
   * (`resume`); or it ends, and its parent is not told (`stop`).
   */
  readonly onCrash?: 'escalate' | 'restart' | 'resume' | 'stop'
  readonly budget?: CrashBudget
}

/** The state of an actor at a change of versions, as its machine knows it. */
export type MigratingState = { readonly value: unknown; readonly context: unknown }

export type MigratedState = MigratingState & {
  /** New names for children, and for timers and their events, such as `xstate.after.1000.order.waiting`. */
  readonly rename?: Readonly<Record<string, string>>
  /** Ids of promises, callbacks, observables and timers that do not go on. */
  readonly drop?: readonly string[]
}

/** An older version of a machine. */
export type VersionStep = {
  /** The machine as it was; without it, today's must replay what the old one decided. */
  readonly machine?: AnyStateMachine
  /** From the state of this version to that of the next one; default as it is. */
  readonly migrate?: (state: never) => MigratedState
}

export type MachinePolicies = {
  /** Older versions of the machine, the oldest first, by version. */
  readonly versions?: { readonly [version: string]: VersionStep }
  /** By the action's name; actions that are not named here run at most once. */
  readonly effects?: { readonly [action: string]: EffectPolicy }
  /** Whether a `restart` is that of the child alone (default), or of all children of the machine. */
  readonly strategy?: 'one-for-one' | 'all-for-one'
  /** How many events from outside may wait for one actor; default that of the runtime. */
  readonly mailboxLimit?: number
  /** By the name of the child's logic in `setup({ actors })`. */
  readonly actors?: { readonly [src: string]: ActorPolicy & MachinePolicies }
}

/** Those of a machine whose actors are roots. */
export type RootPolicies = MachinePolicies & {
  /** After a crash it waits for a person (`park`, the default), or passes over the event and goes on (`resume`). */
  readonly onCrash?: 'park' | 'resume'
  readonly budget?: CrashBudget
}

/** The same, for the actions that this machine has. */
type PoliciesFor<TMachine extends AnyStateMachine> = Omit<RootPolicies, 'effects'> & {
  readonly effects?: { readonly [TName in ActionNames<TMachine>]?: EffectPolicy<TMachine> }
}

type ActionNames<TMachine> =
  TMachine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer _Actor,
    infer TAction,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema
  >
    ? TAction['type']
    : string

/** A machine with its policies, as `createRuntime({ machines })` takes it. */
export type MachineWithPolicies = RootPolicies & { readonly machine: AnyStateMachine }

/**
 * Declares which named actions of a machine are owed, what its children are given, and what happens when it crashes.
 *
 * Actors of the machine are spawned and found with the machine itself.
 */
export function withPolicies<TMachine extends AnyStateMachine>(
  machine: TMachine,
  policies: PoliciesFor<TMachine>,
): MachineWithPolicies {
  return { ...(policies as RootPolicies), machine }
}

/** The machine and its policies, however it was registered. */
export function asRegistered(given: AnyStateMachine | MachineWithPolicies): MachineWithPolicies {
  return 'machine' in given ? given : { machine: given }
}

/**
 * How an action is being run, if it is owed; `undefined` if it was not declared as such, or runs in plain XState.
 * `args`: what the action's implementation is called with.
 */
export function effectOf(args: object): EffectRun | undefined {
  return (args as { effect?: EffectRun }).effect
}

const timed = { timeoutMs: z.number().positive().optional() }

const retriesSchema = z.strictObject({
  attempts: z.number().int().positive().optional(),
  delayMs: z.number().nonnegative().optional(),
  factor: z.number().min(1).optional(),
  maxDelayMs: z.number().nonnegative().optional(),
  jitter: z.number().min(0).max(1).optional(),
  isRetryable: z.custom((value) => value === undefined || typeof value === 'function').optional(),
})

const effectSchema = z.union([
  z.strictObject({ ...timed, policy: z.literal('retry').optional(), retries: retriesSchema.optional() }),
  z.strictObject({
    ...timed,
    policy: z.literal('verify'),
    retries: retriesSchema.optional(),
    verify: z.custom((value) => typeof value === 'function', 'a policy `verify` needs a function `verify`'),
  }),
  z.strictObject({ ...timed, policy: z.literal('ask') }),
])

const budgetSchema = z.strictObject({
  max: z.number().int().nonnegative().optional(),
  withinMs: z.number().positive().optional(),
})

const versionSchema = z.strictObject({
  machine: z
    .custom(
      (value) => typeof value === 'object' && value !== null && '__xstatenode' in value,
      'expected a machine',
    )
    .optional(),
  migrate: z.custom((value) => typeof value === 'function', 'expected a function').optional(),
})

const policiesSchema = z.strictObject({
  strategy: z.enum(['one-for-one', 'all-for-one']).optional(),
  mailboxLimit: z.number().int().positive().optional(),
  versions: z.record(z.string(), versionSchema).optional(),
  effects: z.record(z.string(), effectSchema).optional(),
  get actors() {
    return z.record(z.string(), actorSchema).optional()
  },
})

const actorSchema = policiesSchema.extend({
  ...timed,
  retries: retriesSchema.optional(),
  onCrash: z.enum(['escalate', 'restart', 'resume', 'stop']).optional(),
  budget: budgetSchema.optional(),
})

const rootSchema = policiesSchema.extend({
  onCrash: z.enum(['park', 'resume']).optional(),
  budget: budgetSchema.optional(),
})

/** @throws RuntimeError `INPUT_INVALID`, with the path of what is wrong */
export function assertPolicies(policies: RootPolicies, machineId: string): void {
  const result = rootSchema.safeParse(policies)
  if (result.success) return
  const issue = result.error.issues[0]
  throw badPolicy(machineId, issue?.path.map(String).join('.') ?? '', issue?.message ?? 'unknown trouble')
}

/** The policies of one machine must be about what it has. @throws RuntimeError `INPUT_INVALID` */
export function assertNamed({
  policies,
  ...machine
}: {
  readonly policies: MachinePolicies
  readonly name: string
  readonly original: AnyStateMachine
}): void {
  const { actions, actors } = machine.original.implementations
  for (const name of Object.keys(policies.effects ?? {})) {
    const action: unknown = (actions as Record<string, unknown>)[name]
    if (typeof action !== 'function') {
      throw badPolicy(
        machine.name,
        `effects.${name}`,
        `setup({ actions }) has no such action: it has ${named(actions)}`,
      )
    }
    if ('resolve' in action) {
      throw badPolicy(
        machine.name,
        `effects.${name}`,
        'it is one of the actions that XState itself does, and nothing is owed for it',
      )
    }
  }
  for (const name of Object.keys(policies.actors ?? {})) {
    if (name in actors) continue
    throw badPolicy(
      machine.name,
      `actors.${name}`,
      `setup({ actors }) has no such logic: it has ${named(actors)}`,
    )
  }
}

function named(things: object): string {
  return (
    Object.keys(things)
      .map((name) => `"${name}"`)
      .join(', ') || 'none'
  )
}

function badPolicy(machine: string, path: string, reason: string): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `The policies of machine "${machine}" are wrong at "${path}": ${reason}.`,
    expected: 'Policies of the documented shape, for actions and actors that the machine names in setup().',
    todo: 'Correct them; nothing was written.',
    details: { what: 'policies', path, machine },
  })
}
