/** Readers of option values: each refuses what it cannot read, naming the option. */
import { InvalidArgumentError } from 'commander'

/** A whole number, 1 or more. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Expected a whole number, 1 or more.')
}

/** For an option that may be given several times. */
export function collected(text: string, before: readonly string[] | undefined): readonly string[] {
  if (text === '') throw new InvalidArgumentError('Expected a value that is not empty.')
  return [...(before ?? []), text]
}
