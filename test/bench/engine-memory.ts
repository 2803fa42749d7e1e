/** What actors cost in memory, and how long a runtime over many that are at rest takes to open. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { comparison, type Comparison } from './alternate.ts'

const CHILD = fileURLToPath(new URL('engine-memory-child.js', import.meta.url))
const RESIDENT = 20_000
const OPENINGS = 3

type Measured = { readonly [name: string]: number }

export async function measureMemory(folder: string, dormant: number): Promise<Comparison[]> {
  const resident = await inChild('resident', RESIDENT, join(folder, 'resident'))
  const plain = await inChild('plain', RESIDENT, '')
  const path = join(folder, 'dormant')
  const { atFew = Number.NaN, atMany = Number.NaN } = await inChild('dormant', dormant, path)
  const openings: number[] = []
  for (let i = 0; i < OPENINGS; i += 1) {
    openings.push((await inChild('opening', dormant, path))['ms'] ?? Number.NaN)
  }
  const many = dormant.toLocaleString('en')
  return [
    comparison({
      name: 'heap per actor in memory, beside a live XState actor',
      unit: 'bytes',
      goal: { atMost: 0.5 },
      ours: [resident['perActor'] ?? Number.NaN],
      raw: [plain['perActor'] ?? Number.NaN],
    }),
    comparison({
      name: `heap with ${many} actors at rest, beside 10,000`,
      unit: 'MB',
      goal: { atMost: 1.1 },
      ours: [atMany / 1e6],
      raw: [atFew / 1e6],
    }),
    comparison({
      name: `open a runtime over ${many} actors at rest, to the first transition, ms`,
      unit: 'ms',
      goal: { atMost: 1_000 },
      ours: openings,
      raw: openings.map(() => 0),
      relate: (ms) => ms,
    }),
  ]
}

async function inChild(what: string, count: number, path: string): Promise<Measured> {
  const args = ['--expose-gc', CHILD, what, String(count), path]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Measured
}
