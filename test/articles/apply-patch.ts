/** Applies a unified diff to a text, strictly: what the diff expects must be there, at its line. */

export function applyPatch(original: string, patch: string): string {
  const lines = original.split('\n')
  const result: string[] = []
  let next = 0
  const take = (expected: string, at: string): string => {
    const found = lines[next]
    if (found !== expected) throw new Error(`${at}: the patch expects "${expected}", the text has "${found}"`)
    next += 1
    return found
  }
  for (const line of patch.split('\n')) {
    if (line.startsWith('--- ') || line.startsWith('+++ ') || line.startsWith('\\') || line === '') continue
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@/.exec(line)
    if (hunk !== null) {
      // A hunk that takes nothing away stands after its line.
      const start = hunk[2] === '0' ? Number(hunk[1]) : Number(hunk[1]) - 1
      result.push(...lines.slice(next, start))
      next = start
      continue
    }
    const text = line.slice(1)
    if (line.startsWith('+')) result.push(text)
    else if (line.startsWith('-')) take(text, line)
    else result.push(take(text, line))
  }
  return [...result, ...lines.slice(next)].join('\n')
}
