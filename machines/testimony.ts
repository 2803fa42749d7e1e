/** What hooks said about a wish, and the pure decision it amounts to; guards read this, replays decide the same way. */

/** One hook's word, as recorded in the event that the machine decides on. */
export type Testimony = {
  readonly hook: string
  readonly allowed: boolean
  readonly reason?: string
  readonly alternatives?: readonly string[]
  readonly duration_ms: number
  /** Set when the hook did not answer properly; such a testimony is a denial. */
  readonly trouble?: 'threw' | 'timed_out' | 'malformed'
}

/** What all testimony together amounts to. */
export type Verdict = {
  readonly allowed: boolean
  /** The first denying hook; absent if allowed. */
  readonly by?: string
  readonly reason?: string
  readonly alternatives: readonly string[]
  /** Hooks whose error or silence was passed over, because stopping is never blocked by them. */
  readonly bypassed: readonly string[]
}

/**
 * Folds testimony into a verdict: the first denial wins; no testimony allows.
 * When `stopping` (pause, cancel, end), a hook's trouble is passed over and noted; its explicit "no" still counts.
 */
export function verdictOf(testimony: readonly Testimony[], options: { readonly stopping: boolean }): Verdict {
  const bypassed: string[] = []
  for (const word of testimony) {
    if (word.allowed) continue
    if (options.stopping && word.trouble !== undefined) {
      bypassed.push(word.hook)
      continue
    }
    return {
      allowed: false,
      by: word.hook,
      reason: word.reason ?? `hook "${word.hook}" denied without a reason`,
      alternatives: word.alternatives ?? [],
      bypassed,
    }
  }
  return { allowed: true, alternatives: [], bypassed }
}
