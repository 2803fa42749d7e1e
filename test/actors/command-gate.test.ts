/** A command never runs before it is on record, whatever happens to the process that starts it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { runCommand } from '../../actors/command.ts'
import { identify, isAlive, type ProcessIdentity } from '../../actors/process-identity.ts'
import { processTable } from '../../actors/process-table.ts'
import { createScratch } from './scratch.ts'
import { until } from './until.ts'

const parentProgram = fileURLToPath(
  new URL('../../dist/test/faults/programs/command-parent.js', import.meta.url),
)

const mark = (path: string): { command: string; args: string[] } => ({
  command: 'sh',
  args: ['-c', 'echo ran >>"$1"', 'sh', path],
})

it('runs the command once, after the record', async () => {
  const scratch = createScratch()
  let recorded: ProcessIdentity | undefined
  const outcome = await runCommand({
    command: 'sh',
    args: ['-c', 'echo $$; echo "$AGENT_ORCHESTRATION_COMMAND"; echo ran >>"$1"', 'sh', scratch.path('ran')],
    onStart: async (identity) => {
      expect(await isAlive(identity)).toBe(true)
      expect(scratch.read('ran')).toBeUndefined()
      recorded = identity
    },
  })
  const { pid, group, started } = recorded ?? {}
  expect(outcome.logs).toEqual([String(pid), `${pid}@${started}`])
  expect(group).toBe(pid)
  expect(scratch.read('ran')).toBe('ran\n')
})

it('never runs a command whose record failed, and passes the error on', async () => {
  const scratch = createScratch()
  let recorded: ProcessIdentity | undefined
  const failure = new Error('disk full')
  const running = runCommand({
    ...mark(scratch.path('ran')),
    onStart: (identity) => {
      recorded = identity
      return Promise.reject(failure)
    },
  })
  await expect(running).rejects.toBe(failure)
  expect(scratch.read('ran')).toBeUndefined()
  expect(recorded && (await identify(recorded.pid))).toBeUndefined()
})

it('never runs a command whose parent was killed before the record was complete', async () => {
  const scratch = createScratch()
  const { command, args } = mark(scratch.path('ran'))
  const parent = spawn(
    process.execPath,
    [parentProgram, 'hold', scratch.path('identity'), command, ...args],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const exited = once(parent, 'exit')
  const text = await until('the parent has recorded half', () => {
    expect(parent.exitCode, 'is the project built?').toBeNull()
    return scratch.read('identity')
  })
  const identity = JSON.parse(text) as ProcessIdentity
  expect(await isAlive(identity)).toBe(true)

  parent.kill('SIGKILL')
  await exited
  await until('the waiting process ends by itself', async () => !(await isAlive(identity)))
  const left = await processTable.readGroup(identity.group)
  expect(left.filter((member) => member.running)).toEqual([])
  expect(scratch.read('ran')).toBeUndefined()
})
