/** Sessions and runs as a tree, folded from the log: what each is doing, since when, how far it is, what it was refused. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { refusalStream } from '../runtime/refusal-log.ts'

/** Of a session: its machine's state. Of a run: how it stands, as `RunState` of the agents has it. */
export type TreeNodeState =
  | 'created'
  | 'active'
  | 'paused'
  | 'completed'
  | 'archived'
  | 'queued'
  | 'running'
  | 'parked'
  | 'failed'
  | 'cancelled'
  | 'timed_out'

export type TreeNode = {
  readonly id: string
  readonly kind: 'session' | 'run'
  /** Whom it stands below: a run stands below the session it works for. `null` for a root. */
  readonly parent_id: string | null
  readonly role: string
  readonly project: string
  readonly name: string | null
  readonly tags: readonly string[]
  /** `null` for a session. */
  readonly agent_id: string | null
  readonly task_description: string | null
  readonly state: TreeNodeState
  readonly phase: string | null
  readonly percent: number | null
  /** ISO 8601, as recorded. `started_at` is when it first became active. */
  readonly created_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly last_activity: string
  /** How often a run's handler was begun. */
  readonly attempts: number
  readonly steps_started: number
  /** Steps with a recorded outcome. */
  readonly steps_done: number
  /** Name of the step that was started last and has no outcome yet. */
  readonly current_step: string | null
  /** What hooks refused it, repeated ones counted; a guard that drops a duplicate is no refusal to a person. */
  readonly refusals: number
  readonly error: string | null
  readonly pause_reason: string | null
  readonly tokens: number
  /** Micro-dollars. */
  readonly cost_micro_usd: number
  /** Events in its own stream. */
  readonly events: number
  /** Position of its first event: the order of starting. */
  readonly position: number
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'archived', 'failed', 'cancelled', 'timed_out'])

/** Whether it has ended, whichever way; one that there is not has not. */
export function hasEnded(node: TreeNode | undefined): boolean {
  return node !== undefined && ENDED.has(node.state)
}

export type TreeState = {
  readonly nodes: ReadonlyMap<string, TreeNode>
  /** Tool calls that are not settled, and the run that made each. */
  readonly calls: ReadonlyMap<string, string>
  readonly position: number
}

export const EMPTY_TREE: TreeState = { nodes: new Map(), calls: new Map(), position: 0 }

/** Folds one event. Pure; a node that an event does not concern stays the same object. */
export function foldTree(state: TreeState, event: RecordedEvent): TreeState {
  const calls = nextCalls(state.calls, event)
  const node = changedNode(state, event)
  const nodes = node === undefined ? state.nodes : new Map(state.nodes).set(node.id, node)
  return { nodes, calls, position: event.position }
}

/** A tree that grows in place, for a long log; what `state` gave before changes with it. */
export function growingTree(): { take(event: RecordedEvent): void; state(): TreeState } {
  // Copying the maps at each event, as `foldTree` does, would make a long log slow.
  const nodes = new Map<string, TreeNode>()
  let state: TreeState = { ...EMPTY_TREE, nodes }
  return {
    take(event) {
      const node = changedNode(state, event)
      if (node !== undefined) nodes.set(node.id, node)
      state = { nodes, calls: nextCalls(state.calls, event), position: event.position }
    },
    state: () => state,
  }
}

/** The tree as of the whole log, or of a prefix of it. */
export async function readTree(
  store: Pick<EventStore, 'readAll'>,
  options: { readonly untilPosition?: number; readonly signal?: AbortSignal } = {},
): Promise<TreeState> {
  const { untilPosition = Number.POSITIVE_INFINITY, signal } = options
  const tree = growingTree()
  for await (const event of store.readAll(signal === undefined ? {} : { signal })) {
    if (event.position > untilPosition) break
    tree.take(event)
  }
  return tree.state()
}

export type TreeRow = { readonly node: TreeNode; readonly depth: number }

/** The tree as rows, parents before their children, siblings in the order of starting; below `rootId` if one is given. */
export function treeRows(state: TreeState, rootId?: string): TreeRow[] {
  const children = new Map<string | null, TreeNode[]>()
  for (const node of state.nodes.values()) {
    const parent = node.parent_id !== null && state.nodes.has(node.parent_id) ? node.parent_id : null
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [node])
    else siblings.push(node)
  }
  const rows: TreeRow[] = []
  const root = rootId === undefined ? undefined : state.nodes.get(rootId)
  if (rootId !== undefined && root === undefined) return rows
  const open = (root === undefined ? (children.get(null) ?? []) : [root])
    .map((node) => ({ node, depth: 0 }))
    .toReversed()
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    rows.push(row)
    const depth = row.depth + 1
    for (const node of (children.get(row.node.id) ?? []).toReversed()) open.push({ node, depth })
  }
  return rows
}

type Input = {
  readonly role: string
  readonly project: string
  readonly name: string | null
  readonly tags: readonly string[]
  readonly parent_id: string | null
  readonly owner_id?: string
  readonly agent_id?: string
  readonly task_description?: string
}

type Payload = {
  readonly input?: Input & { readonly run_id?: string }
  readonly name?: string | null
  readonly tags?: readonly string[]
  readonly phase?: string
  readonly percent?: number
  readonly handoff?: { readonly context?: { readonly current_phase?: unknown } }
  readonly attempt?: number
  readonly tokens?: number
  readonly cost_micro_usd?: number
  readonly reason?: string
  readonly error?: { readonly message: string }
  readonly count?: number
  readonly by?: string
}

const REFUSED_SUFFIX = refusalStream('')

/** The node that an event changes, changed; `undefined` if it concerns none. */
function changedNode({ nodes, calls }: TreeState, event: RecordedEvent): TreeNode | undefined {
  const payload = event.payload as Payload
  if (event.event_type === 'runtime.refused') {
    if (payload.by?.startsWith('hook:') !== true) return undefined
    const target = event.stream_id.slice(0, -REFUSED_SUFFIX.length)
    return withRefusals(nodes.get(calls.get(target) ?? target), payload.count ?? 1)
  }
  if (event.event_type === 'tool.judged' || event.event_type === 'tool.denied') {
    // The machine's own state says what the testimony amounted to: a denied call is settled at once.
    return event.state === 'settled'
      ? withRefusals(nodes.get(calls.get(event.stream_id) ?? ''), 1)
      : undefined
  }
  if (event.version === 1) return firstNode(event, payload)
  const node = nodes.get(event.stream_id)
  if (node === undefined) return undefined
  return {
    ...node,
    ...lifecycle(node, event),
    ...particulars(node, event, payload),
    last_activity: event.timestamp,
    events: node.events + 1,
  }
}

function withRefusals(node: TreeNode | undefined, count: number): TreeNode | undefined {
  return node === undefined ? undefined : { ...node, refusals: node.refusals + count }
}

function nextCalls(calls: ReadonlyMap<string, string>, event: RecordedEvent): ReadonlyMap<string, string> {
  if (event.event_type === 'tool.requested') {
    const runId = (event.payload as Payload).input?.run_id
    return runId === undefined ? calls : new Map(calls).set(event.stream_id, runId)
  }
  if (event.state !== 'settled' || !calls.has(event.stream_id)) return calls
  const rest = new Map(calls)
  rest.delete(event.stream_id)
  return rest
}

function firstNode(event: RecordedEvent, { input }: Payload): TreeNode | undefined {
  const machine = machineName(event.machine)
  if ((machine !== 'session' && machine !== 'agent') || input === undefined) return undefined
  const isRun = machine === 'agent'
  const owner = input.owner_id === event.stream_id ? undefined : input.owner_id
  return {
    id: event.stream_id,
    kind: isRun ? 'run' : 'session',
    parent_id: owner ?? input.parent_id,
    role: input.role,
    project: input.project,
    name: input.name,
    tags: input.tags,
    agent_id: input.agent_id ?? null,
    task_description: input.task_description ?? null,
    state: isRun ? 'queued' : 'created',
    phase: null,
    percent: null,
    created_at: event.timestamp,
    started_at: null,
    ended_at: null,
    last_activity: event.timestamp,
    attempts: 0,
    steps_started: 0,
    steps_done: 0,
    current_step: null,
    refusals: 0,
    error: null,
    pause_reason: null,
    tokens: 0,
    cost_micro_usd: 0,
    events: 1,
    position: event.position,
  }
}

/** The name of a machine from its label `name@version`; empty for a stream without one. */
export function machineName(label: string): string {
  return label.slice(0, Math.max(0, label.lastIndexOf('@')))
}

/** How the state of a run reads from the event that changed it; of the rest, the recorded state says. */
const RUN_ENDS: Readonly<Record<string, TreeNodeState>> = {
  'agent.succeeded': 'completed',
  'agent.failed': 'failed',
  'agent.cancelled': 'cancelled',
  'agent.deadline': 'timed_out',
}

const RUN_STATES: Readonly<Record<string, TreeNodeState>> = {
  created: 'queued',
  active: 'running',
  paused: 'paused',
}

function lifecycle(node: TreeNode, event: RecordedEvent): Partial<TreeNode> {
  const { state, event_type: type, timestamp } = event
  if (typeof state !== 'string') return {}
  const next = node.kind === 'session' ? (state as TreeNodeState) : runState(node, state, type)
  return {
    state: next,
    ...(node.started_at === null && state === 'active' && { started_at: timestamp }),
    ...(node.ended_at === null && state === 'completed' && { ended_at: timestamp, current_step: null }),
  }
}

function runState(node: TreeNode, state: string, type: string): TreeNodeState {
  const end = RUN_ENDS[type]
  if (end !== undefined && state === 'completed') return end
  if (type === 'agent.parked') return 'parked'
  // A step that ends after the pause leaves a parked run parked.
  if (node.state === 'parked' && state === 'paused') return 'parked'
  return RUN_STATES[state] ?? node.state
}

function particulars(node: TreeNode, event: RecordedEvent, payload: Payload): Partial<TreeNode> {
  switch (event.event_type) {
    case 'session.named':
      return { name: payload.name ?? null, tags: payload.tags ?? [] }
    case 'session.progressed':
      return {
        ...(payload.phase !== undefined && { phase: payload.phase }),
        ...(payload.percent !== undefined && { percent: payload.percent }),
      }
    case 'handoff.generated': {
      const phase = payload.handoff?.context?.current_phase
      return typeof phase === 'string' ? { phase } : {}
    }
    case 'session.paused':
      return { pause_reason: payload.reason ?? null, current_step: null }
    case 'session.resumed':
      return { pause_reason: null, error: null }
    case 'agent.began':
      return { attempts: node.attempts + 1, current_step: null }
    case 'agent.spent':
    case 'session.spent':
      return {
        tokens: node.tokens + (payload.tokens ?? 0),
        cost_micro_usd: node.cost_micro_usd + (payload.cost_micro_usd ?? 0),
      }
    case 'step.started':
      return { steps_started: node.steps_started + 1, current_step: payload.name ?? null }
    case 'step.completed':
    case 'step.failed':
      return {
        steps_done: node.steps_done + 1,
        ...(node.current_step === payload.name && { current_step: null }),
      }
    case 'agent.parked':
      return { error: payload.error?.message ?? null, pause_reason: 'parked', current_step: null }
    case 'agent.failed':
      return { error: payload.error?.message ?? null }
    case 'agent.cancelled':
      return { error: payload.reason === undefined ? null : `cancelled: ${payload.reason}` }
    case 'agent.deadline':
      return { error: 'its deadline passed' }
    default:
      return {}
  }
}
