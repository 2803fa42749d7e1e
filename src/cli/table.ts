/** Rows of short facts in aligned columns, cut to a terminal's width and never to a file's. */
import type { CliOutput, Style } from './output.ts'
import { printable, shortened, shortenedInside } from './printable.ts'

export type Cell = string | { readonly text: string; readonly style: Style }

export type TableOptions = {
  /** In the order of the cells; an empty one for a column that explains itself. */
  readonly head: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** The columns that are cut, first the first, where the terminal is too narrow; the last one always is. */
  readonly flexible?: readonly number[]
  /** The columns of ids, which are cut in the middle. */
  readonly ids?: readonly number[]
  /** The columns whose cells end at the same place: numbers. */
  readonly right?: readonly number[]
}

const GAP = '  '
/** Narrower than that a column says nothing. */
const LEAST = 8
/** Enough of an id to find it by. */
const LEAST_ID = 14

/** The lines of a table, its head first; none if it has no rows. */
export function tableLines(options: TableOptions, output: CliOutput): string[] {
  const { head, flexible = [], right = [], ids = [] } = options
  const rows = options.rows.map((row) => row.map(plain))
  if (rows.length === 0) return []
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.text.length ?? 0)),
  )
  if (output.isTerminal) {
    const least = (column: number): number => (ids.includes(column) ? LEAST_ID : LEAST)
    narrow(widths, { order: [...flexible, widths.length - 1], least, columns: output.columns })
  }
  const line = (cells: readonly Plain[], style?: Style): string =>
    cells
      .map(({ text, style: own }, column) => {
        const width = widths[column] ?? 0
        const cut = ids.includes(column) ? shortenedInside(text, width) : shortened(text, width)
        const padding = ' '.repeat(width - cut.length)
        const painter = style ?? own
        const painted = painter === undefined || cut === '' ? cut : output.paint(painter, cut)
        return right.includes(column) ? padding + painted : painted + padding
      })
      .join(GAP)
      .trimEnd()
  return [
    line(
      head.map((text) => ({ text, style: undefined })),
      'dim',
    ),
    ...rows.map((row) => line(row)),
  ]
}

type Plain = { readonly text: string; readonly style: Style | undefined }

function plain(cell: Cell): Plain {
  return typeof cell === 'string'
    ? { text: printable(cell), style: undefined }
    : { text: printable(cell.text), style: cell.style }
}

type Narrowing = {
  readonly order: readonly number[]
  readonly least: (column: number) => number
  readonly columns: number
}

function narrow(widths: number[], { order, least, columns }: Narrowing): void {
  for (const column of order) {
    const total = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
    const over = total - columns
    if (over <= 0) return
    const width = widths[column] ?? 0
    widths[column] = Math.max(Math.min(width, least(column)), width - over)
  }
}
