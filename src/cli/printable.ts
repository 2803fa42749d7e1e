/** Text from the log on its way to a terminal: one line, and nothing in it that the terminal would obey. */

/** Control characters made visible, line ends made spaces: a log holds what agents wrote, escape sequences included. */
export function printable(text: string): string {
  return text
    .replaceAll(/\s*\r?\n\s*/g, ' ')
    .replaceAll('\t', ' ')
    .replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** At most `columns` wide, with an ellipsis for what is left out. */
export function shortened(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}

/** The same with the ellipsis inside: ids begin alike, and end each in its own way. */
export function shortenedInside(text: string, columns: number): string {
  if (text.length <= columns) return text
  const front = Math.min(5, Math.floor((columns - 1) / 2))
  return `${text.slice(0, front)}…${text.slice(text.length - (columns - 1 - front))}`
}

/** JSON on several lines, each of them printable. */
export function printableJson(value: unknown, indent = ''): string {
  return (JSON.stringify(value, null, 2) ?? 'null')
    .split('\n')
    .map(
      (line) =>
        indent + line.replaceAll(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    )
    .join('\n')
}

/** ISO time as people read it: `2026-11-20 14:05:06.789`, UTC. */
export function readableTime(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '')
}
