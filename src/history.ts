/** The runtime's doors into the past of its actors: replay, verify, fork. */
import type { AnyStateMachine } from 'xstate'
import { queryOver, type LogQuery } from './query/log-query.ts'
import { knownMachines, type KnownMachines } from './query/state-at.ts'
import { replayTo, type ReplayedState, type ReplayOptions } from './query/time-travel.ts'
import { verifyLog, type VerifyLogOptions, type VerifyLogReport } from './query/verify-log.ts'
import type { NewId } from './runtime/clock.ts'
import type { Engine } from './runtime/engine.ts'
import type { Fork } from './runtime/forks/fork-copy.ts'
import type { ResumeOptions } from './runtime/forks/forks.ts'
import type { HeldBack } from './runtime/forks/held-back.ts'
import type { MachineWithPolicies } from './runtime/policies.ts'
import { assertForkable } from './sessions/fork-guard.ts'

export type VerifyOptions = Omit<VerifyLogOptions, 'machines'> & {
  /** Machines beside those of the runtime; one of the same name and version takes its place. */
  readonly machines?: readonly (AnyStateMachine | MachineWithPolicies)[]
}

export type ForkOptions = {
  /** The last version that is taken over; default the last there is. */
  readonly at?: number | 'last'
  /** Default a new one, `fork_…`. */
  readonly newId?: string
  /** Hold nothing back: what it inherits begins at once. */
  readonly live?: boolean
}

export interface History {
  /** Questions to the log: states, changes, causes, decisions, costs. Nothing is run by them. */
  readonly query: LogQuery
  /**
   * The state of an actor at a version, a position or a moment of its past, by replay: no effect and no hook is run.
   *
   * @throws QueryError `QUERY_NOT_FOUND`, saying what there is, `QUERY_REPLAY_DIVERGED`; RuntimeError
   * `MACHINE_UNKNOWN`, `INPUT_INVALID`; EventStoreError `ES_CORRUPT`
   */
  replay(id: string, options?: ReplayOptions): Promise<ReplayedState>
  /**
   * Checks every record, and that every stream folds through today's machines as it was recorded. Changes nothing;
   * what it finds is in the report.
   *
   * @throws QueryError `QUERY_NOT_FOUND` for a `streamId` that is not there, `QUERY_MACHINE_INVALID`; RuntimeError
   * `MACHINE_NOT_DURABLE`; the signal's reason
   */
  verify(options?: VerifyOptions): Promise<VerifyLogReport>
  /**
   * Begins a new actor from the first events of another, which is never touched. It decides and records what it is
   * sent; what it would do to the world is held back until `resumeFork`, over restarts as well, unless `live` is given.
   *
   * @throws RuntimeError `ACTOR_NOT_FOUND`, `ACTOR_EXISTS`, `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`, `INPUT_INVALID`;
   * `FORK_REFUSED` for sessions, runs and tool calls
   */
  fork(id: string, options?: ForkOptions): Promise<Fork>
  /**
   * What a paused fork holds back: declared actions, leaves, timers and mail; nothing if it was let go.
   *
   * @throws RuntimeError `ACTOR_NOT_FOUND`, `FORK_UNKNOWN`
   */
  heldBack(id: string): Promise<HeldBack>
  /**
   * Lets a paused fork go: what it holds back begins, by its policies and under keys of its own, but for the actions
   * whose keys are in `abandon`. Actions of the time in between that are not declared are not made up for. A fork that
   * was let go before stays as it is.
   *
   * @throws RuntimeError `ACTOR_NOT_FOUND`, `FORK_UNKNOWN`, `FORK_REFUSED`, `MACHINE_UNKNOWN`, `ACTOR_DIVERGED`;
   * `EFFECT_UNKNOWN` for a key in `abandon` that it does not hold
   */
  resumeFork(id: string, options?: ResumeOptions): Promise<void>
}

export type HistoryHost = {
  readonly engine: Engine
  /** All that the engine knows. */
  readonly machines: readonly (AnyStateMachine | MachineWithPolicies)[]
  readonly newId: NewId
}

export function createHistory({ engine, machines, newId }: HistoryHost): History {
  const { store, forks } = engine
  let prepared: KnownMachines | undefined
  const known = (): KnownMachines => (prepared ??= knownMachines(machines))
  return {
    query: queryOver(store, known),
    replay: async (id, options = {}) => replayTo(store, id, { ...options, machines: known() }),
    async verify({ machines: more = [], ...options } = {}) {
      return verifyLog(store, { ...options, machines: new Map([...known(), ...knownMachines(more)]) })
    },
    async fork(id, { at = 'last', newId: forkId = newId('fork'), live = false } = {}) {
      await assertForkable(store, id, 'fork')
      return forks.fork({ id, at, newId: forkId, paused: !live })
    },
    heldBack: (id) => forks.heldBack(id),
    async resumeFork(id, options) {
      await assertForkable(store, id, 'resume')
      await forks.resume(id, options)
    },
  }
}
