/**
 * The durable-actor engine: spawns, finds, wakes and stops actors of any registered machine.
 *
 * Owns: the machines by name, the live cells by stream id, the list of what is parked.
 * Never: knows what a session, an agent or a tool is.
 *
 * I1. At most one cell lives per stream; who asks while it wakes waits for the same one.
 * I2. After `recover`, every stream that owes work is awake or parked with its reason.
 */
import type { AnyStateMachine, InputFrom } from 'xstate'
import type { EventStore } from '../../eventstore/event-store.ts'
import { Cell, type CellHost, type Receipt, type SendOptions } from './cell.ts'
import type { Clock } from './clock.ts'
import { durableActor, type DurableActor } from './durable-actor.ts'
import { durableMachine, type DurableMachine } from './durable-machine.ts'
import { recordDefinition } from './definition.ts'
import { streamsThatOwe } from './owed.ts'
import { createRefusalLog } from './refusal-log.ts'
import { RuntimeError } from './runtime-error.ts'

/** How many actors recover at once. */
const RECOVERY_CONCURRENCY = 16

export type SpawnOptions<TMachine extends AnyStateMachine> = {
  readonly id: string
  /** What to do if the stream exists: wake and return it (default), or throw `ACTOR_EXISTS`. */
  readonly ifExists?: 'get' | 'error'
  /** Type of the stream's first event; default `actor.created`. */
  readonly createdAs?: string
  /** What all its events belong to; default its own id. */
  readonly correlationId?: string
  readonly source?: string
} & (undefined extends InputFrom<TMachine>
  ? { readonly input?: InputFrom<TMachine> }
  : { readonly input: InputFrom<TMachine> })

/** An actor that waits for something only a person can give. */
export type Parked = { readonly id: string; readonly reason: string; readonly code: string }

export type FoundActor = {
  readonly machine: string
  readonly actor: DurableActor
  /** What all its events belong to. */
  readonly correlationId: string
}

export interface Engine {
  readonly store: EventStore
  readonly clock: Clock
  spawn<TMachine extends AnyStateMachine>(
    machine: TMachine,
    options: SpawnOptions<TMachine>,
  ): Promise<DurableActor<TMachine>>
  /** The actor with this id, awake; `undefined` if there is none. */
  get<TMachine extends AnyStateMachine>(
    machine: TMachine,
    id: string,
  ): Promise<DurableActor<TMachine> | undefined>
  /** The same, whatever its machine. */
  find(id: string): Promise<FoundActor | undefined>
  send(id: string, event: { type: string }, options?: SendOptions): Promise<Receipt>
  /** Like `send`, for outcomes of work that already happened. */
  sendOutcome(id: string, event: { type: string }, options?: SendOptions): Promise<Receipt>
  recover(): Promise<void>
  readonly parked: readonly Parked[]
  onError(error: unknown): void
  close(): Promise<void>
}

export type EngineOptions = {
  readonly store: EventStore
  readonly machines: readonly AnyStateMachine[]
  readonly clock: Clock
  readonly onError: (error: unknown) => void
  readonly onWarning?: (message: string) => void
}

/** Opens an engine over a store. `recover()` wakes what owes work. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { store, clock } = options
  const machines = new Map<string, DurableMachine>()
  const cells = new Map<string, Cell>()
  const waking = new Map<string, Promise<Cell | undefined>>()
  const parked = new Map<string, Parked>()
  const refusals = createRefusalLog(store, clock)
  let closing: Promise<void> | undefined

  for (const machine of options.machines) {
    const durable = durableMachine(machine)
    if (machines.has(durable.name)) throw duplicateMachine(durable.name)
    machines.set(durable.name, durable)
    for (const warning of durable.warnings) options.onWarning?.(`${durable.label}: ${warning}`)
    await recordDefinition(store, durable)
  }

  const host: CellHost = {
    store,
    clock,
    recordRefusal: (refusal) => refusals.record(refusal),
    onError: options.onError,
    onBroken: (cell) => {
      if (cells.get(cell.id) === cell) cells.delete(cell.id)
    },
  }

  const wake = (id: string): Promise<Cell | undefined> => {
    assertOpen()
    const live = cells.get(id)
    if (live !== undefined) return Promise.resolve(live)
    const started = waking.get(id) ?? load(id).finally(() => waking.delete(id))
    waking.set(id, started)
    return started
  }
  const load = async (id: string): Promise<Cell | undefined> => {
    const head = await store.head(id)
    if (head === undefined) return undefined
    const machine = machines.get(head.machine.slice(0, head.machine.lastIndexOf('@')))
    if (machine === undefined || machine.label !== head.machine)
      throw unknownMachine(id, head.machine, machines)
    const cell = new Cell(id, machine, host)
    await cell.load()
    cells.set(id, cell)
    cell.resume()
    return cell
  }
  const create = async (machine: DurableMachine, spawn: SpawnOptions<AnyStateMachine>): Promise<Cell> => {
    const cell = new Cell(spawn.id, machine, host)
    await cell.create({
      type: spawn.createdAs ?? 'actor.created',
      input: spawn.input,
      correlationId: spawn.correlationId ?? spawn.id,
      source: spawn.source ?? '',
    })
    cells.set(spawn.id, cell)
    return cell
  }
  const mustWake = async (id: string): Promise<Cell> => {
    const cell = await wake(id)
    if (cell === undefined) throw noActor(id)
    return cell
  }
  const reference = <TMachine extends AnyStateMachine>(id: string): DurableActor<TMachine> =>
    durableActor<TMachine>(id, {
      cell: () => {
        const cell = cells.get(id)
        if (cell === undefined) throw noActor(id)
        return cell
      },
      resolve: () => mustWake(id),
      onError: options.onError,
    })
  const registered = (machine: AnyStateMachine): DurableMachine => {
    const durable = machines.get(machine.id)
    if (durable === undefined) throw unregisteredMachine(machine.id, machines)
    return durable
  }
  const assertOpen = (): void => {
    if (closing !== undefined) throw closed()
  }

  const engine: Engine = {
    store,
    clock,
    onError: options.onError,
    get parked() {
      return [...parked.values()]
    },
    async spawn(machine, spawn) {
      const durable = registered(machine)
      const existing = await wake(spawn.id)
      if (existing !== undefined) {
        assertSameMachine(existing, durable)
        if (spawn.ifExists === 'error') throw actorExists(spawn.id)
        return reference(spawn.id)
      }
      const created = create(durable, spawn as SpawnOptions<AnyStateMachine>)
      waking.set(
        spawn.id,
        created.then(
          (cell) => cell,
          () => undefined,
        ),
      )
      try {
        await created
      } finally {
        waking.delete(spawn.id)
      }
      return reference(spawn.id)
    },
    async get(machine, id) {
      const durable = registered(machine)
      const cell = await wake(id)
      if (cell === undefined) return undefined
      assertSameMachine(cell, durable)
      return reference(id)
    },
    async find(id) {
      const cell = await wake(id)
      return cell && { machine: cell.machine.name, actor: reference(id), correlationId: cell.correlationId }
    },
    send: async (id, event, sendOptions) => (await mustWake(id)).send(event, sendOptions),
    sendOutcome: async (id, event, sendOptions) => (await mustWake(id)).sendOutcome(event, sendOptions),
    async recover() {
      const owing = await streamsThatOwe(store)
      const wakeNext = async (): Promise<void> => {
        for (let id = owing.shift(); id !== undefined; id = owing.shift()) {
          try {
            await wake(id)
          } catch (error) {
            const code = String((error as { code?: unknown }).code ?? 'ACTOR_FAILED')
            parked.set(id, { id, code, reason: (error as Error).message })
          }
        }
      }
      await Promise.all(Array.from({ length: RECOVERY_CONCURRENCY }, wakeNext))
    },
    close() {
      closing ??= (async () => {
        await Promise.all([...cells.values()].map((cell) => cell.close()))
        await refusals.flush()
      })()
      return closing
    },
  }
  return engine
}

function assertSameMachine(cell: Cell, machine: DurableMachine): void {
  if (cell.machine.name === machine.name) return
  throw new RuntimeError('ACTOR_MACHINE_MISMATCH', {
    happened: `"${cell.id}" is an actor of machine "${cell.machine.label}", not of "${machine.label}".`,
    expected: 'An id belongs to one machine for ever.',
    todo: 'Use another id, or ask for it with its own machine.',
  })
}

function actorExists(id: string): RuntimeError {
  return new RuntimeError('ACTOR_EXISTS', {
    happened: `There is an actor "${id}" already.`,
    expected: "With ifExists: 'error', an id that is new.",
    todo: "Use another id, or leave ifExists at 'get' to have the existing actor.",
  })
}

function noActor(id: string): RuntimeError {
  return new RuntimeError('ACTOR_NOT_FOUND', {
    happened: `There is no actor "${id}".`,
    expected: 'The id of an actor that was spawned in this folder.',
    todo: 'Check the id; `agentctl log` lists what is there.',
  })
}

function duplicateMachine(name: string): RuntimeError {
  return new RuntimeError('MACHINE_DUPLICATE', {
    happened: `Two machines have the id "${name}".`,
    expected: 'Each registered machine has an id of its own.',
    todo: 'Rename one of them.',
  })
}

function unregisteredMachine(name: string, machines: ReadonlyMap<string, unknown>): RuntimeError {
  return new RuntimeError('MACHINE_UNKNOWN', {
    happened: `Machine "${name}" is not registered.`,
    expected: `One of: ${[...machines.keys()].join(', ')}.`,
    todo: 'Give it to createRuntime({ machines: [...] }), so that its actors can recover.',
  })
}

function unknownMachine(
  id: string,
  label: string,
  machines: ReadonlyMap<string, DurableMachine>,
): RuntimeError {
  const known = [...machines.values()].map((m) => m.label).join(', ')
  return new RuntimeError('MACHINE_UNKNOWN', {
    happened: `"${id}" was written by machine "${label}", which is not registered.`,
    expected: `A registered machine of that name and version; there are: ${known}.`,
    todo: 'Register the machine that wrote it; until then the actor stays parked, and nothing of it is lost.',
    details: { stream_id: id, machine: label },
  })
}

function closed(): RuntimeError {
  return new RuntimeError('RUNTIME_CLOSED', {
    happened: 'The runtime is closed.',
    expected: 'An open runtime.',
    todo: 'Open it again with createRuntime; what is on disk is intact.',
  })
}
