/** What the completion scripts offer, asked of the shells themselves where they are installed. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { agentctl } from './in-process.ts'

const run = promisify(execFile)
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'completion-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await agentctl(['completion', shell])
  expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' })
  const file = join(folder, `agentctl.${shell}`)
  await writeFile(file, stdout)
  return file
}

const has = async (shell: string): Promise<boolean> =>
  run(shell, ['--version']).then(
    () => true,
    () => false,
  )
const [bash, zsh, fish] = await Promise.all(['bash', 'zsh', 'fish'].map(has))

describe('the script', () => {
  test.each(['bash', 'zsh', 'fish'])('for %s knows every command and its options', async (shell) => {
    const { stdout } = await agentctl(['completion', shell])
    for (const { name } of COMMANDS) expect(stdout).toContain(name)
    for (const option of ['until-state', 'as-test', 'in-place', 'verdict']) expect(stdout).toContain(option)
  })

  test('for another shell is refused with those there are', async () => {
    const told = await agentctl(['completion', 'csh'])
    expect(told).toMatchObject({ code: EXIT.usage, stdout: '' })
    expect(told.stderr).toContain('bash, zsh, fish')
  })

  test.runIf(bash)('completes in bash', async () => {
    const file = await script('bash')
    const complete = async (...words: string[]): Promise<string[]> => {
      const line = `source ${file}; COMP_WORDS=(agentctl ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _agentctl; printf '%s\\n' "\${COMPREPLY[@]}"`
      return (await run('bash', ['--norc', '-c', line], { cwd: folder })).stdout.trimEnd().split('\n')
    }
    expect(await complete('rep')).toEqual(['replay'])
    expect(await complete('--project', 'x', 'bl')).toEqual(['blame'])
    expect(await complete('replay', '--unt')).toEqual(['--until-state'])
    expect(await complete('log', '--verd')).toEqual(['--verdict'])
    expect(await complete('log', '--in')).toEqual(['--in-place'])
    expect(await complete('export', '--out', 'agent')).toEqual(['agentctl.bash'])
  })

  test.runIf(zsh)('is understood by zsh', async () => {
    const { stderr } = await run('zsh', ['-n', await script('zsh')])
    expect(stderr).toBe('')
  })

  test.runIf(fish)('completes in fish', async () => {
    const file = await script('fish')
    const { stdout } = await run('fish', ['-N', '-c', `source ${file}; complete -C 'agentctl rep'`])
    expect(stdout).toMatch(/^replay\t/m)
  })
})
