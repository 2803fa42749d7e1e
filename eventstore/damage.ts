/** What can be wrong with a log, and the error that says so instead of serving it. */
import { EventStoreError } from './errors.ts'
import type { IntegrityProblem } from './event-store.ts'

/** The kinds of damage; see each for what it says about the log. */
export type DamageKind =
  /** A record's checksum does not hold, or it is no record at all. */
  | 'unreadable'
  /** A position or version that must be there is not. */
  | 'missing'
  /** A whole record, found where another belongs. */
  | 'misplaced'
  /** A record does not follow the one before it in its stream. */
  | 'chain'
  /** The chain over batches does not hold: records were replaced or reordered. */
  | 'batch_chain'
  /** A stream's head is damaged, absent, or not about the stream's last event. */
  | 'head'
  /** The stream index does not point to the event it should. */
  | 'index'
  /** An entry beside the events is damaged. */
  | 'entry'
  /** The record of a command is damaged. */
  | 'command'
  /** A file of the database is damaged; the detail says which, and where. */
  | 'file'
  /** A sealed value does not open with its own key: it was changed, or moved to another place. */
  | 'sealed'
  /** The log ends before what was acknowledged. */
  | 'tail'

export type Damage = IntegrityProblem & { readonly kind: DamageKind }

/** Where the damage is, as far as it is known: 0 and '' stand for what is not. */
export type Place = { readonly position?: number; readonly stream_id?: string; readonly version?: number }

export const damage = (kind: DamageKind, detail: string, place: Place): Damage => ({
  kind,
  position: place.position ?? 0,
  stream_id: place.stream_id ?? '',
  version: place.version ?? 0,
  detail,
})

const whereabouts = (problem: Damage): string => {
  const parts: string[] = []
  if (problem.position > 0) parts.push(`position ${problem.position}`)
  if (problem.stream_id !== '') parts.push(`stream '${problem.stream_id}'`)
  if (problem.version > 0) parts.push(`version ${problem.version}`)
  return parts.length === 0 ? '' : ` at ${parts.join(', ')}`
}

/** `ES_CORRUPT`, with `position`, `stream_id`, `version` and `kind`; `more` is how much else is known. */
export const corruptError = (problem: Damage, more = 0): EventStoreError =>
  new EventStoreError('ES_CORRUPT', {
    happened: `The log is damaged (${problem.kind})${whereabouts(problem)}: ${problem.detail}${
      more === 0 ? '' : `, and ${more} more`
    }`,
    expected: 'Expected a record that verifies; one that does not is never returned',
    remedy:
      'Run verify() to see all of the damage, restore the folder from a backup, or copy what verifies into a new folder with salvage()',
    details: {
      kind: problem.kind,
      position: problem.position,
      stream_id: problem.stream_id,
      version: problem.version,
    },
  })
