/** What changed in an actor: between two versions, with each event on the way, and which event last wrote a place. */
import { redactSecrets } from '../permissions/redaction.ts'
import { briefOf, type EventBrief } from './events.ts'
import { diffPlaces, type JsonChange } from './json-diff.ts'
import { parsePath, pathText, valueAt, type JsonPath } from './json-path.ts'
import { headOf, versionAt, type At } from './moment.ts'
import type { Foldable } from './query-call.ts'
import { QueryError } from './query-error.ts'
import { redactedPayload } from './redacted.ts'
import { sourceOf, viewAt, viewsOf, type View, type ViewSource } from './stream-views.ts'

export type DiffQuestion = {
  readonly stream_id: string
  /** Default: the version before `to`; version 0 is before the actor was there. */
  readonly from?: At | undefined
  /** Default: the last version. */
  readonly to?: At | undefined
}

export type StateDiff = {
  readonly stream_id: string
  readonly machine: string
  /** `recorded`: without the machine's code only state values can be compared. */
  readonly source: ViewSource
  readonly from: { readonly version: number; readonly at: string | null; readonly value: unknown }
  readonly to: { readonly version: number; readonly at: string; readonly value: unknown }
  /** Paths begin with `value`, `status`, `context`, `output`, `error`, `children` or `timers`. */
  readonly changes: readonly JsonChange[]
}

/** @throws QueryError `QUERY_NOT_FOUND`, `QUERY_INVALID`, `QUERY_REPLAY_DIVERGED` */
export async function diffVersions(source: Foldable, question: DiffQuestion): Promise<StateDiff> {
  const { log, signal } = source
  const head = await headOf(log, question.stream_id)
  const to = await versionAt(log, head, { ...question.to, signal })
  const wanted = question.from ?? { version: to - 1 }
  const from = wanted.version === 0 ? 0 : await versionAt(log, head, { ...wanted, signal })
  const before = await viewAt(source, head, from)
  const after = await viewAt(source, head, to)
  if (after === undefined) throw new Error(`"${head.stream_id}" has no version ${to}`)
  return {
    stream_id: head.stream_id,
    machine: head.machine,
    source: sourceOf(source, head),
    from: { version: from, at: before?.record.timestamp ?? null, value: before?.view.value ?? null },
    to: { version: to, at: after.record.timestamp, value: after.view.value },
    changes: changesBetween(before?.view, after.view),
  }
}

export type StepsQuestion = {
  readonly stream_id: string
  /** The first version to tell of; default 1. */
  readonly from_version?: number | undefined
  /** Default: the last version. */
  readonly to?: At | undefined
}

/** One event, the state after it, and what it changed. */
export type StateStep = {
  readonly event: EventBrief
  readonly machine: string
  readonly head_version: number
  readonly source: ViewSource
  /** Without what looks like a secret. */
  readonly payload: unknown
  readonly value: unknown
  readonly context: unknown
  readonly status: unknown
  readonly changes: readonly JsonChange[]
}

/** Nothing is executed. @throws QueryError `QUERY_NOT_FOUND`, `QUERY_REPLAY_DIVERGED` */
export async function* readSteps(
  source: Foldable,
  { stream_id, from_version = 1, to }: StepsQuestion,
): AsyncGenerator<StateStep, void, undefined> {
  const head = await headOf(source.log, stream_id)
  const until = await versionAt(source.log, head, { ...to, signal: source.signal })
  let before: View | undefined
  for await (const { record, view } of viewsOf(source, head, until)) {
    if (record.version >= from_version) {
      yield {
        event: briefOf(record),
        machine: record.machine,
        head_version: head.version,
        source: sourceOf(source, head),
        payload: redactedPayload(record),
        value: view.value,
        context: redactSecrets(view.context ?? null),
        status: view.status ?? null,
        changes: changesBetween(before, view),
      }
    }
    before = view
  }
}

export type BlameQuestion = {
  readonly stream_id: string
  /** `context.items[2].name`; without one, every place that has a value. */
  readonly path?: string | undefined
  /** Default: the last version. */
  readonly at?: At | undefined
}

export type BlamedPlace = {
  readonly path: string
  readonly value: unknown
  /** The event that last wrote it. */
  readonly event: EventBrief
  /** How often it was written. */
  readonly writes: number
}

export type Blame = {
  readonly stream_id: string
  readonly machine: string
  readonly source: ViewSource
  readonly version: number
  readonly places: readonly BlamedPlace[]
  /** Of a path that was asked for: every event that wrote it or something in it, the first first. */
  readonly history: readonly EventBrief[]
}

/** @throws QueryError `QUERY_NOT_FOUND` also for a path that nothing was ever at, `QUERY_INVALID` */
export async function blame(source: Foldable, question: BlameQuestion): Promise<Blame> {
  const head = await headOf(source.log, question.stream_id)
  const version = await versionAt(source.log, head, { ...question.at, signal: source.signal })
  const path = question.path === undefined ? [] : parsePath(question.path)
  const written = new Writings()
  const history: EventBrief[] = []
  let before: View | undefined
  for await (const { record, view } of viewsOf(source, head, version)) {
    const old = before === undefined ? undefined : valueAt(before, path)
    const found = path.length === 0 ? [before ?? {}, view] : [old, valueAt(view, path)]
    const places = diffPlaces(found[0] ?? null, found[1] ?? null)
    for (const place of places) written.note([...path, ...place.path], briefOf(record))
    if (places.length > 0) history.push(briefOf(record))
    before = view
  }
  if (path.length > 0 && history.length === 0) throw nothingAt(question.path ?? '', head.stream_id)
  const value = valueAt(before, path)
  const leaves = path.length === 0 ? leavesOf(value) : [{ path, value }]
  return {
    stream_id: head.stream_id,
    machine: head.machine,
    source: sourceOf(source, head),
    version,
    places: leaves.flatMap((leaf) => {
      const last = path.length === 0 ? written.of(leaf.path) : lastOf(history)
      return last === undefined
        ? []
        : [{ path: pathText(leaf.path), value: shown(leaf.path, leaf.value), ...last }]
    }),
    history: path.length === 0 ? [] : history,
  }
}

type Writing = { readonly event: EventBrief; readonly writes: number }

/** Who wrote which place last. A write to a place is one to all that is in it. */
class Writings {
  readonly #places = new Map<string, Writing>()

  note(path: JsonPath, event: EventBrief): void {
    const key = pathText(path)
    for (const inner of this.#places.keys()) {
      if (inner.startsWith(key) && /^[.[]/.test(inner.slice(key.length))) this.#places.delete(inner)
    }
    this.#places.set(key, { event, writes: (this.#places.get(key)?.writes ?? 0) + 1 })
  }

  /** Of the place itself, or of the nearest one around it. */
  of(path: JsonPath): Writing | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const found = this.#places.get(pathText(path.slice(0, length)))
      if (found !== undefined) return found
    }
    return undefined
  }
}

function lastOf(history: readonly EventBrief[]): Writing | undefined {
  const event = history.at(-1)
  return event && { event, writes: history.length }
}

function leavesOf(value: unknown, path: JsonPath = []): { path: JsonPath; value: unknown }[] {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  if (typeof value !== 'object' || value === null || isEmpty) {
    return path.length === 0 || value === undefined ? [] : [{ path, value }]
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    leavesOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

function changesBetween(before: View | undefined, after: View): JsonChange[] {
  return diffPlaces(before ?? {}, after).flatMap(({ kind, path, before: was, after: is }) =>
    kind === 'added' && is === null
      ? []
      : [{ kind, path: pathText(path), before: shown(path, was), after: shown(path, is) }],
  )
}

/** A value as it may be shown: a secret is known by its name, which stands in the path. */
function shown(path: JsonPath, value: unknown): unknown {
  if (value === undefined || value === null) return null
  const name = path.findLast((part) => typeof part === 'string') ?? ''
  return (redactSecrets({ [name]: value }) as Record<string, unknown>)[name]
}

function nothingAt(path: string, streamId: string): QueryError {
  return new QueryError('QUERY_NOT_FOUND', {
    happened: `Nothing was ever at ${path} of "${streamId}".`,
    expected: 'Expected a path that begins with value, status, context, output, error, children or timers.',
    todo: `See what there is: agentctl blame ${streamId}. Without the machine's code only the value is known.`,
    details: { id: streamId, path },
  })
}
