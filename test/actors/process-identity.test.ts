/** A process is told apart from every other one, whatever its name is and whichever table is read. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { identify, isAlive, markOf } from '../../actors/process-identity.ts'
import { procTable, psTable } from '../../actors/process-table.ts'
import { createScratch } from './scratch.ts'

async function start(command: string, ...args: string[]): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command, args, { detached: true, stdio: 'ignore' })
  await once(child, 'spawn')
  onTestFinished(() => void child.kill('SIGKILL'))
  return child as ChildProcess & { pid: number }
}

it('identifies a process until it ends', async () => {
  const child = await start('sleep', '600')
  const identity = await identify(child.pid)
  expect(identity).toEqual({
    pid: child.pid,
    group: child.pid,
    started: expect.stringMatching(/^(linux|ps):.+/),
  })
  if (identity === undefined) return
  expect(await isAlive(identity)).toBe(true)
  expect(await isAlive({ ...identity, started: 'ps:another time' })).toBe(false)
  expect(markOf(identity)).not.toContain('\n')

  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  expect(await identify(child.pid)).toBeUndefined()
  expect(await isAlive(identity)).toBe(false)
})

it.runIf(process.platform === 'linux')('reads a process whose name has spaces and parentheses', async () => {
  const scratch = createScratch()
  copyFileSync('/bin/sleep', scratch.path(') Z 1 (x'))
  const child = await start(scratch.path(') Z 1 (x'), '600')
  expect(await procTable.read(child.pid)).toMatchObject({ pid: child.pid, group: child.pid, running: true })
})

it('reads the same from ps, as systems without /proc do', async () => {
  const child = await start('sleep', '600')
  const entry = await psTable.read(child.pid)
  expect(entry).toEqual({
    pid: child.pid,
    group: child.pid,
    started: expect.stringMatching(/^ps:\w+ \w+ \d+ [\d:]+ \d{4}$/),
    running: true,
  })
  const group = await psTable.readGroup(child.pid)
  expect(group.map((member) => member.pid)).toEqual([child.pid])

  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  expect(await psTable.read(child.pid)).toBeUndefined()
  expect(await psTable.readGroup(child.pid)).toEqual([])
})
