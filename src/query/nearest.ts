/** Finds what a mistyped name or id was probably meant to be. */

const AT_MOST = 3

/** The candidates that come nearest, best first; none if nothing comes near. */
export function nearest(typed: string, candidates: readonly string[]): string[] {
  const wanted = typed.toLowerCase()
  // Ids are long and differ in few places by chance; names are short and every letter counts.
  const tolerance = Math.min(4, Math.max(1, Math.floor(wanted.length / 3)))
  return candidates
    .map((candidate) => ({ candidate, distance: distanceOf(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, AT_MOST)
    .map(({ candidate }) => candidate)
}

/** 0 for a part of the candidate that is long enough to mean it, else the number of edits. */
function distanceOf(wanted: string, candidate: string): number {
  if (wanted.length >= 4 && candidate.includes(wanted)) return 0
  if (Math.abs(wanted.length - candidate.length) > 4) return Number.POSITIVE_INFINITY
  return edits(wanted, candidate)
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
function edits(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let cost = Math.min(replaced, at(previous, j) + 1, at(row, j - 1) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, at(before, j - 2) + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return at(previous, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
