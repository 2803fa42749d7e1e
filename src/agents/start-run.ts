/** Starts a run: checks what it is given, who starts it and what it may spend, and puts its first event on disk. */
import { z } from 'zod'
import { copyAsJson } from '../../eventstore/payload.ts'
import { agentMachine } from '../../machines/agent.machine.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { RuntimeLogger } from '../runtime/event-logger.ts'
import type { SessionDirectory, SessionRow } from '../sessions/directory.ts'
import { idSchema, projectSchema, sessionNameSchema, tagsSchema } from '../sessions/session-input.ts'
import { unknownSession } from '../sessions/session-service.ts'
import type { AssertMayStart } from '../sessions/spawn-rules.ts'
import { runBudgetSchema, type RunBudget } from './budget-accounts.ts'
import type { AnyAgentDefinition } from './define-agent.ts'
import { unknownAgent } from './handler-runner.ts'
import { agentBusy } from './run-errors.ts'
import { PRIORITIES } from './run-queue.ts'
import { webhookSchema } from './webhooks.ts'

const startAgentSchema = z.object({
  agent_id: idSchema.max(200),
  task_description: z.string().default(''),
  input: z.unknown().optional(),
  role: z.enum(['orchestrator', 'supervisor', 'workagent']).optional(),
  project: projectSchema.optional(),
  /** The session that starts it. */
  parent_id: z.string().min(1).nullable().optional(),
  /** The session it works for; it ends with the run. Default: the run is its own session. */
  session_id: z.string().min(1).optional(),
  name: sessionNameSchema.optional(),
  tags: tagsSchema.optional(),
  run_id: idSchema.optional(),
  /** What to do when the agent has a run at work in this project: start another (default), return it, or throw. */
  on_conflict: z.enum(['parallel', 'reuse', 'error']).default('parallel'),
  /** What becomes of it when its parent ends: it goes on (default), or it is cancelled with all runs below it. */
  on_parent_end: z.enum(['detach', 'cancel']).default('detach'),
  /** Ends a longer run as `timed_out`; ms of time at work. Default: the agent's own. */
  deadline_ms: z.number().int().positive().optional(),
  /** Who comes first when all places are taken; default `normal`. */
  priority: z.enum(PRIORITIES).default('normal'),
  /** What it and all that it starts may spend: USD, tokens. */
  budget: runBudgetSchema.optional(),
  /** Told over HTTP when it has ended. */
  webhook: webhookSchema.optional(),
})
export type StartAgent = z.input<typeof startAgentSchema>

export type StartHost = {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly newId: NewId
  readonly defaultProject: string
  readonly assertMayStart: AssertMayStart
  readonly logger: Pick<RuntimeLogger, 'warn'>
  definition(agentId: string): AnyAgentDefinition | undefined
  /** Limits what a run and all that it starts may spend. */
  limitTree(runId: string, budget: RunBudget): Promise<void>
  armWebhook(runId: string, url: string): Promise<void>
}

/**
 * Resolves with the run once its start is on disk; with `on_conflict: 'reuse'`, perhaps with one that is at work.
 *
 * @throws RuntimeError `AGENT_UNKNOWN`, `AGENT_BUSY`, `INPUT_INVALID`, `SESSION_UNKNOWN`, `SPAWN_REFUSED`
 */
export async function startRun(
  host: StartHost,
  raw: StartAgent,
): Promise<{ readonly run_id: string; readonly agent_id: string }> {
  const { engine } = host
  const input = checkedInput(startAgentSchema, raw, 'startBackgroundAgent')
  const { agent_id } = input
  const definition = host.definition(agent_id)
  if (definition === undefined) throw unknownAgent(agent_id)
  if (definition.schema !== undefined) checkedInput(definition.schema, input.input, `Agent "${agent_id}"`)
  copyAsJson(input.input, { root: () => 'input', outcome: false })
  const run_id = input.run_id ?? host.newId('run')
  const project = input.project ?? host.defaultProject
  const role = input.role ?? definition.role
  const atWork = await runAtWork(host.directory, { ...input, project, run_id })
  if (atWork !== undefined && input.on_conflict === 'reuse') return { run_id: atWork.id, agent_id }
  if (atWork !== undefined && input.on_conflict === 'error') throw agentBusy(agent_id, atWork.id)
  const parentId = input.parent_id ?? input.session_id ?? null
  for (const id of [parentId, input.session_id]) {
    if (typeof id === 'string' && (await engine.find(id)) === undefined) throw unknownSession(id)
  }
  const parent = parentId === null ? undefined : await engine.find(parentId)
  // A run that works for a session is its hands, not its child; a retry finds the run it had started.
  if (parentId !== null && parentId !== input.session_id && (await engine.find(run_id)) === undefined)
    await host.assertMayStart(parentId, { role })
  // Before it begins, so that nothing is spent without it.
  if (input.budget !== undefined) await host.limitTree(run_id, input.budget)
  if (input.webhook !== undefined) await host.armWebhook(run_id, input.webhook.url)
  if (atWork !== undefined && (await engine.find(run_id)) === undefined)
    host.logger.warn(
      { agent_id, run_id, beside: atWork.id },
      'an agent is started beside a run of it that is at work',
    )
  await engine.spawn(agentMachine, {
    id: run_id,
    createdAs: 'agent.created',
    correlationId: parent?.correlationId ?? run_id,
    source: parentId ?? '',
    input: {
      session_id: run_id,
      run_id,
      owner_id: input.session_id ?? run_id,
      agent_id,
      task_description: input.task_description,
      input: input.input ?? null,
      role,
      project,
      kind: 'background',
      parent_id: parentId,
      name: input.name ?? null,
      tags: input.tags ?? [],
      deadline_ms: input.deadline_ms ?? definition.deadlineMs,
      priority: input.priority,
      ...(input.on_parent_end === 'cancel' && { on_parent_end: 'cancel' as const }),
      ...(atWork !== undefined && { beside: atWork.id }),
      at: isoTime(engine.clock),
    },
  })
  return { run_id, agent_id }
}

/** The latest run of the agent that has not ended; a retry of this very start is none. */
async function runAtWork(
  directory: SessionDirectory,
  start: {
    readonly agent_id: string
    readonly project: string
    readonly run_id: string
  },
): Promise<SessionRow | undefined> {
  const rows = await directory.runsAtWork(start.agent_id)
  return rows.findLast((row) => row.project === start.project && row.id !== start.run_id)
}
