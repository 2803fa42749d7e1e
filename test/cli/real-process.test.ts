/** The built executable as a process of its own: streams, pipes, signals, exit codes. Needs `npm run build`. */
import { spawn } from 'node:child_process'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { agentctl as inProcess } from './in-process.ts'
import { recordProject, type RecordedProject } from './recorded-project.ts'

const main = join(import.meta.dirname, '../../dist/src/cli/main.js')
let folder = ''
let project: RecordedProject

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'real-process-'))
  project = await recordProject(folder)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

type Running = {
  readonly ended: Promise<Ended>
  readonly child: ReturnType<typeof spawn>
}

function start(argv: readonly string[], temporary: string = folder): Running {
  // A temporary folder of its own, so that what it leaves there is seen.
  const env = { ...process.env, TMPDIR: temporary, FORCE_COLOR: undefined }
  const child = spawn(process.execPath, [main, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  )
  return { child, ended }
}

const leftBehind = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('agentctl-'))

describe('the executable', () => {
  test.each([
    [['log']],
    [['show', 'tidy-up', '--at', '2']],
    [['why', 'tidy-up', '--json']],
    [['log', '--json']],
  ])('answers %j as the program does in this process', async (argv) => {
    const here = await inProcess([...argv, '--project', project.path])
    expect(await start([...argv, '--project', project.path]).ended).toEqual(here)
    expect(await leftBehind()).toEqual([])
  })

  test('prints JSON lines that parse, one by one', async () => {
    const { code, stdout } = await start(['log', '--json', '--project', project.path]).ended
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(30)
    for (const [index, line] of lines.entries())
      expect(JSON.parse(line)).toMatchObject({ position: index + 1 })
  })

  test.each([
    ['usage', ['lgo'], 2],
    ['not found', ['show', 'nothing'], 4],
  ])('exits with the code for %s', async (_what, argv, code) => {
    expect(await start([...argv, '--project', project.path]).ended).toMatchObject({ code, stdout: '' })
  })

  test('answers from the live process that owns the log, and exits with 5 if that lets nobody attach', async () => {
    const path = join(folder, 'live')
    const open = async (attach: boolean): Promise<Ended> => {
      await using runtime = await createRuntime({ path, attach })
      await runtime.sessions.start({ role: 'orchestrator' })
      return await start(['log', '--type', 'session.created', '--json', '--project', path]).ended
    }
    expect(await open(true)).toMatchObject({ code: 0, stderr: '' })
    const { code, stderr } = await open(false)
    expect(code).toBe(5)
    expect(stderr).toContain(`process ${process.pid}`)
  })

  test.runIf(process.platform === 'linux')(
    'says so when stdout leads to a full disk, and exits with 1',
    async () => {
      const full = await open('/dev/full', 'w')
      const argv = ['log', '--json', '--project', project.path]
      const child = spawn(process.execPath, [main, ...argv], { stdio: ['ignore', full.fd, 'pipe'] })
      let stderr = ''
      child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
      const code = await new Promise((resolve) => child.on('close', resolve))
      await full.close()
      expect(code).toBe(1)
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'CLI_OUTPUT', exit_code: 1 } })
      expect(await leftBehind()).toEqual([])
    },
  )

  test('ends quietly with 0 when its reader has seen enough', async () => {
    const { child, ended } = start(['log', '--json', '--project', project.path])
    child.stdout?.destroy()
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
    expect(await leftBehind()).toEqual([])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('leaves no copy behind when %s ends it', async (signal, code) => {
    const { child, ended } = start(['log', '--project', project.path])
    await until(async () => (await leftBehind()).length > 0 || child.exitCode !== null)
    child.kill(signal)
    const end = await ended
    // It may have been faster than the signal.
    expect([0, code]).toContain(end.code)
    expect(await leftBehind()).toEqual([])
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within 10 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
