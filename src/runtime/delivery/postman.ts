/**
 * Brings mail to actors of other families, and to those of the same one that a turn did not come to any more.
 *
 * Owns: which mail is under way in this process.
 * Never: delivers what is not on disk, or what is under way already.
 *
 * I1. Mail is under way from before it is on disk until the batch that takes it is, or is lost.
 * I2. Mail of one sender to one family is handed over in the order in which it was sent.
 */
import type { EventStore } from '../../../eventstore/event-store.ts'
import { rootOf } from '../fold/child-address.ts'
import type { Clock } from '../clock.ts'
import { buryMail } from './dead-letters.ts'
import type { Family } from '../family/family.ts'
import type { KeptMail } from './outbox.ts'

export type PostmanHost = {
  readonly store: EventStore
  readonly clock: Clock
  onError(error: unknown): void
  /** Hands the living family to `take`, woken if need be; `undefined` if there is no such root. */
  use(root: string, take: (family: Family | undefined) => Promise<void>): Promise<void>
}

export class Postman {
  readonly #host: PostmanHost
  readonly #underWay = new Set<string>()

  constructor(host: PostmanHost) {
    this.#host = host
  }

  /** Whether somebody sees to this mail in this process. */
  isUnderWay(key: string): boolean {
    return this.#underWay.has(key)
  }

  begin(key: string): void {
    this.#underWay.add(key)
  }

  end(key: string): void {
    this.#underWay.delete(key)
  }

  /** Delivers what has come to disk; what fails waits there for the receiver to be woken. */
  deliver(mail: KeptMail): void {
    const delivered = this.#host.use(rootOf(mail.to), (family) =>
      family === undefined ? this.#bury(mail) : family.receive(mail),
    )
    delivered
      .catch(async (error: unknown) => {
        const { code } = error as { code?: string }
        // There is nobody to take it, nor to ask what became of it.
        if (code === 'ACTOR_ERASED') await this.#drop(mail)
        // Closing in between leaves it on disk.
        else if (code !== 'RUNTIME_CLOSED') this.#host.onError(error)
      })
      .catch((error: unknown) => this.#host.onError(error))
      .finally(() => this.end(mail.key))
  }

  async #drop({ key }: KeptMail): Promise<void> {
    await this.#host.store.appendBatch({ appends: [], entries: [{ key, value: undefined }] })
  }

  async #bury(mail: KeptMail): Promise<void> {
    const { append, entry } = buryMail({ ...mail, reason: 'there is no such actor' }, this.#host.clock.now())
    const entries = [{ key: mail.key, value: undefined }, entry]
    await this.#host.store.appendBatch({ appends: [append], entries, outcome: true })
  }
}
