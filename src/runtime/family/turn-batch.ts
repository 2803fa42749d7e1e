/** What a turn leaves on disk, as one batch: events, what is owed after it, mail, dead letters. */
import type { AtomicBatch, Entry } from '../../../eventstore/event-store.ts'
import { buryMail } from '../delivery/dead-letters.ts'
import { intentRecords } from '../effects/owed-effect.ts'
import type { Cascade } from './cascade.ts'
import { recordsOf } from './turn.ts'

/**
 * Without entries it is nothing but what machines have decided. `taken`: the entry of the mail that the turn began with;
 * `mails`: those of mail that it leaves behind.
 */
export function batchOf(
  { parts, script, time, dead }: Pick<Cascade, 'dead' | 'parts' | 'script' | 'time'>,
  { taken, mails }: { readonly taken: string | undefined; readonly mails: readonly Entry[] },
): AtomicBatch {
  const entries: Entry[] = []
  const appends = parts.map((part) => recordsOf(part, time, entries))
  if (taken !== undefined) entries.push({ key: taken, value: undefined })
  if (mails.length > 0) entries.push(...mails)
  const intents = intentRecords(script, parts, time)
  if (intents !== undefined) {
    appends.push(...intents.appends)
    entries.push(...intents.entries)
  }
  for (const letter of dead) {
    const buried = buryMail(letter, time)
    appends.push(buried.append)
    entries.push(buried.entry)
  }
  // Most turns leave nothing but events.
  return entries.length === 0 ? { appends } : { appends, entries, outcome: dead.length > 0 }
}
