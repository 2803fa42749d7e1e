/** Compares state values as they are recorded: regions of a parallel state may come in any order. */
export function sameStateValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        key in b && sameStateValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  )
}
