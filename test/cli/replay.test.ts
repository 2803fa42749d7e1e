/** `agentctl replay`, scripted: each move lands where it should, and the answer is the same as that of show. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { parseMove } from '../../src/cli/replay-moves.ts'
import { storyProject } from '../query/story.ts'
import { agentctl } from './in-process.ts'

let folder = ''
const NOW = Date.parse('2026-11-20T10:00:00Z')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replay-'))
  await storyProject(join(folder, '.project'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Step = { event: { version: number; position: number }; value: unknown; context: unknown }

async function versions(...argv: string[]): Promise<number[]> {
  const { code, stdout, stderr } = await agentctl(['replay', ...argv, '--json'], { cwd: folder, now: NOW })
  expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as Step).event.version)
}

const moves = (...typed: string[]): string[] => typed.flatMap((move) => ['--do', move])

describe('a replay', () => {
  test('goes through every event, from one place to another, or until a state', async () => {
    expect(await versions('release-7')).toEqual([1, 2, 3, 4])
    expect(await versions('release-7', '--from', '2', '--to', '3')).toEqual([2, 3])
    expect(await versions('release-7', '--until-state', 'paused')).toEqual([1, 2, 3, 4])
    expect(await versions('release-7', '--until-state', 'active')).toEqual([1, 2])
    expect(await versions('release-7', '--to', 'yesterday 09:00:00')).toEqual([1, 2])
    expect(await versions('49', '--to', '3')).toEqual([3])
  })

  test('makes the moves that it is told, and stays where a move leads nowhere', async () => {
    expect(
      await versions('release-7', ...moves('next', 'n', 'back', 'next', 'last', 'next', 'first', 'b')),
    ).toEqual([1, 2, 3, 2, 3, 4, 1])
    expect(await versions('release-7', ...moves('to 3', '2', 'to #49', 'to "yesterday 09:00:00"'))).toEqual([
      1, 3, 2, 3, 2,
    ])
    expect(
      await versions('release-7', ...moves('state paused', 'first', 'state active', 'quit', 'last')),
    ).toEqual([1, 4, 1, 2])
  })

  test('has at each step the state that show has at that version', async () => {
    const { stdout } = await agentctl(['replay', 'janitor', '--json'], { cwd: folder, now: NOW })
    const steps = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Step)
    expect(steps).toHaveLength(24)
    for (const { event, value, context } of [steps[0], steps[11], steps[23]] as Step[]) {
      const shown = await agentctl(['show', 'janitor', '--at', String(event.version), '--json'], {
        cwd: folder,
      })
      expect(JSON.parse(shown.stdout)).toMatchObject({ value, context })
    }
  })

  test.each([
    { what: 'a move that is none', argv: moves('sideways'), code: EXIT.usage },
    { what: 'a state that it is never in', argv: moves('state happy'), code: EXIT.notFound },
    {
      what: 'a state that it is never in, as the end',
      argv: ['--until-state', 'happy'],
      code: EXIT.notFound,
    },
    { what: 'a version that is not there', argv: moves('to 99'), code: EXIT.notFound },
    { what: 'a beginning that is not there', argv: ['--from', '99'], code: EXIT.notFound },
  ])('refuses $what', async ({ argv, code }) => {
    const told = await agentctl(['replay', 'release-7', ...argv], { cwd: folder, now: NOW })
    expect(told.code).toBe(code)
    expect(told.stderr).toMatch(/^error |\nerror /)
  })
})

test.each(['sideways', 'to', 'to nowhere', 'state', '-1', '7x', '__proto__', 'constructor'])(
  '"%s" is no move',
  (typed) => {
    expect(parseMove(typed, NOW)).toBeUndefined()
  },
)
