/** What the parts of the conformance suite share: the test runner, the store under test, and a few words. */
import assert from 'node:assert/strict'
import type { NewEvent, RecordedEvent } from '../../eventstore/event.ts'
import type { EventStore } from '../../eventstore/event-store.ts'

/** The part of a test runner that is used; vitest, Jest, Mocha (`test: it`) and `node:test` have it. */
export type ConformanceRunner = {
  readonly describe: (name: string, body: () => void) => unknown
  readonly test: (name: string, body: () => Promise<void>) => unknown
}

/** A store to be tested. */
export type ConformanceTarget = {
  readonly name: string
  /** A store that is empty and shares nothing with the ones before. */
  readonly open: () => Promise<EventStore>
  /** Closes the store and opens what it kept; left out if it keeps nothing. */
  readonly reopen?: (store: EventStore) => Promise<EventStore>
  /** Ends the store as a power cut would, without closing it, and opens what is left; left out if that cannot be done. */
  readonly crash?: (store: EventStore) => Promise<EventStore>
  /** Closes the store and removes what it kept. */
  readonly destroy: (store: EventStore) => Promise<void>
}

export type Body = (store: EventStore) => Promise<void>

export type Suite = ConformanceRunner & {
  readonly target: ConformanceTarget
  /** A test with a fresh store. */
  readonly given: (name: string, body: Body) => void
}

export const fact = (event_type: string, payload: unknown = {}): NewEvent => ({ event_type, payload })

export const facts = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, n) => fact('counted', { n }))

export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export const versions = (events: readonly RecordedEvent[]): number[] => events.map((event) => event.version)
export const positions = (events: readonly RecordedEvent[]): number[] => events.map((event) => event.position)
export const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

export const fails = async (
  work: Promise<unknown> | (() => Promise<unknown>),
  expected: object,
): Promise<void> => {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof Error)
    const shape = Object.fromEntries(
      Object.keys(expected).map((key) => [key, Reflect.get(error, key) as unknown]),
    )
    assert.deepEqual(shape, expected)
    return true
  })
}
