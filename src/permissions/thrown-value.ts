/** Says in one short line what was thrown, whatever it was. */

/** Code points; an error's message may quote a whole payload, which does not belong into a record. */
const LONGEST = 500

/** Never throws, not even for a value whose own description does. */
export function describeThrown(thrown: unknown): string {
  try {
    const text =
      thrown instanceof Error
        ? `${thrown.name}: ${thrown.message}`
        : typeof thrown === 'string'
          ? thrown
          : `a thrown ${thrown === null ? 'null' : typeof thrown}`
    return text.length <= LONGEST ? text : `${Array.from(text).slice(0, LONGEST).join('')}…`
  } catch {
    return 'a thrown value that cannot be described'
  }
}
