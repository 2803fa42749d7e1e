/**
 * The main job as a real process, killed with SIGKILL at several moments: the same command goes on where it was.
 *
 * A bug here would look like: an analysis that ended runs again, an agent is started twice, the findings differ
 * from those of an undisturbed review, or a child process of a killed review is left over.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { findingsSection } from '../../examples/repo-review/report/report.ts'
import { makeSampleRepository } from './sample-repository.ts'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
const JOB = fileURLToPath(new URL('../../examples/repo-review', import.meta.url))

let folder: string
let sample: string
let undisturbed: string

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

class Review {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  #stdout = ''
  #stderr = ''
  #onLine: (() => void) | undefined

  constructor(project: string, ...args: string[]) {
    const ledger = join(project, 'ledger')
    this.process = spawn(
      process.execPath,
      [MAIN, 'run', JOB, '--project', join(project, '.project'), '--', sample, '--ledger', ledger, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
    )
    this.process.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()))
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString()
      this.#onLine?.()
    })
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code) => resolve({ code, stdout: this.#stdout, stderr: this.#stderr }))
    })
  }

  /** Kills the process once it has told of that many changes; false if it ended before. */
  async killAfter(lines: number): Promise<boolean> {
    const told = (): boolean => this.#stderr.split('\n').length > lines
    const reached = await Promise.race([
      new Promise<boolean>((resolve) => {
        this.#onLine = () => told() && resolve(true)
        if (told()) resolve(true)
      }),
      this.ended.then(() => false),
    ])
    if (reached) this.process.kill('SIGKILL')
    await this.ended
    return reached
  }
}

const project = (name: string): string => mkdtempSync(join(folder, `${name}-`))

const findingsIn = (at: string): string => {
  const reports = readdirSync(join(at, '.project', 'reports'))
  expect(reports).toHaveLength(1)
  return findingsSection(readFileSync(join(at, '.project', 'reports', reports[0] ?? ''), 'utf8'))
}

/** How often each execution began and ended, by its idempotency key. */
const executions = (at: string): Map<string, { begun: number; ended: number }> => {
  const counts = new Map<string, { begun: number; ended: number }>()
  if (!existsSync(join(at, 'ledger'))) return counts
  for (const line of readFileSync(join(at, 'ledger'), 'utf8').trim().split('\n')) {
    const { key, phase } = JSON.parse(line) as { key: string; phase: 'begun' | 'ended' }
    const count = counts.get(key) ?? { begun: 0, ended: 0 }
    count[phase] += 1
    counts.set(key, count)
  }
  return counts
}

/** The idempotency keys of the steps that the log says have ended. */
const finishedSteps = async (at: string): Promise<string[]> => {
  const store = await openLevelEventStore({ path: join(at, '.project', 'log') })
  const keys = new Map<string, string>()
  const finished: string[] = []
  for await (const event of store.readAll()) {
    const step = event.payload as { key: string; data?: { idempotency_key?: string } | null }
    const id = `${event.stream_id} ${step.key}`
    if (event.event_type === 'step.started') keys.set(id, step.data?.idempotency_key ?? '')
    if (event.event_type === 'step.completed') finished.push(keys.get(id) ?? '')
  }
  await store.close()
  return finished.filter((key) => key !== '')
}

/** The types of the handoffs that the log holds. */
const handoffTypes = async (at: string): Promise<string[]> => {
  const store = await openLevelEventStore({ path: join(at, '.project', 'log') })
  const types: string[] = []
  for await (const event of store.readAll()) {
    if (event.event_type !== 'handoff.generated') continue
    types.push((event.payload as { handoff: { type: string } }).handoff.type)
  }
  await store.close()
  return types
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // A zombie is dead; only nobody has collected it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'review-'))
  sample = join(folder, 'sample')
  mkdirSync(sample)
  makeSampleRepository(sample)
  const at = project('undisturbed')
  const { code, stderr } = await new Review(at).ended
  if (code !== 0) throw new Error(`the undisturbed review ended with ${code}: ${stderr}`)
  undisturbed = findingsIn(at)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a review that is killed', () => {
  test('finds something in every area when undisturbed', () => {
    expect(undisturbed).toContain('src/config.ts')
    expect(undisturbed).toContain('docs/missing.md')
    expect(undisturbed).toContain('unused')
    expect(undisturbed).not.toContain('IOSFODNN7')
  })

  test.each([2, 9, 17, 26, 33])(
    'after %i changes goes on, repeats nothing and finds the same',
    async (lines) => {
      const at = project(`killed-${lines}`)
      const killed = await new Review(at).killAfter(lines)
      const finished = await finishedSteps(at)
      const before = executions(at)
      const { code, stdout, stderr } = await new Review(at).ended
      expect({ code, stderr }).toMatchObject({ code: 0 })
      expect(findingsIn(at)).toBe(undisturbed)
      // A review that had ended before would prove nothing.
      expect(killed).toBe(true)
      expect(stdout).toMatch(/^resumed: \d+ steps reused, \d+ run again, 0 repeated$/m)
      const after = executions(at)
      for (const key of finished) expect(after.get(key)?.begun).toBe(before.get(key)?.begun)
      for (const [, count] of after) expect(count.ended).toBeGreaterThan(0)
    },
  )

  test('again and again still ends with the same findings', async () => {
    const at = project('again')
    for (const lines of [4, 8, 8, 12]) await new Review(at).killAfter(lines)
    const { code, stdout } = await new Review(at).ended
    expect(code).toBe(0)
    expect(stdout).toContain(' 0 repeated')
    expect(findingsIn(at)).toBe(undisturbed)
  })
})

describe.runIf(process.platform === 'linux')('a script that outlives a killed review', () => {
  test('is ended before the next review runs it again', async () => {
    const at = project('script')
    const own = mkdtempSync(join(folder, 'scripted-'))
    const pidFile = join(at, 'pid')
    // Hangs the first time it runs, and says who it is; ends well the second time.
    const text = `const fs = require('node:fs')
if (!fs.existsSync(${JSON.stringify(pidFile)})) {
  fs.writeFileSync(${JSON.stringify(`${pidFile}.new`)}, String(process.pid))
  fs.renameSync(${JSON.stringify(`${pidFile}.new`)}, ${JSON.stringify(pidFile)})
  setInterval(() => {}, 1000)
}`
    writeFileSync(join(own, 'lint.cjs'), text)
    writeFileSync(
      join(own, 'package.json'),
      JSON.stringify({ name: 'own', scripts: { lint: 'node lint.cjs' } }),
    )
    const args = [MAIN, 'run', JOB, '--project', join(at, '.project'), '--', own, '--run-scripts']
    const first = spawn(process.execPath, args, { stdio: 'ignore' })
    await vi.waitUntil(() => existsSync(pidFile), { timeout: 20_000 })
    const pid = Number(readFileSync(pidFile, 'utf8'))
    first.kill('SIGKILL')
    await new Promise((resolve) => first.on('close', resolve))
    expect(isAlive(pid)).toBe(true)
    const second = spawn(process.execPath, args, { stdio: 'ignore' })
    const code = await new Promise((resolve) => second.on('close', resolve))
    expect(code).toBe(0)
    expect(isAlive(pid)).toBe(false)
  })
})

describe('a review that is interrupted once', () => {
  test('pauses the whole tree with a handoff, says how to resume, and goes on with the same command', async () => {
    const at = project('paused')
    const first = new Review(at)
    const told = await Promise.race([
      new Promise<boolean>((resolve) => {
        first.process.stderr?.on(
          'data',
          (chunk: Buffer) => chunk.toString().includes('running') && resolve(true),
        )
      }),
      first.ended.then(() => false),
    ])
    expect(told).toBe(true)
    first.process.kill('SIGINT')
    const paused = await first.ended
    expect(paused.code).toBe(130)
    expect(paused.stderr).toContain('the same command goes on where it was')
    expect(await handoffTypes(at)).toContain('orchestrator_continuation')
    const second = await new Review(at).ended
    expect(second.code).toBe(0)
    expect(second.stdout).toContain(' 0 repeated')
    expect(findingsIn(at)).toBe(undisturbed)
  })
})

describe('bad input', () => {
  test('a folder that does not exist is refused before anything is started', async () => {
    const at = project('missing')
    const child = spawn(process.execPath, [
      MAIN,
      'run',
      JOB,
      '--project',
      join(at, '.project'),
      '--',
      join(at, 'nothing'),
    ])
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(2)
    expect(stderr).toContain('cannot be reviewed')
    expect(existsSync(join(at, '.project'))).toBe(false)
  })

  test('a folder without git is reviewed, and its history says not measured', async () => {
    const at = project('no-git')
    const plain = mkdtempSync(join(folder, 'plain-'))
    writeFileSync(join(plain, 'README.md'), '# Plain\n\n[gone](nowhere.md)\n')
    const child = spawn(process.execPath, [MAIN, 'run', JOB, '--project', join(at, '.project'), '--', plain])
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(0)
    expect(stdout).toMatch(/not measured: hot-spots: not a git repository/)
    expect(findingsIn(at)).toContain('nowhere.md')
  })

  test('a second process is told who has the project open', async () => {
    const at = project('second')
    const first = new Review(at)
    await new Promise<void>((resolve) => first.process.stderr?.on('data', () => resolve()))
    const { code, stderr } = await new Review(at).ended
    expect(code).toBe(5)
    expect(stderr).toContain(String(first.process.pid))
    first.process.kill('SIGKILL')
    await first.ended
  })
})
