/** Finds functions in languages where what is indented further belongs to them (Python). */
import type { FunctionShape } from './function-shape.ts'

type Open = { name: string; line: number; indent: number; lines: number; controls: number[]; depth: number }

const DEFINITION = /^\s*(?:async\s+)?def\s+(\w+)/
const CONTROL = /^\s*(?:if|elif|else|for|while|try|except|finally|with|match|case|async (?:for|with))\b/

/** `code` has its comments and strings blanked. */
export function indentedFunctions(code: string): FunctionShape[] {
  const done: FunctionShape[] = []
  const open: Open[] = []
  let brackets = 0
  for (const [index, line] of code.split('\n').entries()) {
    if (line.trim() === '') continue
    const continued = brackets > 0
    brackets = Math.max(0, brackets + count(line, /[([{]/g) - count(line, /[)\]}]/g))
    if (!continued) begin(line, index + 1, { open, done })
    const top = open.at(-1)
    if (top !== undefined) top.lines += 1
  }
  for (const { name, line, lines, depth } of open) done.push({ name, line, lines, depth })
  return done.sort((a, b) => a.line - b.line)
}

function begin(line: string, number: number, { open, done }: { open: Open[]; done: FunctionShape[] }): void {
  const indent = line.search(/\S/)
  for (let top = open.at(-1); top !== undefined && indent <= top.indent; top = open.at(-1)) {
    open.pop()
    done.push({ name: top.name, line: top.line, lines: top.lines, depth: top.depth })
  }
  const top = open.at(-1)
  const name = DEFINITION.exec(line)?.[1]
  if (name !== undefined) open.push({ name, line: number, indent, lines: 0, controls: [], depth: 0 })
  else if (top !== undefined) {
    while ((top.controls.at(-1) ?? -1) >= indent) top.controls.pop()
    if (!CONTROL.test(line)) return
    top.controls.push(indent)
    top.depth = Math.max(top.depth, top.controls.length)
  }
}

function count(line: string, pattern: RegExp): number {
  return line.match(pattern)?.length ?? 0
}
