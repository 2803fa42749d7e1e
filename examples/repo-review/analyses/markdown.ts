/** Reads from a Markdown text what the reviews of documents need: links, headings, anchors; nothing inside code. */
import { lineCounter } from './lexical.ts'

export type MarkdownLink = { readonly target: string; readonly line: number; readonly image: boolean }
export type MarkdownHeading = { readonly level: number; readonly text: string; readonly line: number }

export type MarkdownFile = {
  readonly links: readonly MarkdownLink[]
  readonly headings: readonly MarkdownHeading[]
  /** Lower case; both what GitHub makes of headings and what the author named. */
  readonly anchors: ReadonlySet<string>
}

const FENCE = /^[ \t>]{0,40}(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,9}){0,4}[ \t>]{0,40}(`{3,}(?!.*`)|~{3,})/
const DEFINITION = /^ {0,3}\[(?!\^)[^\]\n]{1,200}\]:[ \t]*(?:\n[ \t]*)?(<[^<>\n]*>|[^\s<]\S*)/gm
const HTML_TARGET = /<(?:a|img)(?=\s)[^<>]{0,500}?\s(href|src)\s*=\s*(?:"([^"<>\n]*)"|'([^'<>\n]*)')/gi
const HTML_ANCHOR = /<[a-z][\w-]*\s[^<>]{0,500}?\b(?:id|name)\s*=\s*["']?([^\s"'<>]+)/gi

export function readMarkdown(source: string): MarkdownFile {
  const text = withoutCode(source.replace(/\r\n/g, '\n'))
  const headings = headingsOf(source.replace(/\r\n/g, '\n'), text)
  return { links: linksOf(text), headings, anchors: anchorsOf(headings, text) }
}

/** GitHub's rule: lower case, letters, digits, `_`, `-`, spaces to hyphens. */
export function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replace(/ /g, '-')
}

/** Front matter, fences, indented code, comments and code spans, blanked; offsets and lines stay. */
function withoutCode(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, ' ')
  const lines = text.replace(/^---\n[\s\S]*?\n(?:---|\.\.\.)(?=\n|$)/, blank).split('\n')
  let fence: string | undefined
  let inList = false
  let before = ''
  for (const [index, line] of lines.entries()) {
    const mark = FENCE.exec(line)?.[1]
    if (fence !== undefined) {
      lines[index] = ''.padEnd(line.length)
      const closes = mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length
      if (closes && line.trimEnd().endsWith(mark)) fence = undefined
      continue
    }
    if (mark !== undefined) {
      fence = mark
      lines[index] = ''.padEnd(line.length)
    } else if (/^(?: {4}|\t)/.test(line) && !inList && before.trim() === '') {
      lines[index] = ''.padEnd(line.length)
      // The next line of the block follows a blank one as well.
      continue
    } else if (/^\s*(?:[-*+]|\d+[.)])\s/.test(line)) inList = true
    else if (/^\S/.test(line)) inList = false
    before = line
  }
  const uncommented = lines.join('\n').replace(/<!--[\s\S]*?(?:-->|$(?![\s\S]))/g, blank)
  return uncommented
    .split(/(\n[ \t]*\n)/)
    .map(withoutCodeSpans)
    .join('')
}

/** A run of backticks closes with the next run of the same length in its paragraph, or is no code. */
function withoutCodeSpans(paragraph: string): string {
  const runs = [...paragraph.matchAll(/`+/g)]
  const lastOfLength = new Map(runs.map((run, index) => [run[0].length, index]))
  const parts: string[] = []
  let from = 0
  for (let index = 0; index < runs.length; index += 1) {
    const length = runs[index]?.[0].length ?? 0
    const start = runs[index]?.index ?? 0
    if (paragraph[start - 1] === '\\' || (lastOfLength.get(length) ?? 0) <= index) continue
    do index += 1
    while (runs[index]?.[0].length !== length)
    const end = (runs[index]?.index ?? 0) + length
    parts.push(paragraph.slice(from, start), paragraph.slice(start, end).replace(/[^\n]/g, ' '))
    from = end
  }
  return parts.join('') + paragraph.slice(from)
}

function linksOf(text: string): MarkdownLink[] {
  const links: MarkdownLink[] = []
  const lineOf = lineCounter(text)
  for (let at = text.indexOf(']('); at !== -1; at = text.indexOf('](', at + 2)) {
    const target = destinationAt(text, at + 2)
    if (target === undefined || text[at - 1] === '\\') continue
    links.push({ target, line: lineOf(at), image: isImage(text, at) })
  }
  for (const found of text.matchAll(DEFINITION)) {
    links.push({ target: bare(found[1] ?? ''), line: lineOf(found.index), image: false })
  }
  for (const found of text.matchAll(HTML_TARGET)) {
    links.push({
      target: found[2] ?? found[3] ?? '',
      line: lineOf(found.index),
      image: found[1]?.toLowerCase() === 'src',
    })
  }
  return links
}

/** `<with spaces>` or balanced parentheses up to a space; then an optional title; then the closing bracket. */
function destinationAt(text: string, from: number): string | undefined {
  const rest = text.slice(from, from + 2000).replace(/^[ \t]*\n?[ \t]*/, '')
  const angled = /^<([^<>\n]*)>(?=[\s)])/.exec(rest)
  if (angled !== null) return unescape(angled[1] ?? '')
  let depth = 0
  let end = 0
  for (; end < rest.length; end += 1) {
    const char = rest[end] ?? ''
    if (char === '\\') end += 1
    else if (/\s/.test(char)) break
    else if (char === '(') depth += 1
    else if (char === ')') {
      if (depth === 0) break
      depth -= 1
    }
  }
  if (end === 0 || !/^\s*(?:["'(][^\n]*(?:\n[^\n]+)?)?\s*\)/.test(rest.slice(end))) return undefined
  return unescape(rest.slice(0, end))
}

function isImage(text: string, close: number): boolean {
  let depth = 0
  for (let at = close; at >= 0 && close - at < 500; at -= 1) {
    if (text[at] === ']') depth += 1
    else if (text[at] === '[') {
      depth -= 1
      if (depth === 0) return text[at - 1] === '!'
    }
  }
  return false
}

function bare(target: string): string {
  return unescape(target.startsWith('<') ? target.slice(1, -1) : target)
}

function unescape(target: string): string {
  return target.replace(/\\([!-/:-@[-`{-~])/g, '$1').replaceAll('&amp;', '&')
}

/** `text` has no code in it and says where headings are; `source` says what they read, code spans included. */
function headingsOf(source: string, text: string): MarkdownHeading[] {
  const lines = text.split('\n')
  const original = source.split('\n')
  return lines.flatMap((line, index): MarkdownHeading[] => {
    const atx = /^ {0,3}(#{1,6})(?:[ \t]|$)/.exec(line)
    if (atx !== null) {
      const words = (original[index] ?? '').replace(/^ {0,3}#+[ \t]*/, '').replace(/[ \t]+#+[ \t]*$/, '')
      return [{ level: atx[1]?.length ?? 1, text: words.trim(), line: index + 1 }]
    }
    const rule = /^ {0,3}(=+|-+)[ \t]*$/.exec(lines[index + 1] ?? '')
    const paragraph = /\S/.test(line) && !/^ {0,3}(?:[-*+>|#]|\d+[.)]\s|={3}|-{3})/.test(line)
    if (rule === null || !paragraph || (index > 0 && /^\s*\|/.test(line))) return []
    return [
      {
        level: rule[1]?.startsWith('=') === true ? 1 : 2,
        text: (original[index] ?? '').trim(),
        line: index + 1,
      },
    ]
  })
}

function anchorsOf(headings: readonly MarkdownHeading[], text: string): Set<string> {
  const anchors = new Set<string>()
  const seen = new Map<string, number>()
  for (const heading of headings) {
    const named = /\{#([^\s}]+)\}\s*$/.exec(heading.text)
    if (named !== null) anchors.add((named[1] ?? '').toLowerCase())
    const words = heading.text.replace(/\s*\{#[^}]*\}\s*$/, '')
    // Whether `_` is emphasis or a letter takes a parser to tell: both readings are accepted.
    const readings = new Set([slugOf(plain(words)), slugOf(plain(words).replace(/(?<!\w)_|_(?!\w)/g, ''))])
    for (const slug of readings) {
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      anchors.add(count === 0 ? slug : `${slug}-${count}`)
    }
  }
  for (const found of text.matchAll(HTML_ANCHOR)) anchors.add((found[1] ?? '').toLowerCase())
  return anchors
}

/** A heading as it reads on the page. */
function plain(heading: string): string {
  return heading
    .replace(/!\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?/g, '')
    .replace(/\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, '$1')
    .replace(/<[^<>]+>/g, '')
    .replace(/:[a-z0-9_+-]+:/g, '')
    .replace(/[*`]/g, '')
}
