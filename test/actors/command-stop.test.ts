/** A command is stopped as a group: nothing of it runs when the call returns, and nothing makes the call hang. */

import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type CommandOutcome, runCommand } from '../../actors/command.ts'
import { processTable } from '../../actors/process-table.ts'
import { createScratch, type Scratch } from './scratch.ts'
import { until } from './until.ts'

const isRunning = async (pid: number): Promise<boolean> => (await processTable.read(pid))?.running === true

const pidsIn = (scratch: Scratch): number[] =>
  (scratch.read('pids') ?? '').split('\n').filter(Boolean).map(Number)

/** A child that ignores SIGTERM, and a grandchild of it, whose ids are in the file `$1`. */
const stubborn = `trap '' TERM; echo $$ >>"$1"; (trap '' TERM; sh -c 'echo $$ >>"$1"; exec sleep 600' sh "$1") & wait; wait`

/** Runs again with more time until the command got as far as the test needs: a busy machine is slow to start it. */
async function withGrowingLimit(
  run: (timeoutMs: number) => Promise<CommandOutcome>,
  gotFarEnough: (outcome: CommandOutcome) => boolean,
): Promise<CommandOutcome> {
  for (let timeoutMs = 300; ; timeoutMs *= 4) {
    const outcome = await run(timeoutMs)
    if (gotFarEnough(outcome) || timeoutMs > 4_000) return outcome
  }
}

describe('a time limit', () => {
  it('ends the command and says so', async () => {
    const outcome = await runCommand({ command: 'sleep', args: ['600'], timeoutMs: 50 })
    expect(outcome).toMatchObject({ kind: 'timed_out', exit_code: null, signal: 'SIGTERM' })
    expect(outcome.duration_ms).toBeGreaterThanOrEqual(50)
  })

  it('kills a child that ignores SIGTERM and its grandchild', async () => {
    const scratch = createScratch()
    const outcome = await withGrowingLimit(
      (timeoutMs) => {
        rmSync(scratch.path('pids'), { force: true })
        const args = ['-c', stubborn, 'sh', scratch.path('pids')]
        return runCommand({ command: 'sh', args, timeoutMs, graceMs: 50 })
      },
      () => pidsIn(scratch).length === 2,
    )
    expect(outcome).toMatchObject({ kind: 'timed_out', signal: 'SIGKILL' })
    expect(pidsIn(scratch)).toHaveLength(2)
    for (const pid of pidsIn(scratch)) expect(await isRunning(pid)).toBe(false)
  })

  it('leaves time to clean up', async () => {
    const script = `trap 'echo cleaned; exit 3' TERM; echo ready; while :; do sleep 0.01; done`
    const outcome = await withGrowingLimit(
      (timeoutMs) => runCommand({ command: 'sh', args: ['-c', script], timeoutMs, graceMs: 20_000 }),
      ({ logs }) => logs.includes('ready'),
    )
    expect(outcome).toMatchObject({ kind: 'timed_out', exit_code: 3 })
    expect(outcome.logs.at(-1)).toBe('cleaned')
  })

  it('ends a command that has stopped itself', async () => {
    const outcome = await runCommand({
      command: 'sh',
      args: ['-c', 'kill -STOP $$'],
      timeoutMs: 100,
      graceMs: 20_000,
    })
    expect(outcome).toMatchObject({ kind: 'timed_out', signal: 'SIGTERM' })
  })

  it('may be longer than a timer can be', async () => {
    const outcome = await runCommand({ command: 'true', timeoutMs: 1e12 })
    expect(outcome).toMatchObject({ kind: 'exited', exit_code: 0 })
  })

  it('does not count the time that the record took, nor a busy spell of this process', async () => {
    const outcome = await runCommand({
      command: 'true',
      timeoutMs: 1_000,
      onStart: () => new Promise((resolve) => setTimeout(resolve, 1_100)),
    })
    expect(outcome.kind).toBe('exited')
    const busy = runCommand({ command: 'echo', args: ['done'], timeoutMs: 1_000, onLog: () => burn(1_200) })
    expect(await busy).toMatchObject({ kind: 'exited', exit_code: 0, logs: ['done'] })
  })
})

describe('a cancel', () => {
  it('before the call starts nothing', async () => {
    const scratch = createScratch()
    let recorded = false
    const outcome = await runCommand({
      command: 'touch',
      args: [scratch.path('ran')],
      signal: AbortSignal.abort(),
      onStart: () => {
        recorded = true
        return Promise.resolve()
      },
    })
    expect(outcome).toEqual({
      kind: 'cancelled',
      exit_code: null,
      signal: null,
      logs: [],
      truncated: false,
      duration_ms: 0,
    })
    expect(recorded).toBe(false)
  })

  it('while the process is being started runs nothing and records nothing', async () => {
    const scratch = createScratch()
    const controller = new AbortController()
    let recorded = false
    const running = runCommand({
      command: 'sh',
      args: ['-c', 'echo >"$1"', 'sh', scratch.path('ran')],
      signal: controller.signal,
      onStart: () => {
        recorded = true
        return Promise.resolve()
      },
    })
    controller.abort()
    expect(await running).toMatchObject({ kind: 'cancelled', duration_ms: 0 })
    expect([recorded, scratch.read('ran')]).toEqual([false, undefined])
  })

  it('while the record is being written does not wait for it, and the command never runs', async () => {
    const scratch = createScratch()
    const controller = new AbortController()
    const outcome = await runCommand({
      command: 'sh',
      args: ['-c', 'echo >"$1"', 'sh', scratch.path('ran')],
      signal: controller.signal,
      onStart: () => {
        controller.abort()
        return new Promise(() => undefined)
      },
    })
    expect(outcome).toMatchObject({ kind: 'cancelled', duration_ms: 0 })
    expect(scratch.read('ran')).toBeUndefined()
  })

  it('during the run ends the whole group and keeps what was printed', async () => {
    const scratch = createScratch()
    const controller = new AbortController()
    const running = runCommand({
      command: 'sh',
      args: ['-c', `echo started; ${stubborn}`, 'sh', scratch.path('pids')],
      signal: controller.signal,
      graceMs: 50,
    })
    await until('both processes run', () => pidsIn(scratch).length === 2)
    controller.abort()
    expect(await running).toMatchObject({ kind: 'cancelled', signal: 'SIGKILL', logs: ['started'] })
    for (const pid of pidsIn(scratch)) expect(await isRunning(pid)).toBe(false)
  })
})

describe('what a command leaves running', () => {
  it('has time to finish', async () => {
    const outcome = await runCommand({
      command: 'sh',
      args: ['-c', '(sleep 0.2; echo late) & echo early'],
      graceMs: 20_000,
    })
    expect(outcome).toMatchObject({ kind: 'exited', exit_code: 0, logs: ['early', 'late'] })
  })

  it('is then ended, although it holds the pipes', async () => {
    const scratch = createScratch()
    const outcome = await runCommand({
      command: 'sh',
      args: ['-c', 'sleep 600 & echo $! >"$1"; exit 4', 'sh', scratch.path('pids')],
      graceMs: 100,
    })
    expect(outcome).toMatchObject({ kind: 'exited', exit_code: 4 })
    for (const pid of pidsIn(scratch)) expect(await isRunning(pid)).toBe(false)
  })

  it('cannot make the call hang by leaving the group with the pipes', async () => {
    const scratch = createScratch()
    const program = `
      const { spawn } = require('node:child_process')
      const child = spawn('sleep', ['600'], { detached: true, stdio: 'inherit' })
      require('node:fs').writeFileSync(process.argv[1], String(child.pid))
      child.unref()
      console.log('left')`
    const outcome = await runCommand({
      command: process.execPath,
      args: ['-e', program, scratch.path('pids')],
    })
    for (const pid of pidsIn(scratch)) process.kill(pid, 'SIGKILL')
    expect(pidsIn(scratch)).toHaveLength(1)
    expect(outcome).toMatchObject({ kind: 'exited', exit_code: 0, logs: ['left'] })
  })
})

function burn(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
