/** Notes left in comments (TODO, FIXME, HACK, XXX) and for how long they have waited, by `git blame` of their lines. */
import { type Analysis, compareText, type Finding, measured, notMeasured } from './finding.ts'
import { git, GitError, type GitPlace } from './git.ts'
import { whyNoHistory } from './repository.ts'
import { secretsIn } from './secret-rules.ts'
import { isFixture } from './source-files.ts'
import { type Marker, markersIn } from './todo-markers.ts'
import { linesOf, openTree, readTexts } from './tree.ts'

type Note = Marker & { readonly file: string; readonly secret: boolean }
/** Days, or `null` for a line that is in no commit yet or has no history to ask. */
type Aged = Note & { readonly days: number | null }

const MAX_NOTES = 300
const MAX_PER_BLAME = 60
const AT_ONCE = 2
const DAY = 86_400_000
const OLD_DAYS = 365

export const todoAge: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const all: Note[] = []
  const files = tree.files.filter((file) => !tree.generated.has(file) && !isFixture(file))
  for await (const { file, text } of readTexts(tree.root, files, input.signal)) {
    const markers = markersIn(file, text)
    if (markers.length === 0) continue
    const lines = linesOf(text)
    // A note can stand beside a secret; then its text stays where it is.
    for (const marker of markers)
      all.push({ ...marker, file, secret: secretsIn(lines[marker.line - 1] ?? '').length > 0 })
  }
  const notes = all.sort(byWeight).slice(0, MAX_NOTES)
  const noAges = whyNoHistory(tree.repository)
  const aged =
    noAges === undefined && tree.repository.kind === 'repository'
      ? await ageOf(notes, { place: tree.repository, now: Date.parse(input.startedAt), signal: input.signal })
      : notes.map((note) => ({ ...note, days: null }))
  input.log?.(`${all.length} notes in comments, ${notes.length} looked up`)
  const known = aged.flatMap(({ days }) => days ?? []).sort((a, b) => a - b)
  return measured(aged.map(findingOf), {
    notes: all.length,
    left_out: all.length - notes.length,
    ages: noAges === undefined ? 'measured' : `not measured: ${noAges}`,
    oldest_days: known.at(-1) ?? null,
    median_days: known[known.length >> 1] ?? null,
  })
}

/** FIXME, XXX and HACK admit a fault, TODO a wish: they come first when there are too many to look up. */
function byWeight(a: Note, b: Note): number {
  return (
    Number(a.marker === 'TODO') - Number(b.marker === 'TODO') ||
    compareText(a.file, b.file) ||
    a.line - b.line
  )
}

function findingOf({ marker, file, line, note, secret, days }: Aged): Finding {
  const age = days === null ? '' : days === 1 ? '1 day old ' : `${days} days old `
  return {
    rule: `todo.${marker.toLowerCase()}`,
    severity: marker !== 'TODO' && (days ?? 0) >= OLD_DAYS ? 'medium' : 'low',
    area: 'code',
    file,
    line,
    message: `${age}${marker}${note === '' || secret ? '' : `: ${note}`}`,
  }
}

async function ageOf(
  notes: readonly Note[],
  context: { place: GitPlace; now: number; signal: AbortSignal | undefined },
): Promise<Aged[]> {
  const byFile = new Map<string, Note[]>()
  for (const note of notes) byFile.set(note.file, [...(byFile.get(note.file) ?? []), note])
  const batches = [...byFile.values()].flatMap((ofFile) => {
    const parts: Note[][] = []
    for (let from = 0; from < ofFile.length; from += MAX_PER_BLAME)
      parts.push(ofFile.slice(from, from + MAX_PER_BLAME))
    return parts
  })
  const results: Aged[][] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < batches.length; at = next++) {
      const batch = batches[at] ?? []
      const times = await blame(context.place, batch, context.signal)
      results[at] = batch.map((note) => ({ ...note, days: daysSince(times.get(note.line), context.now) }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results.flat()
}

/** Author times in milliseconds by line of the file as it lies there. */
async function blame(
  place: GitPlace,
  batch: readonly Note[],
  signal?: AbortSignal,
): Promise<Map<number, number>> {
  const ranges = [...new Set(batch.map(({ line }) => `${line},${line}`))].flatMap((range) => ['-L', range])
  const file = batch[0]?.file ?? ''
  try {
    const answer = await git(place, ['blame', '--porcelain', '--no-textconv', '-w', ...ranges, '--', file], {
      signal,
    })
    return timesIn(answer)
  } catch (error) {
    // In the index only, or changed while being read: without age, as a line that is in no commit.
    if (error instanceof GitError && error.code === 'GIT_FAILED') return new Map()
    throw error
  }
}

function timesIn(answer: string): Map<number, number> {
  const timeOfCommit = new Map<string, number>()
  const commitOfLine = new Map<number, string>()
  let commit = ''
  for (const line of answer.split('\n')) {
    if (line.startsWith('\t')) continue
    const header = /^([0-9a-f]{40,64}) \d+ (\d+)/.exec(line)
    if (header !== null) {
      commit = header[1] ?? ''
      commitOfLine.set(Number(header[2]), commit)
    } else if (line.startsWith('author-time ')) timeOfCommit.set(commit, Number(line.slice(12)) * 1000)
  }
  const times = new Map<number, number>()
  for (const [line, hash] of commitOfLine) {
    const time = timeOfCommit.get(hash)
    // All zeros: not committed yet; git gives the clock's time, which would change from run to run.
    if (time !== undefined && !/^0+$/.test(hash)) times.set(line, time)
  }
  return times
}

function daysSince(time: number | undefined, now: number): number | null {
  return time === undefined ? null : Math.max(0, Math.floor((now - time) / DAY))
}
