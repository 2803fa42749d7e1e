/** Finds what a person means by an id or a name: an event, a stream, the session of a name, the latest run of an agent. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { QueryError } from './query-error.ts'
import type { Surroundings } from './surroundings.ts'
import type { TreeNode } from './tree.ts'

export type Target =
  | { readonly kind: 'event'; readonly event: RecordedEvent }
  | { readonly kind: 'stream'; readonly stream_id: string }

/** @throws QueryError `QUERY_NOT_FOUND`. */
export function findTarget(around: Surroundings, text: string): Target {
  if (around.streams.includes(text)) return { kind: 'stream', stream_id: text }
  if (around.event !== undefined) return { kind: 'event', event: around.event }
  const shortened = around.streams.filter((id) => isShortFor(text, id))
  if (shortened.length === 1 && shortened[0] !== undefined) return { kind: 'stream', stream_id: shortened[0] }
  const nodes = [...around.tree.nodes.values()]
  const named = nodes.filter((node) => node.name === text)
  // A name is free again when its session is archived.
  const holder = latest(named.filter((node) => node.state !== 'archived')) ?? latest(named)
  const found = holder ?? latest(nodes.filter((node) => node.agent_id === text))
  if (found !== undefined) return { kind: 'stream', stream_id: found.id }
  throw new QueryError('QUERY_NOT_FOUND', {
    happened: `The log has nothing called "${text}".`,
    expected:
      'Expected the id of an event, a stream, a run or a tool call, the name of a session, or the id of an agent.',
    todo: 'List what is there with `agentctl log`.',
    details: { id: text },
  })
}

/** `run_…0c1d2e3f` stands for an id that begins and ends so: tables are cut, and cut ids are copied from them. */
function isShortFor(text: string, id: string): boolean {
  const [start = '', end = '', ...more] = text.split(/…|\.\.\./)
  return end.length >= 4 && more.length === 0 && id.startsWith(start) && id.endsWith(end)
}

/** Everything that `findTarget` understands, but for events: what a wrong id may have been meant to be. */
export function targetNames({ streams, tree }: Surroundings): string[] {
  const names = new Set(streams)
  for (const { name, agent_id } of tree.nodes.values()) {
    if (name !== null) names.add(name)
    if (agent_id !== null) names.add(agent_id)
  }
  return [...names]
}

function latest(nodes: readonly TreeNode[]): TreeNode | undefined {
  return nodes.toSorted((a, b) => a.position - b.position).at(-1)
}
