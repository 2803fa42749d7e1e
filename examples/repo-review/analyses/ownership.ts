/** What the history says about people and work: areas that one person alone knows, files that are mostly repaired. */
import { type Analysis, compareText, type Finding, measured, notMeasured } from './finding.ts'
import { type Commit, isBot, MAX_COMMITS, readHistory } from './history.ts'
import { languageOf } from './languages.ts'
import { whyNoHistory } from './repository.ts'
import { isExample, isTestFile } from './source-files.ts'
import { openTree, type Tree } from './tree.ts'

type Author = { name: string; last: number }
type AreaHistory = { commits: number; files: number; authors: Map<string, Author> }
type FileHistory = { commits: number; fixes: number }

/** With fewer, one author is no news. */
const MIN_PEOPLE = 3
const MIN_AREA_FILES = 4
const MIN_AREA_COMMITS = 15
const MIN_FIXES = 8
const LARGE_LINES = 1000
const LARGE_FILES = 20
const REPORTED = 10
const DAY = 86_400_000

const FIX =
  /^(?:\S+\s)?(?:hot|bug)?fix(?:e[sd])?\b|^revert\b|\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?) #\d+/i

export const ownership: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const { repository } = tree
  const why = whyNoHistory(repository)
  if (why !== undefined || repository.kind !== 'repository') return notMeasured(why ?? 'no history')

  const now = Date.parse(input.startedAt)
  const books = new Books(tree)
  for await (const commit of readHistory(repository, input.signal)) books.add(commit)
  input.log?.(`${books.commits} commits by ${books.people.size} people read`)
  return measured([...oneAuthorFindings(books, now), ...repairFindings(books)], {
    commits_read: books.commits,
    commits_limited: books.commits >= MAX_COMMITS,
    authors: books.people.size,
    authors_last_year: [...books.people.values()].filter(({ last }) => now - last < 365 * DAY).length,
    fix_share: books.commits === 0 ? 0 : Math.round((books.fixes / books.commits) * 100) / 100,
    large_commits: books.large,
  })
}

class Books {
  commits = 0
  fixes = 0
  large = 0
  readonly people = new Map<string, Author>()
  readonly areas = new Map<string, AreaHistory>()
  readonly files = new Map<string, FileHistory>()
  private readonly sources: Set<string>

  constructor(tree: Tree) {
    this.sources = new Set(tree.files.filter((file) => isProduct(tree, file)))
    for (const file of this.sources) this.area(file).files += 1
  }

  add(commit: Commit): void {
    this.commits += 1
    const fix = FIX.test(commit.subject)
    if (fix) this.fixes += 1
    const bot = isBot(commit.author)
    if (!bot) remember(this.people, commit)
    const changed = commit.files.filter(({ file }) => this.sources.has(file))
    const lines = changed.reduce((sum, { added, deleted }) => sum + added + deleted, 0)
    if (lines > LARGE_LINES && changed.length > LARGE_FILES) this.large += 1
    for (const area of new Set(changed.map(({ file }) => this.area(file)))) {
      area.commits += 1
      if (!bot) remember(area.authors, commit)
    }
    for (const { file } of changed) {
      const seen = this.files.get(file) ?? { commits: 0, fixes: 0 }
      this.files.set(file, { commits: seen.commits + 1, fixes: seen.fixes + (fix ? 1 : 0) })
    }
  }

  private area(file: string): AreaHistory {
    const name = areaOf(file)
    const known = this.areas.get(name) ?? { commits: 0, files: 0, authors: new Map<string, Author>() }
    this.areas.set(name, known)
    return known
  }
}

function remember(authors: Map<string, Author>, { author, time }: Commit): void {
  const known = authors.get(author.email)
  if (known === undefined) authors.set(author.email, { name: author.name, last: time })
  else known.last = Math.max(known.last, time)
}

function isProduct(tree: Tree, file: string): boolean {
  return languageOf(file)?.code === true && !tree.generated.has(file) && !isTestFile(file) && !isExample(file)
}

/** Two folders deep: `packages/core/`, `src/http/`. */
function areaOf(file: string): string {
  const folders = file.split('/').slice(0, -1)
  return folders.length === 0 ? './' : `${folders.slice(0, 2).join('/')}/`
}

function oneAuthorFindings(books: Books, now: number): Finding[] {
  // One person often commits under several addresses, so people are told apart by name as well.
  if (namesOf(books.people).size < MIN_PEOPLE) return []
  return [...books.areas]
    .filter(([, { commits, files, authors }]) => {
      return files >= MIN_AREA_FILES && commits >= MIN_AREA_COMMITS && namesOf(authors).size === 1
    })
    .sort((a, b) => b[1].files - a[1].files || compareText(a[0], b[0]))
    .slice(0, REPORTED)
    .map(([area, { commits, files, authors }]): Finding => {
      const author = [...authors.values()][0]
      const last = Math.max(...[...authors.values()].map((one) => one.last))
      const days = Math.max(0, Math.floor((now - last) / DAY))
      const message = `all ${commits} commits to these ${files} files are by ${author?.name ?? 'one author'} (last ${days} days ago): nobody else knows them`
      return {
        rule: 'ownership.one-author',
        severity: 'low',
        area: 'history',
        file: area,
        line: null,
        message,
      }
    })
}

function repairFindings(books: Books): Finding[] {
  return [...books.files]
    .filter(([, { commits, fixes }]) => fixes >= MIN_FIXES && fixes / commits >= 0.6)
    .sort((a, b) => b[1].fixes - a[1].fixes || compareText(a[0], b[0]))
    .slice(0, REPORTED)
    .map(([file, { commits, fixes }]): Finding => {
      const message = `${fixes} of its ${commits} commits are fixes: worth more tests or a simpler design`
      return { rule: 'ownership.mostly-fixes', severity: 'low', area: 'history', file, line: null, message }
    })
}

function namesOf(authors: ReadonlyMap<string, Author>): Set<string> {
  return new Set([...authors.values()].map(({ name }) => name.toLowerCase()))
}
