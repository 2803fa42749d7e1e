/** Files that are too large: sources too long to read, and big files that every clone carries for ever. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Analysis, type Finding, measured, notMeasured } from './finding.ts'
import { gitFields, GitError } from './git.ts'
import { languageOf } from './languages.ts'
import { isGeneratedText, isLockFile, isTestFile } from './source-files.ts'
import { linesOf, openTree, readTexts, type Tree } from './tree.ts'

const MAX_SOURCE_LINES = 400
/** Tests are lists of cases: they may be longer. */
const MAX_TEST_LINES = 1000
const MAX_FILE_BYTES = 1024 * 1024

const VERY_LONG = 1000

export const oversizedFiles: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const findings: Finding[] = []
  const sources = tree.files.filter((file) => languageOf(file)?.code === true && !tree.generated.has(file))
  let read = 0
  let lines = 0
  const lengths: { file: string; lines: number }[] = []
  for await (const { file, text } of readTexts(tree.root, sources, input.signal)) {
    if (isGeneratedText(text)) continue
    const length = linesOf(text).length
    read += 1
    lines += length
    lengths.push({ file, lines: length })
    const limit = isTestFile(file) ? MAX_TEST_LINES : MAX_SOURCE_LINES
    if (length > limit) findings.push(longFile({ file, length, limit }))
  }
  for (const [file, bytes] of await sizesOf(tree, input.signal)) {
    if (bytes > MAX_FILE_BYTES && !isLockFile(file)) findings.push(bigFile(file, bytes))
  }
  lengths.sort((a, b) => b.lines - a.lines || (a.file < b.file ? -1 : 1))
  input.log?.(`${read} source files, ${lines} lines`)
  return measured(findings, { source_files: read, source_lines: lines, longest_files: lengths.slice(0, 10) })
}

function longFile({ file, length, limit }: { file: string; length: number; limit: number }): Finding {
  const severity = length > VERY_LONG && limit === MAX_SOURCE_LINES ? 'medium' : 'low'
  const message = `${length} lines (limit ${limit})`
  return { rule: 'file.too-long', severity, area: 'code', file, line: null, message }
}

function bigFile(file: string, bytes: number): Finding {
  const message = `${(bytes / MAX_FILE_BYTES).toFixed(1)} MiB tracked by git: every clone carries it`
  return { rule: 'file.too-big', severity: 'medium', area: 'code', file, line: null, message }
}

/** What git stores for a file counts, not what a filter makes of it on disk. */
async function sizesOf(tree: Tree, signal?: AbortSignal): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  const { repository } = tree
  if (repository.kind === 'repository' && !repository.partial) {
    try {
      for await (const entry of gitFields(repository, ['ls-tree', '-r', '-l', '-z', repository.head], {
        signal,
      })) {
        const found = /^\d+ blob [0-9a-f]+ +(\d+)\t(.*)$/s.exec(entry)
        if (found !== null) sizes.set(found[2] ?? '', Number(found[1]))
      }
      return sizes
    } catch (error) {
      if (!(error instanceof GitError)) throw error
    }
  }
  for (const file of tree.files) {
    signal?.throwIfAborted()
    const found = await lstat(join(tree.root, file)).catch(() => undefined)
    if (found?.isFile() === true) sizes.set(file, found.size)
  }
  return sizes
}
