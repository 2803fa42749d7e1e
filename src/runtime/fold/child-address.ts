/** Names the streams of child actors, so that a name alone says to which root an actor belongs. */
import { createHash } from 'node:crypto'

/** Leaves room in the store's keys for what a child owes. */
const LONGEST_ADDRESS = 440

/** `:<version>:<n>` for each generation, or `:#<digest>` for generations that would make the name too long. */
const LINEAGE = /(?::#[0-9a-f]{32})?(?::\d+:\d+)*$/

/** The stream of the child that was born under this key: the key itself, or a digest of it under the same root. */
export function childAddress(key: string): string {
  if (key.length <= LONGEST_ADDRESS) return key
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 32)
  return `${rootOf(key)}:#${digest}`
}

/** The actor at the top of the family that this one belongs to; itself, if it is nobody's child. */
export function rootOf(id: string): string {
  const last = id.charCodeAt(id.length - 1)
  // A digit, or a letter of a digest: most names are told apart by their last character.
  const mayBeChild = (last >= 48 && last <= 57) || (last >= 97 && last <= 102)
  if (!mayBeChild || !id.includes(':')) return id
  return id.replace(LINEAGE, '')
}

/** Whether this is the name of a child's stream; no root may have such a name. */
export function isChildAddress(id: string): boolean {
  return rootOf(id) !== id
}
