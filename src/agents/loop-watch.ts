/**
 * Watches the calls of one attempt for loops, over what earlier attempts of the run have on record.
 *
 * Owns: the last calls that ended, in the order of the log.
 * Never: reads or writes the log.
 *
 * I1. What it has seen is a function of the log: a restarted attempt stands where the one before it stood.
 */
import type { ErrorRecord } from '../../machines/agent.machine.ts'
import { RecordedError } from './recorded-error.ts'
import { endOf, findLoop, watchedDigest, type CallEnd, type Loop, type LoopLimits } from './loop-guard.ts'

/** Enough to see the longest loop at its highest count; more repetitions than that are not asked for. */
const MOST_KEPT = 100

export type Ended = {
  readonly name: string
  /** What the call prepared, as recorded. */
  readonly data: unknown
} & ({ readonly output: unknown } | { readonly error: ErrorRecord })

export class LoopWatch {
  readonly #limits: LoopLimits | undefined
  readonly #ends: CallEnd[] = []
  #stop: Loop | undefined

  constructor(limits: LoopLimits | undefined) {
    this.#limits = limits
  }

  /** The loop that ends the run; a run that comes back does not get past it. */
  get stop(): Loop | undefined {
    return this.#stop
  }

  /** Takes in the end of a call, in the order of the log; says if it completes a round that counts. */
  take(ended: Ended): Loop | undefined {
    const digest = watchedDigest(ended.data)
    if (this.#limits === undefined || digest === undefined) return undefined
    this.#ends.push(endOf({ name: ended.name, digest }, ended))
    if (this.#ends.length > MOST_KEPT) this.#ends.shift()
    const loop = findLoop(this.#ends, this.#limits)
    if (loop?.kind === 'stop') this.#stop ??= loop
    return loop
  }
}

function loopText({ calls, repetitions, period }: Loop): string {
  const what = calls.map((name) => `"${name}"`).join(', ')
  return period === 1
    ? `${what} was called ${repetitions} times with the same input and the same result`
    : `${what} were called in turn ${repetitions} times with the same input and the same results`
}

export function loopDetected(runId: string, loop: Loop): RecordedError {
  return new RecordedError({
    name: 'LoopDetectedError',
    code: 'LOOP_DETECTED',
    message: `Run "${runId}" goes round in circles: ${loopText(loop)}. Expected that a repeated call brings something new. Change what it does, or declare the tool with \`poll: true\` if it waits for a change.`,
    details: { run_id: runId, period: loop.period, repetitions: loop.repetitions, calls: [...loop.calls] },
  })
}
