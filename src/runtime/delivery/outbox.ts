/** Keeps mail on disk from the sender's batch until the receiver's: exactly once, in order per sender, also over kills. */
import { createHash } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { AnyEventObject } from 'xstate'
import type { Entry, EventStore } from '../../../eventstore/event-store.ts'
import { canonicalMail } from '../fold/canonical.ts'
import { rootOf } from '../fold/child-address.ts'
import type { Mail } from './mail.ts'

const OUTBOX = 'outbox/'

/** A longer name of a sender is told by its digest: there is room for one name in a key. */
const LONGEST_SENDER = 32

export type KeptMail = Mail & { readonly key: string }

/** Who sees to the mail of all families. */
export type Post = {
  isUnderWay(key: string): boolean
  begin(key: string): void
  end(key: string): void
  deliver(mail: KeptMail): void
}

type Value = {
  readonly root: string
  readonly to: string
  readonly from: string
  readonly event: AnyEventObject
  readonly cause: string | null
}

/** The entry that keeps a mail. `version`: the sender's, which never goes back as clocks do. */
export function keepMail(mail: Mail, version: number): { readonly mail: KeptMail; readonly entry: Entry } {
  const { to, from, cause, place } = mail
  const { event } = canonicalMail(mail.event)
  const root = rootOf(to)
  const sender =
    from.length <= LONGEST_SENDER ? from : createHash('sha256').update(from).digest('hex').slice(0, 32)
  const key = `${OUTBOX}${root}/${sender}/${String(version).padStart(10, '0')}/${uuidv7()}`
  const value: Value = { root, to, from, event, cause }
  return { mail: { to, from, event, cause, place, key }, entry: { key, value } }
}

/** What waits for the actors of a family, in order per sender. */
export async function mailFor(store: EventStore, root: string): Promise<KeptMail[]> {
  const mails: KeptMail[] = []
  for await (const { key, value } of store.entries(`${OUTBOX}${root}/`)) {
    const { root: whose, to, from, event, cause } = value as Value
    // Another root's id may begin with this one's.
    if (whose === root) mails.push({ to, from, event, cause, place: 0, key })
  }
  return mails
}

/** Every family that mail waits for. */
export async function rootsWithMail(store: EventStore): Promise<string[]> {
  const roots = new Set<string>()
  for await (const { value } of store.entries(OUTBOX)) roots.add((value as Value).root)
  return [...roots]
}

/** All mail that waits, without taking any. */
export async function* waitingMail(
  store: Pick<EventStore, 'entries'>,
): AsyncGenerator<Pick<Mail, 'cause' | 'event' | 'from' | 'to'>, void, undefined> {
  for await (const { value } of store.entries(OUTBOX)) {
    const { to, from, event, cause } = value as Value
    yield { to, from, event, cause }
  }
}
