/** Everything that lives in the log, in rows: sessions and runs as a tree, then all other actors, each with what it waits for. */
import type { StreamHead } from '../../eventstore/event-store.ts'
import { ERASURES } from '../../eventstore/sealing/subjects.ts'
import { owedWork } from '../runtime/recovery/owed.ts'
import { readOwedEffects } from '../runtime/effects/owed-effect.ts'
import { isChildAddress, rootOf } from '../runtime/fold/child-address.ts'
import { pausedForks } from '../runtime/forks/fork-hold.ts'
import { isOurs } from './our-machines.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { readMachines, type StateDefinition } from './recorded-machines.ts'
import { hasEnded, readTree, treeRows, machineName, type TreeNode } from './tree.ts'

export type ActorsQuestion = {
  /** Also what has ended; default false. */
  readonly all?: boolean | undefined
  readonly role?: string | undefined
  /** By `agent_id`. */
  readonly agent?: string | undefined
  readonly project?: string | undefined
  readonly tag?: string | undefined
  /** `paused`, `running`, … as `state` has it. */
  readonly state?: string | undefined
  /** Only this session or run and all below it. */
  readonly within?: string | undefined
}

export type ActorRow = {
  readonly id: string
  readonly kind: 'actor' | 'run' | 'session'
  /** How deep it stands in the tree of what is listed. */
  readonly depth: number
  readonly name: string | null
  readonly agent_id: string | null
  readonly role: string | null
  readonly project: string | null
  readonly tags: readonly string[]
  /** `name@version` of another actor's machine; `null` for sessions and runs. */
  readonly machine: string | null
  /** Of a session and another actor the machine's state, of a run how it stands. */
  readonly state: string
  /** A step, a pause's reason, a timer; `null` if nothing that is recorded. */
  readonly waits_for: string | null
  readonly ended: boolean
  readonly version: number
  readonly started_at: string | null
  readonly last_activity: string | null
  readonly tokens: number
  readonly cost_micro_usd: number
  readonly refusals: number
}

/** Sessions and runs, parents before their children; then the actors of other machines by id. */
export async function readActors(
  log: QueryableLog,
  question: ActorsQuestion = {},
  call: QueryCall = {},
): Promise<ActorRow[]> {
  const tree = await readTree(log, reading(call))
  const paused = await pausedForks(log)
  const { role, agent, project, tag, state, within, all = false } = question
  const wanted = (node: TreeNode): boolean =>
    (all || state !== undefined || !hasEnded(node)) &&
    (role === undefined || node.role === role) &&
    (agent === undefined || node.agent_id === agent) &&
    (project === undefined || node.project === project) &&
    (tag === undefined || node.tags.includes(tag)) &&
    (state === undefined || node.state === state)
  const rows = treeRows(tree, within)
    .filter(({ node }) => wanted(node))
    .map(({ node, depth }) => held(nodeRow(node, depth), paused))
  const ofTree = [role, agent, project, tag, within].some((given) => given !== undefined)
  if (ofTree) return rows
  return [...rows, ...(await otherActors(log, { all, state }, call)).map((row) => held(row, paused))]
}

/** A paused fork stands as it stood; but nothing of what it owes is done before it is let go. */
function held(row: ActorRow, paused: ReadonlySet<string>): ActorRow {
  return row.ended || !paused.has(rootOf(row.id)) ? row : { ...row, waits_for: 'to be let go: a paused fork' }
}

function nodeRow(node: TreeNode, depth: number): ActorRow {
  const { id, kind, name, agent_id, role, project, tags, state, started_at, last_activity } = node
  const { tokens, cost_micro_usd, refusals } = node
  const ended = hasEnded(node)
  return {
    id,
    kind,
    depth,
    name,
    agent_id,
    role,
    project,
    tags,
    machine: null,
    state,
    waits_for: ended ? null : waitingFor(node),
    ended,
    version: node.events,
    started_at,
    last_activity,
    tokens,
    cost_micro_usd,
    refusals,
  }
}

function waitingFor({ state, pause_reason, error, current_step }: TreeNode): string | null {
  if (state === 'parked') return error ?? 'a person'
  if (state === 'paused') return pause_reason === null ? 'to be resumed' : `to be resumed: ${pause_reason}`
  if (state === 'queued') return 'a free place'
  return current_step === null ? null : `step ${current_step}`
}

async function otherActors(
  log: QueryableLog,
  { all, state }: { readonly all: boolean; readonly state: string | undefined },
  call: QueryCall,
): Promise<ActorRow[]> {
  const definitions = new Map((await readMachines(log, call)).map((each) => [each.machine, each.definition]))
  const waits = new Map<string, string[]>()
  const wait = (id: string, text: string): unknown => waits.set(id, [...(waits.get(id) ?? []), text])
  for await (const { stream_id, kind, src, due_at, dead_letter } of owedWork(log)) {
    if (kind === 'timer') wait(stream_id, `a timer, due ${due_at}`)
    else wait(stream_id, dead_letter === null ? (src ?? 'a leaf') : `a person, about ${src ?? 'a leaf'}`)
  }
  for (const { stream_id, action, phase } of await readOwedEffects(log)) {
    wait(stream_id, phase === 'asked' ? `a person, about ${action}` : action)
  }
  const rows: ActorRow[] = []
  const someErased = (await log.head(ERASURES)) !== undefined
  for await (const head of log.heads('', reading(call))) {
    // Ours are told of as sessions and runs, or as what is pending.
    if (machineName(head.machine) === '' || isOurs(head.machine)) continue
    if (someErased && !(await canBeTold(log, head))) continue
    const text = stateText(head.state)
    const ended = isFinal(definitions.get(head.machine), head.state)
    if (state === undefined ? ended && !all : text !== state) continue
    rows.push({
      id: head.stream_id,
      kind: 'actor',
      depth: isChildAddress(head.stream_id) ? 1 : 0,
      name: null,
      agent_id: null,
      role: null,
      project: null,
      tags: [],
      machine: head.machine,
      state: text,
      waits_for: waits.get(head.stream_id)?.join(', ') ?? null,
      ended,
      version: head.version,
      started_at: null,
      last_activity: null,
      tokens: 0,
      cost_micro_usd: 0,
      refusals: 0,
    })
  }
  return rows
}

async function canBeTold(log: QueryableLog, { stream_id, version }: StreamHead): Promise<boolean> {
  for await (const event of log.readStream(stream_id, { fromVersion: version }))
    return event.version >= version
  return false
}

/** `paid`, `paid.by.card`, or `{a: x, b: y}` as JSON for a parallel state. */
function stateText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  const entries = Object.entries(value)
  const [only] = entries
  return entries.length === 1 && only !== undefined
    ? `${only[0]}.${stateText(only[1])}`
    : JSON.stringify(value)
}

/** Whether a machine's own top level has ended. */
function isFinal(definition: StateDefinition | undefined, state: unknown): boolean {
  return typeof state === 'string' && definition?.states?.[state]?.type === 'final'
}
