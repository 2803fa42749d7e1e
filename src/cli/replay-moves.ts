/** The moves of a replay, as they are typed: next, back, to a version, position or moment, to a state. */
import type { At } from '../query/moment.ts'
import { CliError } from './cli-error.ts'
import { readMoment } from './moments.ts'

export type Move =
  | { readonly kind: 'back' | 'context' | 'first' | 'last' | 'next' | 'quit' }
  | { readonly kind: 'to'; readonly at: At }
  /** The next time that it is in this state. */
  | { readonly kind: 'state'; readonly state: string }

const WORDS: Readonly<Record<string, Move['kind']>> = {
  '': 'next',
  n: 'next',
  next: 'next',
  b: 'back',
  back: 'back',
  p: 'back',
  first: 'first',
  last: 'last',
  c: 'context',
  context: 'context',
  q: 'quit',
  quit: 'quit',
  exit: 'quit',
}

/** `undefined` if it is none. A number alone is a version. */
export function parseMove(typed: string, now: number): Move | undefined {
  const text = typed.trim()
  const word = Object.hasOwn(WORDS, text.toLowerCase()) ? WORDS[text.toLowerCase()] : undefined
  if (word !== undefined) return { kind: word } as Move
  const [, command = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? []
  if (command === 'state' || command === 's') return rest === '' ? undefined : { kind: 'state', state: rest }
  const place = command === 'to' || command === 'g' ? rest : text
  const [, hash, digits] = /^(#?)(\d{1,15})$/.exec(place) ?? []
  if (digits !== undefined) {
    return { kind: 'to', at: hash === '' ? { version: Number(digits) } : { position: Number(digits) } }
  }
  if (place === text) return undefined
  const time = readMoment(place.replaceAll('"', ''), now)
  return time === undefined ? undefined : { kind: 'to', at: { time: new Date(time).toISOString() } }
}

export function unknownMove(text: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${text}" is no move.`,
    expected: 'Expected next, back, first, last, to <version>, state <state>, context or quit.',
    todo: 'Correct it after --do; nothing was printed.',
    details: { move: text },
  })
}
