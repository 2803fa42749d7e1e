/** Finds functions, their own length and their depth of nesting by their brackets; no parser. */
import type { FunctionShape } from './function-shape.ts'
import type { Language } from './languages.ts'
import { indentedFunctions } from './indented-functions.ts'
import { lineCounter, scan, without } from './lexical.ts'

type Body = { readonly name: string; readonly head: number; readonly start: number; readonly end: number }

/** Text longer than this is data. */
const MAX_CHARS = 400_000

const NO_NAME = new Set(
  (
    'async if for while switch catch function return await with else do try super new typeof foreach using lock ' +
    'synchronized match when fn func sizeof defined elseif unless until select'
  ).split(' '),
)
/** With one of these before it, a name and its brackets are a call. */
const NO_HEAD =
  /\b(?:if|for|while|switch|match|return|else|new|await|case|go|defer|throw|in|of|yield|assert)\s/
const CONTROL = /^(if|for|foreach|while|switch|catch|with|using|lock|synchronized|when|elseif)$/
const CONTROL_ALONE = /^(else|do|try|finally|loop|unsafe)$/
const CONTROL_LINE = /^\s*(?:\}\s*)?(?:[\w']+:\s*)?(?:if|else if|else|for|while|switch|match|select|loop)\b/

const HEADS: readonly RegExp[] = [
  // function name(…), func (r *T) name(…), fn name<T>(…)
  /\b(?:function[ \t*]{0,9}|func(?:\s*\([^()\n]*\))?|fn|fun)\s{1,9}([\w$]+)\s{0,9}(?:<[^(){}]{0,200}>|\[[^(){}\]]{0,200}\])?\s{0,9}\(/g,
  // const name = async (…) =>, name = function (…), name: function (…)
  /(?<![\w$])([\w$]+)[ \t]{0,9}(?::[^=\n;{}]{1,200})?(?:=(?![=>])|:)\s{0,99}(?:async\s{0,9})?(?:function[ \t*]{0,9}(?:[\w$]+[ \t]{0,9})?)?(?:<[^(){}]{0,200}>\s{0,9})?\(/g,
  // methods, and functions of the C family: the name stands on the line where its bracket opens
  /^[ \t]*(?:[\w$#:*&<>,[\]?.@]+[ \t]+)*[*&]*([\w$#~:]+)[ \t]*(?:<[^(){}\n]{0,200}>)?\(/gm,
]

export function functionsIn(text: string, language: Language): FunctionShape[] {
  if (text.length > MAX_CHARS) return []
  const code = without(text, scan(text, language), ['comment', 'string'])
  return language.blocks === 'braces'
    ? byBraces(code)
    : language.blocks === 'indent'
      ? indentedFunctions(code)
      : []
}

function byBraces(code: string): FunctionShape[] {
  const pairs = matchBrackets(code)
  const bodies = new Map<number, Body>()
  for (const head of HEADS) {
    for (const found of code.matchAll(head)) {
      const name = found[1] ?? ''
      if (NO_NAME.has(name) || /^\d/.test(name) || NO_HEAD.test(found[0])) continue
      const start = bodyStart(code, pairs, found.index + found[0].length - 1)
      const end = start === undefined ? undefined : pairs.get(start)
      if (start === undefined || end === undefined || bodies.has(start)) continue
      const nameAt = found.index + Math.max(0, found[0].indexOf(name))
      bodies.set(start, { name, head: nameAt, start, end })
    }
  }
  const lineOf = lineCounter(code)
  const all = [...bodies.values()].sort((a, b) => a.start - b.start)
  const depths = depthsOf(code, pairs, bodies)
  const codeUpTo = codeLines(code)
  return all.map((body) => {
    const inner = all.filter((other) => other.start > body.start && other.end < body.end)
    const direct = inner.filter(
      (one) => !inner.some((other) => other.start < one.start && other.end > one.end),
    )
    const span = (one: Body): number =>
      (codeUpTo[lineOf(one.end)] ?? 0) - (codeUpTo[lineOf(one.head) - 1] ?? 0)
    const lines = direct.reduce((left, one) => left - Math.max(0, span(one) - 1), span(body))
    return { name: body.name, line: lineOf(body.head), lines, depth: depths.get(body.start) ?? 0 }
  })
}

/** How many lines up to each line, counted from 1, have code on them. */
function codeLines(code: string): number[] {
  const upTo = [0]
  for (const line of code.split('\n')) upTo.push((upTo.at(-1) ?? 0) + (line.trim() === '' ? 0 : 1))
  return upTo
}

/** From the bracket of the parameters to the brace of the body; past a return type, an arrow, a `throws`. */
function bodyStart(code: string, pairs: ReadonlyMap<number, number>, open: number): number | undefined {
  let at = pairs.get(open)
  if (at === undefined) return undefined
  let previous = ')'
  let newLine = false
  for (at += 1; at < code.length; at += 1) {
    const char = code[at] ?? ''
    if (/\s/.test(char)) {
      newLine ||= char === '\n'
      continue
    }
    // An arrow's body without a brace is an expression; a new line that continues nothing is another statement.
    if (previous === '=>' && char !== '{') return undefined
    if (newLine && !/^(?:[:|&<,]|=>)$/.test(previous) && !/[{|&=:-]/.test(char)) return undefined
    newLine = false
    if (char === '{') {
      // After these, a brace opens a type.
      if (!/[:|&<,]/.test(previous)) return at
      at = pairs.get(at) ?? code.length
      previous = '}'
      continue
    }
    if (char === '(' || char === '[') {
      at = pairs.get(at) ?? code.length
      previous = ')'
      continue
    }
    if (char === '=' && code[at + 1] === '>') {
      at += 1
      previous = '=>'
      continue
    }
    if (!/[\w$:<>|&.,?*'"-]/.test(char) || (previous === ')' && /[.,?]/.test(char))) return undefined
    previous = char
  }
  return undefined
}

/** Deepest nesting of control blocks in each body; a function inside starts again from none. */
function depthsOf(
  code: string,
  pairs: ReadonlyMap<number, number>,
  bodies: ReadonlyMap<number, Body>,
): Map<number, number> {
  const depths = new Map<number, number>()
  const stack: { body: number | undefined; depth: number; end: number }[] = []
  for (const [open, end] of [...pairs].filter(([at]) => code[at] === '{').sort((a, b) => a[0] - b[0])) {
    while ((stack.at(-1)?.end ?? Infinity) < open) stack.pop()
    const around = stack.at(-1)
    if (bodies.has(open)) {
      stack.push({ body: open, depth: 0, end })
      continue
    }
    const depth = (around?.depth ?? 0) + (isControl(code, pairs, open) ? 1 : 0)
    stack.push({ body: around?.body, depth, end })
    if (around?.body !== undefined) depths.set(around.body, Math.max(depths.get(around.body) ?? 0, depth))
  }
  return depths
}

function isControl(code: string, pairs: ReadonlyMap<number, number>, open: number): boolean {
  const before = code.slice(Math.max(0, open - 4000), open).trimEnd()
  const at = Math.max(0, open - 4000) + before.length - 1
  if (code[at] === ')') {
    const word =
      /([\w$]+)\s*$/.exec(code.slice(Math.max(0, (pairs.get(at) ?? 0) - 40), pairs.get(at)))?.[1] ?? ''
    if (
      CONTROL.test(word) ||
      /\bfor\s+await\s*$/.test(code.slice(Math.max(0, (pairs.get(at) ?? 0) - 20), pairs.get(at)))
    )
      return true
  }
  if (CONTROL_ALONE.test(/([\w$]+)$/.exec(before)?.[1] ?? '')) return true
  if (/=>$|[=(,:]$/.test(before)) return false
  // Go and Rust write no brackets around a condition.
  return CONTROL_LINE.test(before.slice(before.lastIndexOf('\n') + 1))
}

/** Both ways; a bracket that does not fit is passed over. */
function matchBrackets(code: string): Map<number, number> {
  const pairs = new Map<number, number>()
  const open: number[] = []
  const closes: { readonly [open: string]: string } = { '(': ')', '[': ']', '{': '}' }
  for (const { index, 0: char } of code.matchAll(/[()[\]{}]/g)) {
    if (char in closes) open.push(index)
    else {
      let last = open.length - 1
      // Only the braces are trusted to close what was left open inside them.
      if (char === '}') last = open.findLastIndex((at) => code[at] === '{')
      const at = open[last]
      if (at === undefined || closes[code[at] ?? ''] !== char) continue
      open.length = last
      pairs.set(at, index)
      pairs.set(index, at)
    }
  }
  return pairs
}
