/** What was spent and worked, summed up by key, and over all. */
import type { SpendingGroup } from './spending-groups.ts'
import type { TreeState } from './tree.ts'

export type Spent = {
  /** How many costs were booked. */
  readonly bookings: number
  readonly tokens: number
  /** What was booked, in millionths of a dollar, which add up exactly. */
  readonly cost_micro_usd: number
  /** Time at work, pauses left out. */
  readonly ms: number
  /** What that time costs by the rates, in millionths of a dollar. */
  readonly time_micro_usd: number
}

export type SpendingRow = Spent & {
  /** The session's id, the role, the agent's id, the day in UTC, or what it was for, which no time is. */
  readonly key: string
  /** The name of a session or the agent of a run, if it has one. */
  readonly name: string | null
}

export const NOTHING: Spent = { bookings: 0, tokens: 0, cost_micro_usd: 0, ms: 0, time_micro_usd: 0 }

/** Sums by key, and over all. */
export class SpendingSheet {
  readonly #sums = new Map<string, Spent>()
  total = NOTHING

  add(key: string, part: Spent): void {
    this.#sums.set(key, plus(this.#sums.get(key) ?? NOTHING, part))
    this.total = plus(this.total, part)
  }

  rows(by: SpendingGroup, { nodes }: TreeState): SpendingRow[] {
    const rows = Array.from(this.#sums, ([key, sum]) => {
      const node = nodes.get(key)
      return { key, name: node?.name ?? node?.agent_id ?? null, ...sum }
    })
    if (by === 'day') return rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const price = (row: Spent): number => row.cost_micro_usd + row.time_micro_usd
    return rows.toSorted((a, b) => price(b) - price(a))
  }
}

function plus(sum: Spent, part: Spent): Spent {
  return {
    bookings: sum.bookings + part.bookings,
    tokens: sum.tokens + part.tokens,
    cost_micro_usd: sum.cost_micro_usd + part.cost_micro_usd,
    ms: sum.ms + part.ms,
    time_micro_usd: sum.time_micro_usd + part.time_micro_usd,
  }
}
