/**
 * The mail that waits on disk for the members of one family, and that later mail must not overtake.
 *
 * Owns: its keys, by the actor that it is for.
 * Never: holds the mail itself.
 */
import { rootOf } from '../fold/child-address.ts'
import type { KeptMail } from '../delivery/outbox.ts'

export class AwaitedMail {
  /** Most families wait for none. */
  #keys: Map<string, Set<string>> | undefined

  isAwaitedBy(address: string): boolean {
    return this.#keys?.has(address) ?? false
  }

  /** Mail for other families is theirs to wait for. */
  add({ to, key }: KeptMail, root: string): void {
    if (rootOf(to) !== root) return
    this.#keys ??= new Map()
    const keys = this.#keys.get(to) ?? new Set()
    this.#keys.set(to, keys.add(key))
  }

  remove({ to, key }: KeptMail): void {
    const keys = this.#keys?.get(to)
    if (keys?.delete(key) === true && keys.size === 0) this.#keys?.delete(to)
  }
}
