/** What a runtime is to those who use it: the doors that everything outside goes through. */
import type { AnyStateMachine } from 'xstate'
import type { EventStore } from '../eventstore/event-store.ts'
import type { AgentService } from './agents/agent-service.ts'
import type { Erasing } from './embedding/erasing.ts'
import type { Guards } from './guards.ts'
import type { History } from './history.ts'
import type { PermissionHookRegistry } from './permissions/hook-registry.ts'
import type { ProjectDoors } from './project-services.ts'
import type { Ask } from './runtime/cell/ask.ts'
import type { Receipt, SendOptions } from './runtime/cell/cell.ts'
import type { Clock, NewId } from './runtime/clock.ts'
import type { DeadLetters } from './runtime/delivery/dead-letter-desk.ts'
import type { DurableActor } from './runtime/cell/durable-actor.ts'
import type { Engine } from './runtime/engine.ts'
import type { RuntimeLogger } from './runtime/event-logger.ts'
import type { Parked } from './runtime/parked.ts'
import type { SpawnOptions } from './runtime/spawn-options.ts'
import type { SessionService } from './sessions/session-service.ts'
import type { SessionLike } from './sessions/session.ts'

export interface Runtime extends History, Guards, ProjectDoors, Erasing {
  readonly project: string
  /** Absolute path of the project's folder; `null` in memory. */
  readonly path: string | null
  readonly store: EventStore
  readonly sessions: SessionService
  readonly agents: AgentService
  readonly permissions: PermissionHookRegistry
  readonly newId: NewId
  readonly clock: Clock
  /** Where a person opens the inspector; `null` without one. */
  readonly inspectorUrl: string | null
  /** Actors that wait for something only a person can give. */
  readonly parked: readonly Parked[]
  /** What was given up on: mail that nobody took, actions and leaves whose attempts have all failed. */
  readonly deadLetters: DeadLetters
  /** Named actions that are owed: which there are, and what a person says of those in doubt. */
  readonly effects: Engine['effects']
  spawn<TMachine extends AnyStateMachine>(
    machine: TMachine,
    options: SpawnOptions<TMachine>,
  ): Promise<DurableActor<TMachine>>
  get<TMachine extends AnyStateMachine>(
    machine: TMachine,
    id: string,
  ): Promise<DurableActor<TMachine> | undefined>
  send(id: string, event: { type: string }, options?: SendOptions): Promise<Receipt>
  /** Sends an event and waits for the state, or the emitted event, that answers it. */
  readonly ask: Ask
  /** Lets a root that crashed, and is parked, go on from before the event that it crashed on. */
  revive(id: string, options?: SendOptions): Promise<Receipt>
  /** Ends an actor for good, on the record. */
  stop(id: string): Promise<Receipt>
  /** Where the runtime and the article's `logger` write. */
  readonly logger: RuntimeLogger
  /**
   * Starts the run that works for a session, if its role has code (`defineRole` with a function); resolves with its
   * id. A session that another one starts is attended by itself.
   */
  attend(session: SessionLike, options?: { readonly run_id?: string }): Promise<string | undefined>
  /** Runs code in a scope in which the article's functions work; its own session ends when it settles. */
  run<T>(fn: () => Promise<T> | T): Promise<T>
  /** Finishes what is being written, stops what runs, closes the log. What is owed goes on at the next opening. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
