/** The errors of owed actions, in the words of whoever meets them. */
import type { OwedEffect } from './owed-effect.ts'
import { RuntimeError, textOf } from '../runtime-error.ts'

export function effectTimedOut(what: string, timeoutMs: number): RuntimeError {
  return new RuntimeError('EFFECT_TIMED_OUT', {
    happened: `${what} had not ended after ${timeoutMs} ms.`,
    expected: 'It ends in time, or when its signal aborts.',
    todo: 'Raise timeoutMs, or let it heed its signal.',
  })
}

export function effectGivenUp(owed: OwedEffect, deadLetter: string, cause: unknown): RuntimeError {
  const { key, action, stream_id, failed } = owed
  return new RuntimeError('EFFECT_FAILED', {
    happened: `Action "${action}" of "${stream_id}" failed ${failed} time(s) and was given up: ${textOf(cause)}.`,
    expected: 'One of its attempts succeeds.',
    todo: `Remove the cause, then runtime.deadLetters.retry("${deadLetter}").`,
    cause,
    details: { key, stream_id, action, dead_letter: deadLetter },
  })
}

/** Why a person is asked. */
export function doubt(owed: OwedEffect, why: string): string {
  return `action "${owed.action}" (${owed.key}) was begun and its outcome is not known: ${why}; say what became of it with runtime.effects.settle`
}

export function unregistered(owed: OwedEffect): string {
  return `action "${owed.action}" of machine "${owed.machine}" (${owed.key}) is owed, and no such action is registered with a policy; register it, or say what became of it with runtime.effects.settle`
}

export function effectUnknown(key: string): RuntimeError {
  return new RuntimeError('EFFECT_UNKNOWN', {
    happened: `No effect "${key}" is owed.`,
    expected: 'The key of an effect that runtime.effects.list() has.',
    todo: 'Look there; what has an outcome is in the stream "<actor>~effects".',
    details: { key },
  })
}

export function effectBusy(key: string): RuntimeError {
  return new RuntimeError('EFFECT_BUSY', {
    happened: `Effect "${key}" is being run.`,
    expected: 'An effect that waits: for a person, for its next attempt, or for code that is not registered.',
    todo: "Wait for its outcome, or answer 'abandon'.",
    details: { key },
  })
}
