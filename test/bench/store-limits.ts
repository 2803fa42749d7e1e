/** The store beside its raw limits: all rows with a goal, as data and as a table. */
import { measureScale } from './store-scale.ts'
import { measureWrites } from './store-writes.ts'
import type { Comparison, Goal } from './alternate.ts'

/** How many events the rows on reading, opening and size are measured with: `large` takes minutes. */
export const SCALE = { usual: 100_000, large: 1_000_000 }

export async function measureLimits(folder: string, events: number): Promise<Comparison[]> {
  return [...(await measureWrites(folder)), ...(await measureScale(folder, events))]
}

/** `what`: whose figures are in the second column. */
export function limitsTable(what: string, rows: readonly Comparison[]): string {
  return [
    `| the ${what} beside its raw limit | ${what} | raw | result | goal |`,
    '|---|---:|---:|---:|---:|',
    ...rows.map(({ name, unit, ours, raw, result, goal }) => {
      const [measured, limit] = [ours, raw].map((figure) => `${number(figure)} ${unit}`)
      return `| ${name} | ${measured} | ${limit} | ${number(result)} | ${goalText(goal)} |`
    }),
  ].join('\n')
}

const goalText = (goal: Goal): string => ('atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`)

const number = (value: number): string =>
  value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString('en')
