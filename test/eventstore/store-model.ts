/** What an event store is, without any of how: a list of facts, entries, commands, snapshots; and random use of it. */
import * as fc from 'fast-check'
import type { Entry, ExpectedVersion } from '../../eventstore/index.ts'

const STREAMS = ['a', 'b', 'b/1', 'é\u{1F600}']
const KEPT_SNAPSHOTS = 2

export type Append = {
  readonly stream: string
  readonly payloads: readonly unknown[]
  readonly expected: ExpectedVersion
  readonly commandId: string | undefined
}

export type Operation =
  | { readonly type: 'append'; readonly append: Append }
  | { readonly type: 'batch'; readonly appends: Append[]; readonly key: string; readonly value: unknown }
  | { readonly type: 'concurrent'; readonly appends: Append[] }
  | { readonly type: 'check'; readonly stream: string; readonly from: number }
  | { readonly type: 'archive' | 'snapshot' | 'load'; readonly stream: string }
  | { readonly type: 'subscribe' | 'compact' | 'reopen' }

const stream = fc.constantFrom(...STREAMS)

const append: fc.Arbitrary<Append> = fc.record({
  stream,
  payloads: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 3 }),
  expected: fc.oneof(
    { weight: 4, arbitrary: fc.constant('any' as const) },
    { weight: 1, arbitrary: fc.constantFrom('no_stream' as const, 'stream_exists' as const) },
    { weight: 2, arbitrary: fc.nat(6) },
  ),
  commandId: fc.option(fc.constantFrom('c1', 'c2', 'c3'), { nil: undefined, freq: 4 }),
})

export const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: append.map((one) => ({ type: 'append' as const, append: one })) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('batch' as const),
        appends: fc.array(append, { maxLength: 3 }),
        key: fc.constantFrom('k/1', 'k/2', 'l'),
        value: fc.option(fc.jsonValue(), { nil: undefined }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(append, { maxLength: 5 })
        .map((appends) => ({ type: 'concurrent' as const, appends })),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('check' as const), stream, from: fc.nat(5) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constantFrom('snapshot' as const, 'load' as const), stream }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('archive' as const), stream }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('subscribe' as const, 'reopen' as const) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'compact' as const }) },
  ),
  { maxLength: 25 },
)

export type Fact = {
  readonly stream: string
  readonly version: number
  readonly position: number
  readonly payload: unknown
}

/** What JSON makes of a value: -0 becomes 0. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown

export class Model {
  facts: Fact[] = []
  readonly #archived = new Set<number>()
  readonly #entries = new Map<string, unknown>()
  readonly #commands = new Map<string, string>()
  readonly #snapshots = new Map<string, number[]>()

  version(of: string): number {
    return this.facts.filter((fact) => fact.stream === of).length
  }

  /** All facts after a position, archived since or not. */
  everything(from: number): Fact[] {
    return this.facts.slice(from)
  }

  log(from: number): Fact[] {
    return this.everything(from).filter(({ position }) => !this.#archived.has(position))
  }

  stream(of: string, from: number): Fact[] {
    return this.log(0).filter((fact) => fact.stream === of && fact.version > from)
  }

  /** How many events are written (none by a duplicate), or the code of the refusal. */
  append(appends: readonly Append[], commandId: string | undefined): string | number {
    const streams = Array.from(new Set(appends.map((one) => one.stream)))
      .sort()
      .join('|')
    const known = commandId === undefined ? undefined : this.#commands.get(commandId)
    if (known !== undefined) return known === streams ? 0 : 'ES_COMMAND_REUSED'
    const before = this.facts
    this.facts = before.slice()
    for (const { stream: to, payloads, expected } of appends) {
      const version = this.version(to)
      const wanted = { any: true, no_stream: version === 0, stream_exists: version > 0 }
      if (typeof expected === 'number' ? version !== expected : !wanted[expected]) {
        this.facts = before
        return 'ES_VERSION_CONFLICT'
      }
      for (const payload of payloads) this.#push(to, asJson(payload))
    }
    if (commandId !== undefined) this.#commands.set(commandId, streams)
    return this.facts.length - before.length
  }

  batch(appends: readonly Append[], entry: { key: string; value: unknown }): string | number {
    const outcome = this.append(appends, undefined)
    if (typeof outcome === 'string') return outcome
    if (entry.value === undefined) this.#entries.delete(entry.key)
    else this.#entries.set(entry.key, asJson(entry.value))
    return outcome
  }

  archive(of: string): void {
    const expectedVersion = this.version(of)
    for (const { stream: from, position } of this.facts) if (from === of) this.#archived.add(position)
    this.#push(of, { expectedVersion })
  }

  saveSnapshot(of: string): void {
    const versions = new Set([...(this.#snapshots.get(of) ?? []), this.version(of)])
    this.#snapshots.set(of, Array.from(versions).slice(-KEPT_SNAPSHOTS))
  }

  /** The last one whose event the log still has. */
  snapshot(of: string): number | undefined {
    const present = new Set(this.stream(of, 0).map(({ version }) => version))
    return (this.#snapshots.get(of) ?? []).toReversed().find((version) => present.has(version))
  }

  sortedEntries(): Entry[] {
    return Array.from(this.#entries, ([key, value]) => ({ key, value })).sort((a, b) =>
      a.key < b.key ? -1 : 1,
    )
  }

  #push(to: string, payload: unknown): void {
    this.facts.push({ stream: to, version: this.version(to) + 1, position: this.facts.length + 1, payload })
  }
}
