/** Brings together what several agents changed, and says where two of them changed the same file differently. Pure. */

/** One changed file, as an agent returned it in `code_changes`. */
export type Change = { readonly file: string; readonly [key: string]: unknown }

export type MergedChanges = {
  readonly changes: readonly Change[]
  readonly files: readonly string[]
  readonly file_count: number
  /** Files that were changed in different ways; of those none is taken. */
  readonly conflicts: readonly string[]
}

/** Each element is the changes of one agent; agents that changed nothing have none. */
export function mergeByFile(changesOfAgents: readonly (readonly Change[] | undefined)[]): MergedChanges {
  const byFile = new Map<string, Change>()
  const conflicts = new Set<string>()
  for (const change of changesOfAgents.flatMap((changes) => changes ?? [])) {
    const other = byFile.get(change.file)
    if (other !== undefined && sorted(other) !== sorted(change)) conflicts.add(change.file)
    byFile.set(change.file, change)
  }
  const changes = [...byFile.values()].filter(({ file }) => !conflicts.has(file))
  return {
    changes,
    files: changes.map(({ file }) => file),
    file_count: changes.length,
    conflicts: [...conflicts],
  }
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
