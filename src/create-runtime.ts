/** The composition root: joins the log, the engine, sessions, agents, permissions and the actors into one runtime. */
import { setMaxListeners } from 'node:events'
import { realpath } from 'node:fs/promises'
import { resolve, join, basename, dirname } from 'node:path'
import type { AnyStateMachine } from 'xstate'
import type { SealedStore } from '../eventstore/sealing/sealed-store.ts'
import { openLevelSnapshots } from '../eventstore/level-event-store.ts'
import { createMemoryEventStore } from '../eventstore/memory-event-store.ts'
import { agentMachine } from '../machines/agent.machine.ts'
import { webhookMachine } from '../machines/webhook.machine.ts'
import { OUR_MACHINES } from '../machines/our-machines.ts'
import type { Role } from '../machines/session-record.ts'
import { admitRun } from './agents/admission.ts'
import { createAgentRegistry } from './agents/agent-registry.ts'
import { createAgentService } from './agents/agent-service.ts'
import type { Tool } from './agents/define-tool.ts'
import type { Attempts } from './agents/attempts.ts'
import { parkedRun, resumeWhatCameBack } from './agents/parked-runs.ts'
import type { RunnerHost } from './agents/attempt.ts'
import { runHandler } from './agents/handler-runner.ts'
import { silentRuns, type Heartbeats } from './agents/heartbeat.ts'
import { createRunQueue, queueLimits } from './agents/run-queue.ts'
import { postingMachine } from './agents/webhooks.ts'
import { attendSession, roleAgents } from './agents/role-runs.ts'
import { createGuards } from './guards.ts'
import { createErasing } from './embedding/erasing.ts'
import { sealStore } from './embedding/sealing.ts'
import { forgetFiles, projectServices } from './project-services.ts'
import { createHistory } from './history.ts'
import { liveActors } from './embedding/live-actors.ts'
import { NO_DOORS, openDoors } from './embedding/doors.ts'
import { defaultLogger } from './embedding/log-level.ts'
import { assertSupportedHost } from './embedding/host.ts'
import { createCommandPort } from './command-port.ts'
import { PermissionHookRegistry } from './permissions/hook-registry.ts'
import { createLifecycleGate } from './permissions/lifecycle-gate.ts'
import { leafLogic } from './runtime/cell/callback-logic.ts'
import { newUuidId, systemClock } from './runtime/clock.ts'
import { logEvents } from './runtime/event-logger.ts'
import { createEngine, type Engine } from './runtime/engine.ts'
import { asRegistered } from './runtime/policies.ts'
import { RuntimeError } from './runtime/runtime-error.ts'
import { isEndOfStore } from './runtime/store-end.ts'
import { checkedInput } from './runtime/checked-input.ts'
import { openDirectory } from './sessions/directory.ts'
import { LISTED_MACHINES } from './sessions/session-events.ts'
import { deliverUndelivered } from './sessions/handoff-delivery.ts'
import { roleTable } from './sessions/roles.ts'
import { runScoped } from './sessions/run-scoped.ts'
import type { Runtime } from './runtime-interface.ts'
import { DEFAULT_LOCK_TIMEOUT_MS, openProjectStore } from './embedding/open-project-store.ts'
import { openOnce } from './embedding/open-runtimes.ts'
import { prepareProjectFolder } from './embedding/project-folder.ts'
import { codeOf, optionsSchema, type RuntimeOptions } from './runtime-options.ts'
import { createSessionService } from './sessions/session-service.ts'
import { createSpawnRules, DEFAULT_SPAWN_LIMITS } from './sessions/spawn-rules.ts'

export type { Runtime } from './runtime-interface.ts'
export type { RuntimeOptions } from './runtime-options.ts'

/**
 * Opens a runtime and recovers what was under way.
 *
 * @throws EventStoreError `ES_LOCKED` when another process keeps the folder open, naming it, or this one has and
 * `ifOpen` is not `share`; RuntimeError `RUNTIME_IN_CLUSTER`, `RUNTIME_IN_THREAD`, `MACHINE_NOT_DURABLE`, `AGENT_EXISTS`,
 * `INPUT_INVALID`, `PROJECT_FOLDER_TAKEN`, `PROJECT_FORMAT`, `HOST_UNSUPPORTED`
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  assertSupportedHost(process.versions)
  checkedInput(optionsSchema, options, 'createRuntime')
  const path = options.path === undefined ? null : resolve(options.path)
  if (path === null || options.store !== undefined) return open(options, path)
  const { runtime, missing } = await openOnce(await realpath(path).catch(() => path), {
    ifOpen: options.ifOpen ?? 'error',
    brings: codeOf(options),
    open: () => open(options, path),
  })
  const logger = options.logger ?? defaultLogger(options.logLevel, process.env)
  for (const one of missing)
    logger.warn(
      { path },
      `the runtime that is shared was opened without ${one}: restart the process to have it`,
    )
  return runtime
}

async function open(options: RuntimeOptions, path: string | null): Promise<Runtime> {
  const clock = options.clock ?? systemClock
  const newId = options.newId ?? newUuidId
  const project = options.project ?? (path === null ? 'default' : basename(dirname(path)) || 'default')
  const logger = options.logger ?? defaultLogger(options.logLevel, process.env)
  const onError =
    options.onError ?? ((err: unknown) => logger.error({ err }, 'trouble that nobody was waiting for'))
  const agents = createAgentRegistry([...(options.agents ?? []), ...roleAgents(options.roles ?? [])])
  assertDistinctNames(options.tools ?? [])
  const registry =
    options.hooks instanceof PermissionHookRegistry
      ? options.hooks
      : PermissionHookRegistry.from(options.hooks ?? {})
  if (path !== null) await prepareProjectFolder(path)
  const stored =
    options.store ??
    (path === null
      ? createMemoryEventStore({
          clock: () => clock.now(),
          ...(options.newEventId && { newId: options.newEventId }),
        })
      : await openProjectStore({
          path: join(path, 'log'),
          clock: () => clock.now(),
          lockTimeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
        }))

  const aftermath: Aftermath = { forget: path === null ? async () => {} : (ids) => forgetFiles(path, ids) }
  try {
    const sealing = await sealStore(stored, {
      sealing: options.sealing,
      path,
      newEventId: options.newEventId,
      onErased: ({ streams }) => aftermath.forget(streams),
    })
    return await compose({
      ...options,
      clock,
      newId,
      logger,
      onError,
      project,
      path,
      store: sealing ?? stored,
      sealing,
      aftermath,
      registry,
      agents,
    })
  } catch (error) {
    if (options.store === undefined) await stored.close()
    throw error
  }
}

/** What is to be done when a subject was erased: of the files alone, until there is a runtime. */
type Aftermath = { forget: (streams: readonly string[]) => Promise<void> }

/** The options, with what was left out of them filled in. */
type Parts = Omit<RuntimeOptions, 'path' | 'agents' | 'hooks' | 'sealing'> &
  Required<Pick<RuntimeOptions, 'clock' | 'newId' | 'logger' | 'onError' | 'project' | 'store'>> & {
    readonly path: string | null
    readonly sealing: SealedStore | undefined
    readonly aftermath: Aftermath
    readonly registry: PermissionHookRegistry
    readonly agents: ReturnType<typeof createAgentRegistry>
  }

async function compose(parts: Parts): Promise<Runtime> {
  const { clock, newId, logger, onError, project, store, registry } = parts
  const queue = createRunQueue(queueLimits(parts.maxConcurrent))
  const gate = createLifecycleGate(registry, { clock, hookTimeoutMs: parts.hookTimeoutMs })

  // The agents' machine runs handlers, handlers use the engine, the engine runs the machine: the knot is tied late.
  const knot: { engine?: Engine; host?: RunnerHost } = {}
  const runnable = agentMachine.provide({
    actors: {
      admission: leafLogic<{ run_id: string }>(async ({ run_id }, signal) => {
        const { engine } = required(knot)
        await admitRun({ engine, gate, queue }, run_id, signal)
      }, onError) as never,
      handler: leafLogic<{ run_id: string; role: Role; project?: string }>(async (run, signal) => {
        const { host } = required(knot)
        const { run_id, role, project: of } = run
        const pass = queue.adopt({ id: run_id, role, project: of })
        const release = (): void => pass.release()
        signal.addEventListener('abort', release, { once: true })
        await runHandler(host, run_id, signal).finally(release)
      }, onError) as never,
    },
  })
  const heartbeats: Heartbeats = new Map()
  const closing = new AbortController()
  // Ends every wait, when the runtime closes or its store is dead.
  // Every wait listens to it, and takes its listener back.
  setMaxListeners(0, closing.signal)
  const posting = postingMachine({
    engine: () => required(knot).engine,
    secret: parts.webhooks?.secret,
    onError,
  })
  const provided = new Map<AnyStateMachine, AnyStateMachine>([
    [agentMachine, runnable],
    [webhookMachine, posting],
  ])
  const ours = OUR_MACHINES.map((machine) => provided.get(machine) ?? machine)
  const machines = [...ours, ...(parts.machines ?? [])]
  const foldable = machines.map((one) => asRegistered(one).machine)
  const engine = await createEngine({
    store,
    clock,
    onError,
    onWarning: (message) => logger.warn({}, message),
    log: (...values) => logger.info({ values }, 'a machine logs'),
    openSnapshots:
      parts.path === null
        ? undefined
        : () =>
            openLevelSnapshots({
              path: join(String(parts.path), 'snapshots'),
              ...(parts.sealing && { seal: parts.sealing }),
            }),
    newEventId: parts.newEventId,
    snapshotEvery: parts.snapshotEvery,
    maxResident: parts.maxResident,
    indexed: LISTED_MACHINES,
    onStoreFailure(error) {
      if (closing.signal.aborted || !isEndOfStore(error)) return
      onError(error)
      closing.abort(error)
    },
    machines,
    ...(parts.random !== undefined && { random: parts.random }),
    ...(parts.graceMs !== undefined && { graceMs: parts.graceMs }),
    ...(parts.mailboxLimit !== undefined && { mailboxLimit: parts.mailboxLimit }),
  })
  const stopLogging = logEvents(store, logger)
  const surroundings = projectServices({ ...parts, store, clock, path: parts.path, onError })
  const directory = await openDirectory(store, onError, [surroundings.fold])
  parts.aftermath.forget = async (streams) => {
    await engine.forget(streams)
    directory.forget(new Set(streams))
    await surroundings.forget(streams)
  }
  const roles = roleTable(parts.roles ?? [])
  const assertMayStart = createSpawnRules(roles, {
    directory,
    limits: { ...DEFAULT_SPAWN_LIMITS, ...parts.limits },
  })
  const services = {
    engine,
    directory,
    gate,
    newId,
    defaultProject: project,
    closing: closing.signal,
    assertMayStart,
    strictHandoffs: parts.strictHandoffs,
  }
  const guards = await createGuards({
    ...services,
    queue,
    heartbeats,
    registry,
    hookTimeoutMs: parts.hookTimeoutMs,
    tools: parts.tools ?? [],
    options: parts,
    result: (runId) => agents.result({ agent_id: runId }),
  })
  const sessions = createSessionService(services)
  const agents = createAgentService({
    ...services,
    logger,
    queue,
    registry,
    definition: (id) => parts.agents.find(id),
    isAsking: (runId) => guards.handlers.approvals.isAsking(runId),
    armWebhook: (runId, url) => guards.armWebhook(runId, url),
    limitTree: (runId, budget) => guards.limitTree(runId, budget),
  })
  const commands = createCommandPort()
  const attempts: Attempts = new Map()
  const around = await surroundings.join({
    engine,
    directory,
    sessions,
    registry,
    newId,
    defaultProject: project,
    giveUpSilent: () => silentRuns(heartbeats),
  })

  let closed: Promise<void> | undefined
  let doors = NO_DOORS
  const runtime: Runtime = {
    project,
    path: parts.path,
    store,
    sessions,
    agents,
    permissions: registry,
    ...guards.doors,
    newId,
    clock,
    get inspectorUrl() {
      return doors.inspectorUrl
    },
    get parked() {
      return [...engine.parked, ...directory.current().flatMap(parkedRun)]
    },
    ...around.doors,
    ...createErasing(parts.sealing, clock),
    logger,
    attend: (session, attend) => attendSession({ agents, sessions, roles }, session, attend),
    deadLetters: engine.deadLetters,
    effects: engine.effects,
    spawn: (machine, spawn) => engine.spawn(machine, spawn),
    get: (machine, id) => engine.get(machine, id),
    send: (id, event, send) => engine.send(id, event, send),
    ask: engine.ask,
    revive: (id, options) => engine.revive(id, options),
    stop: async (id) => {
      const found = await engine.find(id)
      return found === undefined
        ? { accepted: false, version: 0, reason: `no actor "${id}"` }
        : found.actor.stop()
    },
    ...createHistory({ engine, machines, newId }),
    run: async (fn) => {
      closing.signal.throwIfAborted()
      return runScoped(runtime, fn)
    },
    close() {
      closed ??= (async () => {
        closing.abort(runtimeClosed())
        await around.stop()
        await Promise.all(Array.from(heartbeats.values(), (heartbeat) => heartbeat.flush()))
        await engine.close()
        await around.close()
        // Their groups are being ended; what is left of them after this call would be nobody's.
        await commands.ended()
        await doors.close()
        directory.close()
        stopLogging()
        await store.close()
      })()
      return closed
    },
    [Symbol.asyncDispose]: () => runtime.close(),
  }
  knot.engine = engine
  knot.host = {
    engine,
    registry,
    hookTimeoutMs: parts.hookTimeoutMs,
    newId,
    sessions,
    commands,
    leftovers: new Map(),
    attempts,
    heartbeats,
    random: parts.random ?? Math.random,
    ...guards.handlers,
    runtime: () => runtime,
    definition: (id) => parts.agents.find(id),
  }
  try {
    await engine.recover()
    await guards.recover()
    queue.open()
    await deliverUndelivered(engine, directory)
    await resumeWhatCameBack(runtime, directory, onError)
    await around.open()
    for (const { id, code, reason } of runtime.parked) logger.warn({ id, code }, `parked: ${reason}`)
    doors = await openDoors(runtime, {
      ...parts,
      machines: foldable,
      live: (ids) => liveActors({ store, engine, queue, attempts }, ids),
    })
  } catch (error) {
    await engine.close()
    directory.close()
    stopLogging()
    throw error
  }
  return runtime
}

function runtimeClosed(): RuntimeError {
  return new RuntimeError('RUNTIME_CLOSED', {
    happened: 'The runtime is closed.',
    expected: 'An open runtime.',
    todo: 'Open it again with createRuntime; what is on disk is intact, and what was under way goes on.',
  })
}

function required(knot: { engine?: Engine; host?: RunnerHost }): { engine: Engine; host: RunnerHost } {
  if (knot.engine === undefined || knot.host === undefined) throw new Error('the runtime is not composed yet')
  return { engine: knot.engine, host: knot.host }
}

/** Hooks and reports know a tool by its name alone. */
function assertDistinctNames(tools: readonly Tool[]): void {
  const names = tools.map((tool) => tool.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new RuntimeError('INPUT_INVALID', {
    happened: `createRuntime was given two tools named "${twice}".`,
    expected: 'Each tool has a name of its own.',
    todo: 'Rename one of them.',
    details: { what: 'createRuntime', path: 'tools' },
  })
}
