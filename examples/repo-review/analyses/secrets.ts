/** Possible secrets in tracked files: which kind, which file, which line; a value never leaves this file. */
import { type Analysis, type Finding, measured, notMeasured } from './finding.ts'
import { ALLOWED, secretsIn, type SecretMatch } from './secret-rules.ts'
import { baseName, isLockFile, isTestFile } from './source-files.ts'
import { openTree, readTexts, type TextFile } from './tree.ts'

/** A longer line is a bundle or data: it is read in pieces of this size. */
const PIECE = 4000
const PER_FILE = 20

const KEY_HEADER = /-----BEGIN ((?:[A-Z]+ ){0,2})PRIVATE KEY(?: BLOCK)?-----/

export const secrets: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const findings: Finding[] = []
  let scanned = 0
  // Names are lists of hashes there: nothing to find, much to mistake.
  const files = tree.files.filter((file) => !isLockFile(file) && !/\.(map|snap|svg)$/.test(file))
  for await (const file of readTexts(tree.root, files, input.signal)) {
    scanned += 1
    findings.push(...secretsOf(file, tree.generated.has(file.file)))
  }
  input.log?.(`${scanned} files scanned, ${findings.length} possible secrets`)
  return measured(findings, {
    files_scanned: scanned,
    files_not_scanned: tree.files.length - scanned,
    secrets_by_rule: countByRule(findings),
  })
}

/** Exported for tests of single texts. */
export function secretsOf({ file, text }: TextFile, generated = false): Finding[] {
  const test = isTestFile(file)
  const env = /^\.env(\.|$)/.test(baseName(file)) && !/example|sample|template|dist$/i.test(file)
  // Made-up passwords are what tests and documents are full of; tokens of a known form are not.
  const generic = !test && !generated && !/\.(md|mdx|markdown|rst|adoc|txt|html?)$/i.test(file)
  const findings: Finding[] = []
  let line = 0
  for (const content of eachLine(text)) {
    line += 1
    if (findings.length >= PER_FILE) break
    if (content.length < 16 || ALLOWED.test(content)) continue
    const matches =
      privateKeyAt(text, content, line) ??
      piecesOf(content).flatMap((piece) => secretsIn(piece, { env, generic }))
    for (const match of distinct(matches)) findings.push(findingOf(match, { file, line, test }))
  }
  return findings
}

function findingOf(match: SecretMatch, place: { file: string; line: number; test: boolean }): Finding {
  const where = place.test
    ? ' in a test: if it was ever real, revoke it'
    : ': revoke it, then remove it from the history'
  return {
    rule: match.rule,
    severity: place.test ? 'low' : match.severity,
    area: 'code',
    file: place.file,
    line: place.line,
    message: `possible ${match.what}${where}`,
  }
}

/** A header alone is documentation or code that looks for one; a key has its body behind it. */
function privateKeyAt(text: string, content: string, line: number): SecretMatch[] | undefined {
  const header = KEY_HEADER.exec(content)
  if (header === null) return undefined
  const after = content.slice(header.index + header[0].length)
  const body = /^[\s"'`+,\\rn]*[A-Za-z0-9+/=]{40}/
  const next = after.replace(/\\[rn]/g, '\n') + '\n' + followingLines(text, line)
  const isKey = body.test(next.replace(/(?:Version|Comment|Proc-Type|DEK-Info):.*\n/g, ''))
  if (!isKey || header[1]?.startsWith('PUBLIC') === true) return []
  return [{ rule: 'secret.private-key', what: 'private key', severity: 'high' }]
}

function followingLines(text: string, line: number): string {
  let from = 0
  for (let n = 0; n < line; n += 1) {
    const end = text.indexOf('\n', from)
    if (end === -1) return ''
    from = end + 1
  }
  return text.slice(from, from + 600)
}

function* eachLine(text: string): Generator<string> {
  let from = 0
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
    yield text.slice(from, end)
    from = end + 1
  }
  if (from < text.length) yield text.slice(from)
}

function piecesOf(line: string): string[] {
  if (line.length <= PIECE) return [line]
  const pieces: string[] = []
  // Overlapping, so that nothing hides on a seam.
  for (let from = 0; from < line.length; from += PIECE - 500) pieces.push(line.slice(from, from + PIECE))
  return pieces
}

function distinct(matches: readonly SecretMatch[]): SecretMatch[] {
  return [...new Map(matches.map((match) => [match.rule, match])).values()]
}

function countByRule(findings: readonly Finding[]): { [rule: string]: number } {
  const counts: { [rule: string]: number } = {}
  for (const { rule } of [...findings].sort((a, b) => (a.rule < b.rule ? -1 : 1)))
    counts[rule] = (counts[rule] ?? 0) + 1
  return counts
}
