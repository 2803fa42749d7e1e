/**
 * `npm run bench`: measures the log and the engine beside what this machine's disk can do, in one run of some
 * minutes. `--json` prints data instead of a table; `--write` also puts the table into docs/benchmarks.md; `--large`
 * takes ten times as many events where their number matters. `--million` measures something else: what questions cost
 * on a log of a million events, in a few minutes.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureActors } from './actors.ts'
import { measureEngineLimits } from './engine-limits.ts'
import { measureInspected } from './inspected.ts'
import type { Measurement } from './measure.ts'
import { measureMillion } from './million.ts'
import { measureRawLimit } from './raw-limit.ts'
import { measureReplay } from './replay.ts'
import type { Comparison } from './alternate.ts'
import { limitsTable, measureLimits, SCALE } from './store-limits.ts'
import { measureStore } from './store.ts'

type Report = {
  readonly date: string
  readonly node: string
  readonly platform: string
  readonly cpus: number
  readonly cpu: string
  /** Appends with fdatasync per second: the median of those before, between and after. */
  readonly raw_per_second: number
  readonly results: readonly Result[]
  /** The store beside LevelDB and the disk. */
  readonly limits: readonly Comparison[]
  /** The engine beside the disk, the store, the fold and XState. */
  readonly engine: readonly Comparison[]
}

type Result = Measurement & {
  /** Per second, over what the disk did right before and after; `null` where the disk is not what limits it. */
  readonly ratio: number | null
}

const PAGE = 'docs/benchmarks.md'
const MARKED = /(<!-- results -->\n)[^]*(<!-- end -->)/

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    large: { type: 'boolean' },
    million: { type: 'boolean' },
  },
})
if (values.million === true) {
  const rows = await inFolder(measureMillion)
  console.log(values.json === true ? JSON.stringify(rows, null, 2) : millionTable(rows))
  process.exit()
}
if (values.write === true && !MARKED.test(await readFile(PAGE, 'utf8')))
  throw new Error(`${PAGE} has no <!-- results --> and <!-- end --> to write between`)
const report = await run()
const table = markdownTable(report)
if (values.write === true) await writeInto(PAGE, table)
console.log(values.json === true ? JSON.stringify(report, null, 2) : table)

/** Gives a folder that is gone afterwards. */
async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  // Not the system's temporary folder, which may be memory: a sync there costs nothing and means nothing.
  const cache = join(process.cwd(), 'node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'bench-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(): Promise<Report> {
  return inFolder(async (folder) => {
    const events = values.large === true ? SCALE.large : SCALE.usual
    const raw = [await measureRawLimit(folder)]
    const results: Result[] = []
    for (const scenarios of [measureStore(folder), measureActors(folder)]) {
      for await (const result of scenarios) {
        // A machine is not equally fast all the time: each ratio is to the disk right before and right after.
        const [before, after] = [raw.at(-1), await measureRawLimit(folder)] as [Measurement, Measurement]
        raw.push(after)
        results.push({ ...result, ratio: (2 * result.perSecond) / (before.perSecond + after.perSecond) })
      }
    }
    for (const result of await measureReplay(folder)) results.push({ ...result, ratio: null })
    for (const { result, share } of await measureInspected(folder)) {
      const name = `${result.name} (${Math.round(100 * share)} % of its speed without)`
      results.push({ ...result, name, ratio: null })
    }
    const limit = raw.toSorted((a, b) => a.perSecond - b.perSecond)[raw.length >> 1] as Measurement
    return {
      date: new Date().toISOString().slice(0, 10),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpus: availableParallelism(),
      cpu: cpus()[0]?.model ?? 'unknown',
      raw_per_second: limit.perSecond,
      results: [{ ...limit, ratio: null }, ...results],
      limits: await measureLimits(folder, events),
      engine: await measureEngineLimits(folder, events),
    }
  })
}

function millionTable(rows: Awaited<ReturnType<typeof measureMillion>>): string {
  return [
    '| what | p50 ms | p99 ms | times opening |',
    '|---|---:|---:|---:|',
    ...rows.map(
      ({ name, p50, p99, times }) =>
        `| ${name} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${times.toFixed(2)} |`,
    ),
  ].join('\n')
}

function markdownTable({ date, node, platform, cpus: count, cpu, results, limits, engine }: Report): string {
  const number = (value: number): string =>
    value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString('en')
  const rows = results.map(({ name, unit, perSecond, p50, p99, ratio }) =>
    [name, `${number(perSecond)} ${unit}`, p50.toFixed(2), p99.toFixed(2), ratio?.toFixed(2) ?? ''].join(
      ' | ',
    ),
  )
  return [
    `${date}, Node ${node}, ${platform}, ${count} × ${cpu}`,
    '',
    '| what | per second | p50 ms | p99 ms | ratio to raw |',
    '|---|---:|---:|---:|---:|',
    ...rows.map((row) => `| ${row} |`),
    '',
    limitsTable('store', limits),
    '',
    limitsTable('engine', engine),
  ].join('\n')
}

/** Replaces what stands between the two marks of a page. */
async function writeInto(path: string, table: string): Promise<void> {
  const page = await readFile(path, 'utf8')
  await writeFile(path, page.replace(MARKED, `$1\n${table}\n\n$2`))
}
