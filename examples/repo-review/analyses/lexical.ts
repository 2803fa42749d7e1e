/** Tells comments and strings from code by scanning, without a parser; what it cannot tell it calls code. */
import { EMBEDDED, type Language, type Syntax } from './languages.ts'

export type SpanKind = 'comment' | 'string'

/** A half-open range of the text. */
export type Span = { readonly kind: SpanKind; readonly start: number; readonly end: number }

export function scan(text: string, language: Language): Span[] {
  return language.id === 'markup'
    ? scanMarkup(text, language.syntax)
    : new Scanner(text, language.syntax).run()
}

/** The text with the spans of these kinds blanked; every offset and every line stays where it was. */
export function without(text: string, spans: readonly Span[], kinds: readonly SpanKind[]): string {
  const parts: string[] = []
  let from = 0
  for (const span of spans) {
    if (!kinds.includes(span.kind)) continue
    parts.push(text.slice(from, span.start), text.slice(span.start, span.end).replace(/[^\n]/g, ' '))
    from = span.end
  }
  parts.push(text.slice(from))
  return parts.join('')
}

/** Turns offsets into line numbers, counted from 1. */
export function lineCounter(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (low + 1 < high) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** Before a regular expression stands an operator, an opening bracket or one of these words; before a division, a value. */
const WORD_BEFORE_REGEX =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|do|else|yield|await|instanceof)$/

class Scanner {
  private readonly text: string
  private readonly syntax: Syntax
  private readonly spans: Span[] = []
  private readonly interesting: RegExp
  /** Open braces inside each template hole that is open. */
  private readonly holes: number[] = []

  constructor(text: string, syntax: Syntax) {
    this.text = text
    this.syntax = syntax
    const starts = [
      ...syntax.blockComments.map(([open]) => open),
      ...syntax.lineComments,
      ...syntax.longQuotes,
      ...syntax.quotes.split(''),
      ...(syntax.script ? ['`', '{', '}', '/'] : []),
      ...(syntax.charQuote ? ["'"] : []),
    ]
    this.interesting = new RegExp(
      starts.map((start) => start.replace(/[^\w\s]/g, '\\$&')).join('|') || '(?!)',
      'g',
    )
  }

  run(): Span[] {
    for (let at = 0; ;) {
      this.interesting.lastIndex = at
      const found = this.interesting.exec(this.text)
      if (found === null) return this.spans
      at = this.step(found.index, found[0])
    }
  }

  /** Handles one interesting place and says where to go on. */
  private step(at: number, token: string): number {
    const { syntax, text } = this
    const close = syntax.blockComments.find(([open]) => open === token)?.[1]
    if (close !== undefined) return this.add('comment', at, endAfter(text, close, at + token.length))
    if (syntax.lineComments.includes(token)) {
      if (syntax.loose && /\S/.test(text[at - 1] ?? ' ')) return at + token.length
      return this.add('comment', at, lineEnd(text, at))
    }
    if (syntax.longQuotes.includes(token)) {
      return this.add('string', at, endOfString(text, at + token.length, { close: token, multiline: true }))
    }
    if (syntax.quotes.includes(token)) {
      if (syntax.loose && /[\w)\]]/.test(text[at - 1] ?? ' ')) return at + 1
      return this.add('string', at, endOfString(text, at + 1, { close: token, multiline: false }))
    }
    if (token === "'") {
      const length = /^'(?:\\[^\n]{1,10}?|[^\\'\n])'/u.exec(text.slice(at, at + 14))?.[0].length
      return length === undefined ? at + 1 : this.add('string', at, at + length)
    }
    return this.scriptStep(at, token)
  }

  private scriptStep(at: number, token: string): number {
    const depth = this.holes.at(-1)
    if (token === '`') return this.template(at, at + 1)
    if (token === '{' && depth !== undefined) this.holes[this.holes.length - 1] = depth + 1
    if (token === '}' && depth === 0) {
      this.holes.pop()
      return this.template(at, at + 1)
    }
    if (token === '}' && depth !== undefined) this.holes[this.holes.length - 1] = depth - 1
    if (token === '/' && this.regexMayStart(at)) {
      const end = endOfRegex(this.text, at + 1)
      if (end !== undefined) return this.add('string', at, end)
    }
    return at + 1
  }

  /** A template's text up to its end or its next hole. */
  private template(start: number, from: number): number {
    const { text } = this
    for (let i = from; i < text.length; i += 1) {
      const char = text[i]
      if (char === '\\') i += 1
      else if (char === '`') return this.add('string', start, i + 1)
      else if (char === '$' && text[i + 1] === '{') {
        this.holes.push(0)
        return this.add('string', start, i + 2)
      }
    }
    return this.add('string', start, text.length)
  }

  private regexMayStart(at: number): boolean {
    let before = at - 1
    while (before >= 0 && /\s/.test(this.text[before] ?? '')) before -= 1
    const last = this.spans.at(-1)
    if (last?.kind === 'comment' && last.end === before + 1) return true
    const char = this.text[before]
    if (char === undefined || '(,=:[!&|?{};+-*%~^'.includes(char)) return true
    if (char === '>') return this.text[before - 1] === '='
    return WORD_BEFORE_REGEX.test(this.text.slice(Math.max(0, before - 11), before + 1))
  }

  private add(kind: SpanKind, start: number, end: number): number {
    this.spans.push({ kind, start, end })
    return end
  }
}

function endAfter(text: string, close: string, from: number): number {
  const end = text.indexOf(close, from)
  return end === -1 ? text.length : end + close.length
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

function endOfString(text: string, from: number, rule: { close: string; multiline: boolean }): number {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1
    else if (text[i] === '\n' && !rule.multiline) return i
    else if (text.startsWith(rule.close, i)) return i + rule.close.length
  }
  return text.length
}

function endOfRegex(text: string, from: number): number | undefined {
  let inClass = false
  for (let i = from; i < text.length; i += 1) {
    const char = text[i]
    if (char === '\n') return undefined
    if (char === '\\') i += 1
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if (char === '/' && !inClass) return i + 1
  }
  return undefined
}

/** Markup: its own comments, and the scripts and styles inside it. */
function scanMarkup(text: string, syntax: Syntax): Span[] {
  const spans: Span[] = []
  const part = /<!--|<(script|style)\b[^<>]*>/gi
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    const from = part.lastIndex
    if (found[1] === undefined) {
      const end = endAfter(text, syntax.blockComments[0]?.[1] ?? '-->', from)
      spans.push({ kind: 'comment', start: found.index, end })
      part.lastIndex = end
      continue
    }
    const name = found[1].toLowerCase() as 'script' | 'style'
    const length = text.slice(from).search(name === 'script' ? /<\/script/i : /<\/style/i)
    const end = length === -1 ? text.length : from + length
    for (const span of new Scanner(text.slice(from, end), EMBEDDED[name].syntax).run()) {
      spans.push({ kind: span.kind, start: span.start + from, end: span.end + from })
    }
    part.lastIndex = end
  }
  return spans
}
