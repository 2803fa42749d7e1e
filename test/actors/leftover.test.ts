/** What a killed parent left running is ended; what is not provably that is never touched. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { type CommandOutcome, runCommand } from '../../actors/command.ts'
import { endLeftover } from '../../actors/leftover.ts'
import { identify, isAlive, type ProcessIdentity } from '../../actors/process-identity.ts'
import { processTable } from '../../actors/process-table.ts'
import { createScratch, type Scratch } from './scratch.ts'
import { until } from './until.ts'

const parentProgram = fileURLToPath(
  new URL('../../dist/test/faults/programs/command-parent.js', import.meta.url),
)

/** Runs `script` as a command of a parent that is then killed; `$1` is the file `pids`, with `lines` lines awaited. */
async function orphan(
  scratch: Scratch,
  { script, lines }: { script: string; lines: number },
): Promise<ProcessIdentity> {
  const words = ['run', scratch.path('identity'), 'sh', '-c', script, 'sh', scratch.path('pids')]
  const parent = spawn(process.execPath, [parentProgram, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(parent, 'exit')
  await until('the command runs', () => {
    expect(parent.exitCode, 'is the project built?').toBeNull()
    return pidsIn(scratch).length === lines
  })
  parent.kill('SIGKILL')
  await exited
  onTestFinished(() => pidsIn(scratch).forEach(killQuietly))
  return JSON.parse(scratch.read('identity') ?? '') as ProcessIdentity
}

const onLinux = process.platform === 'linux'

const pidsIn = (scratch: Scratch): number[] =>
  (scratch.read('pids') ?? '').split('\n').slice(0, -1).map(Number)

const isRunning = async (pid: number): Promise<boolean> => (await processTable.read(pid))?.running === true

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Ended already, as it should be.
  }
}

/** A process of somebody else that leads its group, as a recycled id would. */
async function stranger(env: NodeJS.ProcessEnv = {}): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore', env: { ...process.env, ...env } })
  await once(child, 'spawn')
  onTestFinished(() => killQuietly(child.pid ?? 0))
  const identity = await identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('The stranger is not there.')
  return identity
}

it('ends a command that outlived its parent, with its grandchild, and finds it gone the next time', async () => {
  const scratch = createScratch()
  const script = `trap '' TERM; echo $$ >>"$1"; sh -c 'echo $$ >>"$1"; exec sleep 600' sh "$1" & wait; wait`
  const identity = await orphan(scratch, { script, lines: 2 })
  expect(await isAlive(identity)).toBe(true)

  expect(await endLeftover(identity, { graceMs: 50 })).toBe('ended')
  for (const pid of pidsIn(scratch)) expect(await isRunning(pid)).toBe(false)
  expect(await endLeftover(identity)).toBe('gone')
})

/** A command that has ended, and been collected, while a grandchild in its group goes on (ids: the file `pids`). */
async function headless(scratch: Scratch, grandchild: string): Promise<Headless> {
  let identity: ProcessIdentity | undefined
  const outcome = runCommand({
    command: 'sh',
    args: ['-c', `${grandchild} & echo $! >>"$1"`, 'sh', scratch.path('pids')],
    graceMs: 60_000,
    onStart: async (recorded) => {
      identity = recorded
    },
  })
  onTestFinished(() => pidsIn(scratch).forEach(killQuietly))
  const ended = await until('the command has ended', async () => {
    const gone = identity !== undefined && (await processTable.read(identity.pid)) === undefined
    return gone && pidsIn(scratch).length === 1 ? identity : undefined
  })
  return { identity: ended, member: pidsIn(scratch)[0] ?? 0, outcome }
}

type Headless = { identity: ProcessIdentity; member: number; outcome: Promise<CommandOutcome> }

it.runIf(onLinux)('ends the members of the group that outlived the command itself', async () => {
  const { identity, member, outcome } = await headless(createScratch(), 'sleep 600')
  expect(await isRunning(member)).toBe(true)
  expect(await endLeftover(identity)).toBe('ended')
  expect(await isRunning(member)).toBe(false)
  expect(await outcome).toMatchObject({ kind: 'exited', exit_code: 0 })
})

it('does not touch members of a group without a leader that cannot be proved to be ours', async () => {
  // Its group is what a stranger's would be that got the id and died: without the mark of this command.
  const { identity, member, outcome } = await headless(createScratch(), 'env -i sleep 600')
  await until(
    'its environment is empty',
    () => !onLinux || readFileSync(`/proc/${member}/environ`).length === 0,
  )
  expect(await endLeftover(identity, { graceMs: 0 })).toBe('not_ours')
  expect(await isRunning(member)).toBe(true)
  killQuietly(member)
  await outcome
})

it('does not touch a process that got the id of an ended command', async () => {
  const there = await stranger()
  expect(await endLeftover({ ...there, started: `${there.started}9` }, { graceMs: 0 })).toBe('not_ours')
  expect(await endLeftover({ ...there, started: '' }, { graceMs: 0 })).toBe('not_ours')
  expect(await isAlive(there)).toBe(true)
})

it.runIf(onLinux)('does not touch anything after the machine was started anew', async () => {
  const there = await stranger()
  const started = there.started.replace(/^linux:[^:]+/, 'linux:00000000-0000-4000-8000-000000000000')
  expect(await endLeftover({ ...there, started }, { graceMs: 0 })).toBe('gone')
  expect(await isAlive(there)).toBe(true)
})

it.each([0, 1, -1, Number.NaN, process.pid])(
  'does not touch anything for a record of process %s and group 1',
  async (pid) => {
    expect(await endLeftover({ pid, group: 1, started: 'x' })).toBe('not_ours')
  },
)

it('does not take a mark that only resembles its own for proof', async () => {
  const there = await stranger({ AGENT_ORCHESTRATION_COMMAND: '1@linux:x:1' })
  expect(await endLeftover({ ...there, started: 'linux:unknown:1' }, { graceMs: 0 })).toBe('not_ours')
  expect(await isAlive(there)).toBe(true)
})
