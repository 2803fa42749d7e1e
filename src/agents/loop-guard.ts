/** Finds an agent that goes round in circles: the same calls with the same results, again and again. Pure. */
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import { digestOf } from '../permissions/fingerprint.ts'

/** Calls that alternate (A-B-A-B) go round as well as one that repeats. */
const LONGEST_PERIOD = 4

export type LoopLimits = {
  /** Repetitions after which it is put on record; default 3. */
  readonly warnAt: number
  /** Repetitions after which the run ends; default 5. */
  readonly stopAt: number
}

export const DEFAULT_LOOP_LIMITS: LoopLimits = { warnAt: 3, stopAt: 5 }

/** A call that has ended: what was called, and all of it together with what came of it as one digest. */
export type CallEnd = { readonly name: string; readonly signature: string }

export type Loop = {
  readonly kind: 'warn' | 'stop'
  /** How many calls make one round. */
  readonly period: number
  readonly repetitions: number
  /** What one round calls, in order. */
  readonly calls: readonly string[]
}

/** The loop that the last call has completed a round of, if that is worth a word: each round count is told once. */
export function findLoop(ends: readonly CallEnd[], limits: LoopLimits): Loop | undefined {
  let warning: Loop | undefined
  for (let period = 1; period <= LONGEST_PERIOD; period += 1) {
    const repetitions = periodicTail(ends, period, limits.stopAt * period) / period
    const calls = ends.slice(-period).map(({ name }) => name)
    // A short loop at the end of a long one must not hide that one.
    if (repetitions === limits.stopAt) return { kind: 'stop', period, repetitions, calls }
    if (repetitions === limits.warnAt) warning ??= { kind: 'warn', period, repetitions, calls }
  }
  return warning
}

/** How many of the last calls repeat what came `period` before them, their first round included; at most `most`. */
function periodicTail(ends: readonly CallEnd[], period: number, most: number): number {
  let length = Math.min(period, ends.length)
  while (length < most) {
    const at = ends.length - 1 - length
    if (at < 0 || ends[at]?.signature !== ends[at + period]?.signature) break
    length += 1
  }
  return length
}

/** What a step's record keeps so that its call can be watched; nothing for input that is no data, which is refused anyway. */
export function watchData(
  name: string,
  input: unknown,
  poll: boolean | undefined,
): { readonly digest?: string; readonly poll?: true } {
  if (poll === true) return { poll }
  try {
    return { digest: digestOf([name, input]) }
  } catch {
    return {}
  }
}

/** A call with its outcome. Of an error, what it says; not ids that differ each time. */
export function endOf(
  call: { readonly name: string; readonly digest: string },
  outcome: { readonly output: unknown } | { readonly error: ErrorRecord },
): CallEnd {
  const came = 'error' in outcome ? saidBy(outcome.error) : ['output', outcome.output ?? null]
  return { name: call.name, signature: digestOf([call.digest, came]) }
}

function saidBy({ name, code, message, details }: ErrorRecord): unknown[] {
  const reason = details?.['reason']
  return ['error', name, code ?? null, typeof reason === 'string' ? reason : message]
}

/** What a step's record must say for its call to be watched. */
type Watched = { readonly digest?: unknown; readonly poll?: unknown } | null | undefined

export function watchedDigest(data: unknown): string | undefined {
  const watched = data as Watched
  return typeof watched?.digest === 'string' && watched.poll !== true ? watched.digest : undefined
}
