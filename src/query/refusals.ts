/** Who was refused what, by whom, why, and what they were told to do instead: denied tool calls and refused wishes alike. */
import type { EventStore, StreamHead } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { Testimony } from '../../machines/testimony.ts'
import type { ToolCallInput } from '../../machines/tool-call.machine.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { refusalStream } from '../runtime/refusal-log.ts'
import { EMPTY_TREE, foldTree, machineName, type TreeNode } from './tree.ts'

export type RefusalFact = {
  /** The event that records it. */
  readonly event_id: string
  readonly position: number
  readonly at: string
  /** The tool, or the type of the event that was refused. */
  readonly what: string
  /** The actor that was refused: a run, a session, or any other stream. */
  readonly who: string
  /** `null` where the actor is not a run or session, or has none. */
  readonly agent_id: string | null
  readonly name: string | null
  readonly role: string | null
  /** Set for a tool call. */
  readonly call_id: string | null
  readonly capabilities: readonly string[]
  /** What it was to be done with, without what looks like a secret. */
  readonly parameters: unknown
  /** `hook:<name>` or `guard:<name>`. */
  readonly by: string
  readonly reason: string
  readonly alternatives: readonly string[]
  /** How often, identical ones within a minute counted together. */
  readonly count: number
}

export type RefusalsOptions = {
  /** Only of these actors: `treeRows(tree, root).map(({ node }) => node.id)`; default all. */
  readonly within?: ReadonlySet<string>
  /** Only events after this position. */
  readonly sincePosition?: number
}

/** Every refusal in the log, in order. */
export async function readRefusals(
  store: Pick<EventStore, 'readAll'>,
  { within, sincePosition = 0 }: RefusalsOptions = {},
): Promise<RefusalFact[]> {
  const nodes = new Map<string, TreeNode>()
  const calls = new Map<string, ToolCallInput>()
  const refusals: RefusalFact[] = []
  for await (const event of store.readAll()) {
    const node = changedName(nodes, event)
    if (node !== undefined) nodes.set(node.id, node)
    if (event.version === 1 && machineName(event.machine) === 'toolCall') {
      calls.set(event.stream_id, (event.payload as unknown as { input: ToolCallInput }).input)
    }
    const refusal = refusalOf(event, { nodes, calls })
    if (refusal === undefined || event.position <= sincePosition) continue
    if (within?.has(refusal.who) ?? true) refusals.push(refusal)
  }
  return refusals
}

/** Who is who, kept up with as far as names go. */
function changedName(nodes: ReadonlyMap<string, TreeNode>, event: RecordedEvent): TreeNode | undefined {
  if (event.version !== 1 && event.event_type !== 'session.named') return undefined
  return foldTree({ ...EMPTY_TREE, nodes }, event).nodes.get(event.stream_id)
}

export type RefusalSurroundings = {
  readonly nodes: ReadonlyMap<string, TreeNode>
  /** What each tool call was asked with. */
  readonly calls: ReadonlyMap<string, ToolCallInput>
}

/** The refusal that an event records; `undefined` if it records none. */
export function refusalOf(event: RecordedEvent, around: RefusalSurroundings): RefusalFact | undefined {
  const { event_id, position, timestamp: at } = event
  if (event.event_type === 'runtime.refused') {
    const who = refusedActor(event.stream_id)
    const { refused, event: offered, ...said } = event.payload as unknown as RefusedPayload
    return {
      event_id,
      position,
      at,
      what: refused,
      who,
      ...identity(around.nodes.get(who)),
      call_id: around.calls.has(who) ? who : null,
      capabilities: around.calls.get(who)?.capabilities ?? [],
      parameters: redactSecrets(wishOf(offered)),
      by: said.by,
      reason: said.reason,
      alternatives: said.alternatives,
      count: said.count,
    }
  }
  const call = around.calls.get(event.stream_id)
  const said = denialIn(event)
  if (call === undefined || said === undefined) return undefined
  const node = around.nodes.get(call.run_id)
  return {
    event_id,
    position,
    at,
    what: call.tool,
    who: call.run_id,
    ...identity(node),
    role: call.agent_role,
    call_id: call.call_id,
    capabilities: call.capabilities,
    parameters: redactSecrets(call.parameters),
    ...said,
    count: 1,
  }
}

/** Who denied a call, in the words of its own stream: a hook, or a person whom the hooks left it to. */
function denialIn(event: RecordedEvent): Pick<RefusalFact, 'alternatives' | 'by' | 'reason'> | undefined {
  if (event.state !== 'settled') return undefined
  const payload = event.payload as unknown as Partial<RefusedPayload> & { testimony?: readonly Testimony[] }
  if (event.event_type === 'tool.denied') {
    const { by = '', reason = 'denied without a reason', alternatives = [] } = payload
    return { by, reason, alternatives }
  }
  if (event.event_type !== 'tool.judged') return undefined
  const no = payload.testimony?.find((word) => !word.allowed)
  return {
    by: `hook:${no?.hook ?? ''}`,
    reason: no?.reason ?? 'denied without a reason',
    alternatives: no?.alternatives ?? [],
  }
}

type RefusedPayload = {
  readonly refused: string
  readonly event: Readonly<Record<string, unknown>>
  readonly by: string
  readonly reason: string
  readonly alternatives: readonly string[]
  readonly count: number
}

/** Where the refusals of an actor are; `undefined` if it has none. */
export async function refusalsHead(
  store: Pick<EventStore, 'head'>,
  streamId: string,
): Promise<StreamHead | undefined> {
  return store.head(refusalStream(streamId))
}

/** The actor whose refusals a stream keeps; the id itself for any other stream. */
export function refusedActor(streamId: string): string {
  const suffix = refusalStream('')
  return streamId.endsWith(suffix) ? streamId.slice(0, -suffix.length) : streamId
}

function identity(node: TreeNode | undefined): Pick<RefusalFact, 'agent_id' | 'name' | 'role'> {
  return { agent_id: node?.agent_id ?? null, name: node?.name ?? null, role: node?.role ?? null }
}

/** What the hooks said is told as the reason, and the time by the event; the wish itself is the rest. */
function wishOf(offered: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { testimony: _testimony, at: _at, ...rest } = offered
  return rest
}
