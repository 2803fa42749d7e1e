/** Compares things by turns: short rounds one after the other, so that a machine that slows down slows them all. */

/** What one round of one side came to, by name. */
export type Figures = { readonly [name: string]: number }

/** Figures of each side, in the order of rounds. */
export type Rounds<Side extends string> = { readonly [S in Side]: readonly Figures[] }

/**
 * Runs every side once per round, each round in the other order. The first `warmUp` rounds (default 1) are forgotten: so
 * many that what is measured has been compiled, which takes some thousands of calls.
 */
export async function alternate<Side extends string>(
  sides: { readonly [S in Side]: () => Promise<Figures> },
  rounds: number,
  { warmUp = 1 }: { readonly warmUp?: number } = {},
): Promise<Rounds<Side>> {
  const names = Object.keys(sides) as Side[]
  const results = Object.fromEntries(names.map((name) => [name, [] as Figures[]])) as {
    [S in Side]: Figures[]
  }
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const figures = await sides[name]()
      if (round >= warmUp) results[name].push(figures)
    }
  }
  return results
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** What is to be reached: at least this, or at most. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

/** One row: what the store did beside what its raw limit did. */
export type Comparison = {
  readonly name: string
  readonly unit: string
  readonly goal: Goal
  readonly ours: number
  readonly raw: number
  /** The median of what each round's two figures amount to. */
  readonly result: number
  readonly rounds: number
}

type Compared = Pick<Comparison, 'name' | 'unit' | 'goal'> & {
  /** One figure per round. */
  readonly ours: readonly number[]
  readonly raw: readonly number[]
  /** Default: ours ÷ raw. */
  readonly relate?: (ours: number, raw: number) => number
}

export function comparison({ ours, raw, relate = divide, ...row }: Compared): Comparison {
  const related = ours.map((figure, round) => relate(figure, raw[round] ?? Number.NaN))
  return { ...row, ours: median(ours), raw: median(raw), result: median(related), rounds: related.length }
}

const divide = (ours: number, raw: number): number => ours / raw

/** One figure of every round. */
export const pick = (rounds: readonly Figures[], name: string): number[] =>
  rounds.map((figures) => figures[name] ?? Number.NaN)
