/**
 * Lists of one, made where V8 collects garbage cheaply; and why what waits for the disk is not made by literals.
 *
 * V8 counts for each literal in the code how many of its objects outlive a collection of what is young. Where nearly all
 * do, it puts them among what is old from the start, where each keeps alive all that it refers to, until everything is
 * collected. What an append leaves until the disk is done does outlive a collection under load, and is garbage a moment
 * later: made by literals, it took twice the work to get rid of. Objects of classes and copies (`{ ...blank }`) begin
 * young at all times.
 */

/** Not written as a literal either: its copies would share its one element until they are written to. */
const ONE: readonly undefined[] = Array.from({ length: 1 })

/** A list of this one item. */
export const listOf = <T>(item: T): T[] => {
  const list: (T | undefined)[] = ONE.slice()
  list[0] = item
  return list as T[]
}
