/** What a resumed tree of runs did with the steps it had: counted from the log alone, never from what a process believes. */
import type { EventStore } from '../../eventstore/event-store.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { EMPTY_TREE, foldTree } from './tree.ts'

/** One durable step of one run. */
export type StepName = {
  readonly stream_id: string
  readonly key: string
  readonly kind: string
  readonly name: string
}

export type StepFacts = {
  /** Steps that had an outcome at `since`; `reused + repeated`. */
  readonly finishedBefore: number
  /** Of these, the ones that were not started again: their recorded outcome was used. */
  readonly reused: number
  /** Steps that were under way at `since` without an outcome, and were started again after it. */
  readonly runAgain: number
  /** Steps that had an outcome at `since` and were started again all the same; always 0 if the engine keeps its word. */
  readonly repeated: number
  /** Which ones, where there is something to look into. */
  readonly steps: { readonly runAgain: readonly StepName[]; readonly repeated: readonly StepName[] }
}

export type StepFactsOptions = {
  /** Position in the log at which the tree was resumed: what stands at or before it was there already. */
  readonly since: number
  /** Only steps of these kinds (`step`, `tool`, `command`, …); default all. */
  readonly kinds?: readonly string[]
}

type Seen = {
  readonly step: StepName
  startedBefore: boolean
  finishedBefore: boolean
  startedAfter: boolean
}

/** The facts about every run in the tree below a root session or run, the root's own steps included. */
export async function stepFacts(
  store: Pick<EventStore, 'readAll'>,
  rootId: string,
  { since, kinds }: StepFactsOptions,
): Promise<StepFacts> {
  const family = new Set([rootId])
  const steps = new Map<string, Seen>()
  for await (const event of store.readAll()) {
    if (event.version === 1) joinFamily(family, event)
    if (!event.event_type.startsWith('step.') || !family.has(event.stream_id)) continue
    const step = stepOf(event)
    if (kinds !== undefined && !kinds.includes(step.kind)) continue
    note(steps, step, { started: event.event_type === 'step.started', before: event.position <= since })
  }
  const all = [...steps.values()]
  const finished = all.filter((seen) => seen.finishedBefore)
  const repeated = finished.filter((seen) => seen.startedAfter).map((seen) => seen.step)
  const runAgain = all
    .filter((seen) => seen.startedBefore && !seen.finishedBefore && seen.startedAfter)
    .map((seen) => seen.step)
  return {
    finishedBefore: finished.length,
    reused: finished.length - repeated.length,
    runAgain: runAgain.length,
    repeated: repeated.length,
    steps: { runAgain, repeated },
  }
}

function joinFamily(family: Set<string>, event: RecordedEvent): void {
  const born = foldTree(EMPTY_TREE, event).nodes.get(event.stream_id)
  if (born === undefined) return
  const { input } = event.payload as { input: { parent_id: string | null } }
  for (const parent of [born.parent_id, input.parent_id]) {
    if (parent !== null && family.has(parent)) family.add(born.id)
  }
}

function stepOf(event: RecordedEvent): StepName {
  const { key, kind, name } = event.payload as { key: string; kind: string; name: string }
  return { stream_id: event.stream_id, key, kind, name }
}

function note(
  steps: Map<string, Seen>,
  step: StepName,
  { started, before }: { readonly started: boolean; readonly before: boolean },
): void {
  const id = JSON.stringify([step.stream_id, step.key])
  const seen = steps.get(id) ?? { step, startedBefore: false, finishedBefore: false, startedAfter: false }
  steps.set(id, seen)
  if (started && before) seen.startedBefore = true
  if (started && !before) seen.startedAfter = true
  if (!started && before) seen.finishedBefore = true
}
