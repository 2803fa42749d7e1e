/**
 * What the world remembers of killed programs: a file of notes, outside of the log.
 *
 * A kill can cut a write in two where it crosses a page of the file. So each note begins on a line of its own and says
 * where it ends, and one that does not was never made.
 */
import { appendFileSync, readFileSync } from 'node:fs'

const END = ';'

export const note = (path: string, text: string): void => appendFileSync(path, `\n${text}${END}`)

/** All whole notes, in order; none if there is no file. */
export function notesIn(path: string): string[] {
  return textOf(path)
    .split('\n')
    .filter((line) => line.endsWith(END))
    .map((line) => line.slice(0, -END.length))
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return ''
    throw error
  }
}
