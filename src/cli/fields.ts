/** Facts as aligned lines of label and value, one value to a line. */
import type { CliOutput } from './output.ts'
import { printable } from './printable.ts'

/** Left out when there is no value. */
export type Field = readonly [label: string, value: string | readonly string[] | null | undefined]

const LABEL_WIDTH = 13

export function fieldLines(fields: readonly Field[], output: CliOutput, indent = '  '): string[] {
  return fields.flatMap(([label, value]) => {
    if (value === null || value === undefined || value === '') return []
    const values = typeof value === 'string' ? [value] : value
    return values.map((text, index) => {
      const name = (index === 0 ? label : '').padEnd(LABEL_WIDTH)
      return `${indent}${output.paint('dim', name)} ${printable(text)}`.trimEnd()
    })
  })
}
