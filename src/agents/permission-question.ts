/** "May this session, with its role, call this tool with this input?": finds what the hooks have to be told, and asks them. */
import { z } from 'zod'
import { explainPermission, type PermissionExplanation } from '../permissions/explain-permission.ts'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import type { Engine } from '../runtime/engine.ts'
import type { SessionRecord } from '../../machines/session-record.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { unknownSession } from '../sessions/session-service.ts'
import { estimatedCost, type Tool } from './define-tool.ts'

const questionSchema = z.object({
  /** Name of a tool, of a capability, or of a lifecycle wish such as `session:pause`. */
  tool_name: z.string().min(1),
  parameters: z.record(z.string(), z.unknown()).default({}),
  /** Default: those of the registered tool of this name. */
  capabilities: z.array(z.string()).optional(),
  /** Who wants it: the session or run gives role and project. */
  session_id: z.string().min(1).optional(),
  agent_role: z.string().min(1).optional(),
  project: z.string().min(1).optional(),
  /** USD. Default: what the registered tool estimates. */
  estimated_cost: z.number().nonnegative().optional(),
})
export type PermissionQuestion = z.input<typeof questionSchema>

export type QuestionHost = {
  readonly engine: Engine
  readonly registry: PermissionHookRegistry
  readonly hookTimeoutMs: number | undefined
  readonly defaultProject: string
  readonly tools: readonly Tool[]
}

/** @throws RuntimeError `INPUT_INVALID`, `SESSION_UNKNOWN`; what `explainPermission` of a registry throws */
export async function answerQuestion(
  host: QuestionHost,
  raw: PermissionQuestion,
): Promise<PermissionExplanation> {
  const question = checkedInput(questionSchema, raw, 'explainPermission')
  const asker = question.session_id === undefined ? undefined : await sessionOf(host, question.session_id)
  const tool = host.tools.find(({ name }) => name === question.tool_name)
  const cost = question.estimated_cost ?? (await estimateOf(tool, question.parameters))
  return explainPermission(
    host.registry,
    {
      tool_name: question.tool_name,
      capabilities: question.capabilities ?? tool?.capabilities ?? [],
      parameters: question.parameters,
      agent_role: question.agent_role ?? asker?.role ?? 'workagent',
      project: question.project ?? asker?.project ?? host.defaultProject,
      session_id: asker?.owner_id ?? question.session_id,
      agent_id: asker?.agent_id,
      run_id: asker?.run_id,
      estimated_cost: cost ?? undefined,
    },
    { clock: host.engine.clock, timeoutMs: host.hookTimeoutMs },
  )
}

type Asker = Pick<SessionRecord, 'role' | 'project'> & {
  readonly agent_id?: string
  readonly run_id?: string
  /** The session that a run works for. */
  readonly owner_id?: string
}

async function sessionOf({ engine }: QuestionHost, id: string): Promise<Asker> {
  const found = await engine.find(id)
  if (found?.machine !== 'session' && found?.machine !== 'agent') throw unknownSession(id)
  return (found.actor.getSnapshot() as unknown as { context: Asker }).context
}

/** A tool is only asked about input that it would take. */
async function estimateOf(tool: Tool | undefined, parameters: unknown): Promise<number | null> {
  const input = tool?.input.safeParse(parameters)
  if (tool === undefined || input?.success !== true) return null
  return estimatedCost(tool, input.data as never)
}
