/** One pass over the log that gathers what an explanation needs: the tree, the tool calls, the refusals, one event. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import type { ToolCallInput } from '../../machines/tool-call.machine.ts'
import { briefOf, type EventBrief } from './events.ts'
import type { Ancestor } from './explanation.ts'
import { reading, type QueryCall } from './query-call.ts'
import { refusalOf, refusedActor, type RefusalFact } from './refusals.ts'
import { growingTree, machineName, treeRows, type TreeNode, type TreeState } from './tree.ts'

export type Surroundings = {
  readonly tree: TreeState
  /** What each tool call was asked with. */
  readonly calls: ReadonlyMap<string, ToolCallInput>
  readonly refusals: readonly RefusalFact[]
  /** The event with the id that was looked for. */
  readonly event: RecordedEvent | undefined
  /** What names that event as its cause. */
  readonly effects: readonly EventBrief[]
  /** Every stream, in the order of its first event. */
  readonly streams: readonly string[]
}

/** Reads the whole log once. `wanted`: the id of an event to look for, or its position: `57` or `#57`. */
export async function readSurroundings(
  store: Pick<EventStore, 'readAll'>,
  wanted?: string,
  call: QueryCall = {},
): Promise<Surroundings> {
  const position = Number(/^#?(\d+)$/.exec(wanted ?? '')?.[1] ?? Number.NaN)
  const tree = growingTree()
  let event: RecordedEvent | undefined
  const calls = new Map<string, ToolCallInput>()
  const refusals: RefusalFact[] = []
  const effects: EventBrief[] = []
  const streams: string[] = []
  for await (const each of store.readAll(reading(call))) {
    tree.take(each)
    if (each.version === 1) streams.push(each.stream_id)
    if (each.version === 1 && machineName(each.machine) === 'toolCall') {
      calls.set(each.stream_id, (each.payload as unknown as { input: ToolCallInput }).input)
    }
    const refusal = refusalOf(each, { nodes: tree.state().nodes, calls })
    if (refusal !== undefined) refusals.push(refusal)
    if (each.event_id === wanted || each.position === position) event = each
    if (event !== undefined && each.causation_id === event.event_id) effects.push(briefOf(each))
  }
  return { tree: tree.state(), calls, refusals, event, effects, streams }
}

/** Whom a stream belongs to, nearest first: a call to its run, a run to its session, a session to its parent. */
export function ancestorsOf({ tree, calls }: Surroundings, streamId: string): Ancestor[] {
  const actor = refusedActor(streamId)
  const own = tree.nodes.get(actor)
  const ancestors: Ancestor[] = []
  let next = own === undefined ? calls.get(actor)?.run_id : own.parent_id
  while (next !== undefined && next !== null) {
    const node = tree.nodes.get(next)
    if (node === undefined || ancestors.some(({ id }) => id === node.id)) break
    ancestors.push(ancestorOf(node))
    next = node.parent_id
  }
  return ancestors
}

export function ancestorOf({ id, kind, role, agent_id, name, state }: TreeNode): Ancestor {
  return { id, kind, role, agent_id, name, state }
}

/** A node and everything below it. */
export function familyOf({ tree }: Surroundings, id: string): ReadonlySet<string> {
  return new Set(treeRows(tree, id).map(({ node }) => node.id))
}

/** The events that caused an event, nearest first, followed by `causation_id` as far as the log has them. */
export async function causesOf(
  store: Pick<EventStore, 'readAll'>,
  event: RecordedEvent,
): Promise<readonly EventBrief[]> {
  if (event.causation_id === null) return []
  // A cause stands before its effect, so one pass up to the event sees the whole chain.
  const earlier = new Map<string, { readonly brief: EventBrief; readonly cause: string | null }>()
  for await (const each of store.readAll()) {
    if (each.position >= event.position) break
    earlier.set(each.event_id, { brief: briefOf(each), cause: each.causation_id })
  }
  const causes: EventBrief[] = []
  for (let id: string | null = event.causation_id; id !== null;) {
    const cause = earlier.get(id)
    if (cause === undefined) break
    earlier.delete(id)
    causes.push(cause.brief)
    id = cause.cause
  }
  return causes
}
