/**
 * A walk along the states of one stream, forwards and backwards.
 *
 * Owns: the steps that were read so far, in memory, and where the walk stands.
 * Never: reads a step twice; runs anything.
 *
 * I1. Steps are read only as far as the walk has come.
 */
import type { LogQuery } from '../query/log-query.ts'
import type { At } from '../query/moment.ts'
import type { StateStep } from '../query/state-changes.ts'
import { CliError } from './cli-error.ts'
import type { Move } from './replay-moves.ts'

/** Where the walk stands; `back`: it has gone backwards to get there. */
export type Landed = { readonly step: StateStep; readonly back: boolean }

export class ReplayWalk {
  readonly #query: LogQuery
  readonly #streamId: string
  readonly #source: AsyncIterator<StateStep>
  readonly #steps: StateStep[] = []
  /** Version; 0 before the first step. */
  #at = 0

  constructor(query: LogQuery, streamId: string) {
    this.#query = query
    this.#streamId = streamId
    this.#source = query.steps({ stream_id: streamId })[Symbol.asyncIterator]()
  }

  /** The version that a place means. @throws QueryError `QUERY_NOT_FOUND` */
  async versionOf(at: At): Promise<number> {
    return (await this.#query.state({ stream_id: this.#streamId, ...at })).version
  }

  async to(at: At): Promise<Landed> {
    const version = await this.versionOf(at)
    const landed = await this.#land(version)
    if (landed === undefined) throw new Error(`"${this.#streamId}" ends before version ${version}`)
    return landed
  }

  /** `undefined` at the last event. */
  next(): Promise<Landed | undefined> {
    return this.#land(this.#at + 1)
  }

  /** `undefined` where there is nothing further. @throws QueryError `QUERY_NOT_FOUND`; CliError `CLI_NOT_FOUND` */
  async move(move: Move): Promise<Landed | undefined> {
    switch (move.kind) {
      case 'next':
        return this.next()
      case 'back':
        return this.#at <= 1 ? undefined : this.#land(this.#at - 1)
      case 'first':
        return this.#land(1)
      case 'last':
        return this.to({})
      case 'to':
        return this.to(move.at)
      case 'state':
        return this.#toState(move.state)
      case 'context':
      case 'quit':
        return undefined
    }
  }

  /** Whether a move that led nowhere was one forwards. */
  atEnd(move: Move): boolean {
    return move.kind !== 'back'
  }

  /** A part of a nested state is meant as well: `paid` in `{ paid: 'byCard' }`. */
  isIn({ step }: Landed, state: string): boolean {
    return statesIn(step.value).includes(state)
  }

  neverIn(state: string): CliError {
    const known = [...new Set(this.#steps.flatMap(({ value }) => statesIn(value)))]
    return new CliError('CLI_NOT_FOUND', {
      happened: `"${this.#streamId}" is never again in state "${state}".`,
      expected: `The states that it went through: ${known.join(', ')}.`,
      todo: 'Use one of these, or go back first.',
      details: { id: this.#streamId, state },
    })
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #toState(state: string): Promise<Landed> {
    const before = this.#at
    for (let landed = await this.next(); landed !== undefined; landed = await this.next()) {
      if (this.isIn(landed, state)) return landed
    }
    this.#at = before
    throw this.neverIn(state)
  }

  async #land(version: number): Promise<Landed | undefined> {
    while (this.#steps.length < version) {
      const { done, value } = await this.#source.next()
      if (done === true) return undefined
      this.#steps.push(value)
    }
    const step = this.#steps[version - 1]
    if (step === undefined) return undefined
    const back = version < this.#at
    this.#at = version
    return { step, back }
  }
}

/** `paid`, `paid.byCard`: each state that a value is in. */
function statesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    name,
    ...statesIn(inner).flatMap((below) => [below, `${name}.${below}`]),
  ])
}
