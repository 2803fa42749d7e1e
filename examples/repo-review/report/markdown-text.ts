/** Turns any text into Markdown that shows exactly this text: names and messages come from foreign files. */

/** Control characters, line ends and marks that reverse the reading direction, made visible. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Plain text inside a paragraph, a list or a table. */
export function escapeText(text: string): string {
  return visible(text)
    .replace(/[\\`*[\]<|]|~(?=~)|(?<=~)~|&(?=#?\w+;)/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
    .replace(/^[#+=>-]/, '\\$&')
    .replace(/^(\d+)(?=[.)])/, '$1\\')
}

/** A name or a command as inline code, whatever backticks it holds. */
export function inlineCode(text: string): string {
  const shown = visible(text)
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  const pad = shown.startsWith('`') || shown.endsWith('`') || /^ .* $/.test(shown) ? ' ' : ''
  return `${fence}${pad}${shown}${pad}${fence}`
}

/** Inline code in a table, where a bar would end the cell. */
export function cellCode(text: string): string {
  return inlineCode(text).replaceAll('|', '\\|')
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
