/** Counts the tokens of texts as a model would, and prices files by them before anybody pays. */
import { readText } from './tree.ts'

export type FilesToPrice = {
  readonly root: string
  readonly files: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export type Price = {
  /** In the order given; files that are not readable text are left out. */
  readonly files: readonly { readonly file: string; readonly tokens: number; readonly cost: number }[]
  readonly tokens: number
  /** In the currency of the price. */
  readonly cost: number
}

/** Merging byte pairs takes time in the square of a word's length, and a word can be a file. */
const LONGEST_WORD = 2000
const PIECE = 20_000

/** Tokens in the `o200k_base` encoding; texts that look like control tokens count as text. */
export async function countTokens(text: string): Promise<number> {
  // Loaded on first use: its tables take longer to load than most analyses take to run.
  const { countTokens: count } = await import('gpt-tokenizer/encoding/o200k_base')
  let tokens = 0
  for (const piece of piecesOf(text)) tokens += count(piece, { disallowedSpecial: new Set() })
  return tokens
}

/** Real token counts for each file, and what reading them costs. */
export async function priceOf(input: FilesToPrice, pricePerMillion: number): Promise<Price> {
  const files: { file: string; tokens: number; cost: number }[] = []
  for (const file of input.files) {
    input.signal?.throwIfAborted()
    const read = await readText(input.root, file)
    if (read === undefined) continue
    const tokens = await countTokens(read.text)
    files.push({ file, tokens, cost: costOf(tokens, pricePerMillion) })
    // Counting is pure computation: others want a turn between files.
    await new Promise(setImmediate)
  }
  const tokens = files.reduce((sum, one) => sum + one.tokens, 0)
  return { files, tokens, cost: costOf(tokens, pricePerMillion) }
}

/** To a millionth, so that sums in different orders agree. */
function costOf(tokens: number, pricePerMillion: number): number {
  return Math.round(tokens * pricePerMillion) / 1e6
}

/** Cut at line ends, where hardly any token spans the cut; words too long to be words are cut anywhere. */
function* piecesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    let end = Math.min(text.length, from + PIECE)
    const newline = end < text.length ? text.lastIndexOf('\n', end) : -1
    if (newline > from) end = newline
    const piece = text.slice(from, end)
    if (new RegExp(`\\S{${LONGEST_WORD}}|\\s{${LONGEST_WORD}}`).test(piece)) {
      for (let at = 0; at < piece.length; at += LONGEST_WORD) yield piece.slice(at, at + LONGEST_WORD)
    } else yield piece
    from = end
  }
}
