/** Finds TODO, FIXME, HACK and XXX where they are notes to somebody: in comments, as the note's first word. */
import { type Language, languageOf } from './languages.ts'
import { lineCounter, scan } from './lexical.ts'

export type Marker = {
  readonly marker: 'TODO' | 'FIXME' | 'HACK' | 'XXX'
  readonly line: number
  /** What the note says, shortened; may be empty. */
  readonly note: string
}

const SHOWN = 100
const QUICK = /\b(?:TODO|FIXME|HACK|XXX)\b/
/** After the comment's own signs; anywhere only with a colon or a name behind it. */
const NOTE =
  /^(?:[\s/*#;%!-]|<!)*(?:@|\[|-\s)?(TODO|FIXME|HACK|XXX)(?![\w/|,'"`-]|\s*(?:[,/|&]|and\b|or\b|comments?\b))(\([^)\n]{0,60}\))?[\]:!\s-]*(.*)$/
const INSIDE = /(?:^|[\s(])(TODO|FIXME|HACK|XXX)(?:(\([\w@ .#/-]{1,60}\)):?|:)\s*(.*)$/

export function markersIn(file: string, text: string): Marker[] {
  if (!QUICK.test(text)) return []
  const language = languageOf(file)
  return language === undefined ? [] : inComments(text, language)
}

function inComments(text: string, language: Language): Marker[] {
  const found: Marker[] = []
  const lineOf = lineCounter(text)
  for (const span of scan(text, language)) {
    if (span.kind !== 'comment') continue
    const comment = text.slice(span.start, span.end)
    if (!QUICK.test(comment)) continue
    const first = lineOf(span.start)
    for (const [index, line] of comment.replaceAll('\r', '').split('\n').entries()) {
      const note = line.length > 2000 ? null : (NOTE.exec(line) ?? INSIDE.exec(line))
      if (note === null) continue
      found.push({ marker: note[1] as Marker['marker'], line: first + index, note: shorten(note[3] ?? '') })
    }
  }
  return found
}

function shorten(note: string): string {
  const plain = note
    .replace(/(\*\/|--+>?|#\})\s*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  if (plain.length <= SHOWN) return plain
  return `${plain
    .slice(0, SHOWN)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trimEnd()}…`
}
