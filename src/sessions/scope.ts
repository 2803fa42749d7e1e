/** The ambient scope: in which runtime, for which session, and inside which durable handler the current code runs. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Role } from '../../machines/session-record.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** A durable call inside a handler: recorded once, returned as recorded ever after. */
export type DurableCall<TData, TResult> = {
  readonly kind: string
  readonly name: string
  /** Makes what the call must keep over a restart, such as ids; recorded before `execute` runs. */
  readonly prepare?: () => TData
  readonly execute: (data: TData) => Promise<TResult>
  /** While it is carried out nobody but others is at work: the handler cannot give signs of life. */
  readonly waits?: true
}

/** Runs durable calls; a handler has one, code outside of a handler runs its calls directly. */
export type DurableCalls = {
  call<TData, TResult>(call: DurableCall<TData, TResult>): Promise<TResult>
}

/** What was started in a scope, in the order of the calls; handoffs find their receiver through it. */
export type ChildSlot = { readonly id: Promise<string>; readonly role: Role; readonly handoffs: Set<string> }

export type Scope<TRuntime = unknown> = {
  readonly runtime: TRuntime
  /** The session that the calls of this scope belong to; `null` until one is started. */
  owner: { readonly id: string; readonly role: Role; readonly project: string } | null
  /** The run whose handler this is; `null` outside of handlers. */
  readonly runId: string | null
  readonly durable: DurableCalls | null
  /** Aborts when the handler is stopped; `null` outside of handlers. */
  readonly signal: AbortSignal | null
  /** The session most recently started here: what `nameSession` without an id means. */
  current: string | null
  readonly children: ChildSlot[]
  /** The session that this code was started to work for; the first start of its role and project means that one. */
  adoptable: boolean
  /** Handoffs that were loaded here: the next load wants another one. */
  readonly claimed: Set<string>
}

const storage = new AsyncLocalStorage<Scope>()

/** Runs `fn` in a scope of its own. */
export function runInScope<TRuntime, T>(scope: Scope<TRuntime>, fn: () => T): T {
  return storage.run(scope, fn)
}

/** The scope that the caller is in, if any. */
export function currentScope<TRuntime>(): Scope<TRuntime> | undefined {
  return storage.getStore() as Scope<TRuntime> | undefined
}

/** @throws RuntimeError `NO_AMBIENT_SESSION` outside of a scope. */
export function requireScope<TRuntime>(caller: string): Scope<TRuntime> {
  const scope = currentScope<TRuntime>()
  if (scope !== undefined) return scope
  throw new RuntimeError('NO_AMBIENT_SESSION', {
    happened: `${caller}() was called outside of a scope.`,
    expected: 'Code inside runtime.run(fn), a handler, or a job started by `agentctl run`.',
    todo: `Wrap the code in runtime.run(async () => { … }), or use the runtime's own methods with explicit ids.`,
  })
}

/** Runs a call durably inside a handler, directly elsewhere. */
export function durably<TData, TResult>(scope: Scope, call: DurableCall<TData, TResult>): Promise<TResult> {
  if (scope.durable !== null) return scope.durable.call(call)
  return call.execute(call.prepare?.() as TData)
}

/**
 * Keeps a call that nobody awaits from ending the process when it fails: the article's own code starts things in
 * passing. Who awaits it gets the error all the same.
 */
export function inPassing<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** A fresh scope that belongs to no session yet. */
export function emptyScope<TRuntime>(runtime: TRuntime): Scope<TRuntime> {
  return {
    runtime,
    owner: null,
    runId: null,
    durable: null,
    signal: null,
    current: null,
    children: [],
    adoptable: false,
    claimed: new Set(),
  }
}
