/** What hooks said about a wish, and the pure decision it amounts to; guards read this, replays decide the same way. */

/** One hook's word, as recorded in the event that the machine decides on. */
export type Testimony = {
  readonly hook: string
  readonly allowed: boolean
  readonly reason?: string
  readonly alternatives?: readonly string[]
  /** Not allowed by itself: a person may allow it. */
  readonly requires_approval?: true
  readonly duration_ms: number
  /** Set when the hook did not answer properly; such a testimony is a denial. */
  readonly trouble?: 'threw' | 'timed_out' | 'malformed'
}

/** What all testimony together amounts to. */
export type Verdict = {
  readonly allowed: boolean
  /** The first denying hook, or the first that wants a person to decide; absent if allowed. */
  readonly by?: string
  /** Nobody denies it, and somebody wants a person to decide. */
  readonly requires_approval?: true
  readonly reason?: string
  readonly alternatives: readonly string[]
  /** Hooks whose error or silence was passed over, because stopping is never blocked by them. */
  readonly bypassed: readonly string[]
}

/**
 * Folds testimony into a verdict: the first denial wins, then the first wish for a person's approval; no testimony
 * allows. When `stopping` (pause, cancel, end), a hook's trouble is passed over and noted; its explicit "no" still
 * counts.
 */
export function verdictOf(testimony: readonly Testimony[], options: { readonly stopping: boolean }): Verdict {
  const bypassed: string[] = []
  let asking: Testimony | undefined
  for (const word of testimony) {
    if (word.allowed) continue
    if (options.stopping && word.trouble !== undefined) bypassed.push(word.hook)
    else if (word.requires_approval === true) asking ??= word
    else return { ...refusalIn(word), bypassed }
  }
  if (asking !== undefined) return { ...refusalIn(asking), requires_approval: true, bypassed }
  return { allowed: true, alternatives: [], bypassed }
}

function refusalIn(word: Testimony): Omit<Verdict, 'bypassed'> {
  return {
    allowed: false,
    by: word.hook,
    reason: word.reason ?? `hook "${word.hook}" denied without a reason`,
    alternatives: word.alternatives ?? [],
  }
}
