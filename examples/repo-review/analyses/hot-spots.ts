/** Hot spots: files that are both large and often changed, where the next defect most likely is. */
import { type Analysis, type Finding, measured, notMeasured } from './finding.ts'
import { isBot, MAX_COMMITS, readHistory } from './history.ts'
import { languageOf } from './languages.ts'
import { whyNoHistory } from './repository.ts'
import { isGeneratedText, isTestFile } from './source-files.ts'
import { linesOf, openTree, readText, type Tree } from './tree.ts'

export type HotSpot = {
  readonly file: string
  readonly commits: number
  readonly lines: number
  readonly authors: number
  /** Commits × lines. */
  readonly score: number
}

type Churn = { commits: number; authors: Set<string> }

const LISTED = 20
const REPORTED = 10
/** Fewer changes or lines than this are the life of any file. */
const MIN_COMMITS = 10
const MIN_LINES = 200

export const hotSpots: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const { repository } = tree
  const why = whyNoHistory(repository)
  if (why !== undefined || repository.kind !== 'repository') return notMeasured(why ?? 'no history')

  const candidates = new Set(tree.files.filter((file) => isCandidate(tree, file)))
  const churn = new Map<string, Churn>()
  let commits = 0
  for await (const commit of readHistory(repository, input.signal)) {
    commits += 1
    for (const { file } of commit.files) {
      if (!candidates.has(file)) continue
      const seen = churn.get(file) ?? { commits: 0, authors: new Set() }
      seen.commits += 1
      if (!isBot(commit.author)) seen.authors.add(commit.author.email)
      churn.set(file, seen)
    }
  }
  const spots = await withSize(tree, churn, input.signal)
  input.log?.(`${commits} commits read, ${churn.size} source files changed in them`)
  return measured(
    spots
      .filter((spot) => spot.commits >= MIN_COMMITS && spot.lines >= MIN_LINES)
      .slice(0, REPORTED)
      .map(findingOf),
    {
      commits_read: commits,
      commits_limited: commits >= MAX_COMMITS,
      files_changed: churn.size,
      hot_spots: spots.slice(0, LISTED),
    },
  )
}

function isCandidate(tree: Tree, file: string): boolean {
  return languageOf(file)?.code === true && !tree.generated.has(file) && !isTestFile(file)
}

async function withSize(
  tree: Tree,
  churn: ReadonlyMap<string, Churn>,
  signal?: AbortSignal,
): Promise<HotSpot[]> {
  const spots: HotSpot[] = []
  for (const [file, { commits, authors }] of churn) {
    signal?.throwIfAborted()
    const read = await readText(tree.root, file)
    if (read === undefined || isGeneratedText(read.text)) continue
    const lines = linesOf(read.text).length
    spots.push({ file, commits, lines, authors: authors.size, score: commits * lines })
  }
  return spots.sort((a, b) => b.score - a.score || (a.file < b.file ? -1 : 1))
}

function findingOf(spot: HotSpot): Finding {
  const people = spot.authors === 1 ? '1 author' : `${spot.authors} authors`
  return {
    rule: 'hot-spot',
    severity: spot.commits >= 30 && spot.lines >= 400 ? 'medium' : 'low',
    area: 'history',
    file: spot.file,
    line: null,
    message: `${spot.commits} commits by ${people} to ${spot.lines} lines: the likeliest place of the next defect`,
  }
}
