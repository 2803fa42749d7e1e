/** Long functions and deep nesting: the closer look at sources, for all of them or for a given few. */
import { type Analysis, type Finding, measured, notMeasured, sortFindings } from './finding.ts'
import type { FunctionShape } from './function-shape.ts'
import { functionsIn } from './functions.ts'
import { languageOf } from './languages.ts'
import { isGeneratedText, isTestFile } from './source-files.ts'
import { openTree, readTexts } from './tree.ts'

export type DeepReviewInput = {
  readonly root: string
  /** Relative to `root`; files of unknown languages are passed over. */
  readonly files: readonly string[]
  readonly signal?: AbortSignal | undefined
  readonly log?: ((line: string) => void) | undefined
}

const MAX_FUNCTION_LINES = 100
const MAX_DEPTH = 5

const VERY_LONG = 200
const VERY_DEEP = 8

export const structure: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const files = tree.files.filter((file) => !tree.generated.has(file) && !isTestFile(file))
  const review = await reviewFiles({ ...input, root: tree.root, files })
  return measured(review.findings, { files_read: review.files, functions: review.functions })
}

/** The findings of the given files alone, tests included, most important first. */
export async function deepReview(input: DeepReviewInput): Promise<Finding[]> {
  return sortFindings((await reviewFiles(input)).findings)
}

async function reviewFiles(
  input: DeepReviewInput,
): Promise<{ findings: Finding[]; files: number; functions: number }> {
  const findings: Finding[] = []
  let files = 0
  let functions = 0
  const sources = input.files.filter((file) => (languageOf(file)?.blocks ?? 'none') !== 'none')
  for await (const { file, text } of readTexts(input.root, sources, input.signal)) {
    const language = languageOf(file)
    if (language === undefined || isGeneratedText(text)) continue
    files += 1
    for (const shape of functionsIn(text, language)) {
      functions += 1
      findings.push(...findingsOf(file, shape))
    }
  }
  input.log?.(`${functions} functions in ${files} files`)
  return { findings, files, functions }
}

function findingsOf(file: string, { name, line, lines, depth }: FunctionShape): Finding[] {
  const findings: Finding[] = []
  if (lines > MAX_FUNCTION_LINES) {
    const severity = lines > VERY_LONG ? 'medium' : 'low'
    const message = `${lines} lines of code in the function ${name} (limit ${MAX_FUNCTION_LINES})`
    findings.push({ rule: 'function.too-long', severity, area: 'code', file, line, message })
  }
  if (depth > MAX_DEPTH) {
    const severity = depth >= VERY_DEEP ? 'medium' : 'low'
    const message = `${depth} levels of conditions and loops in the function ${name} (limit ${MAX_DEPTH})`
    findings.push({ rule: 'function.too-deep', severity, area: 'code', file, line, message })
  }
  return findings
}
