/** What a command prints and how it ends reaches the caller as it was. */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../actors/command.ts'
import type { CommandLogLine } from '../../actors/command-options.ts'
import { createScratch } from './scratch.ts'

const node = (program: string): { command: string; args: string[] } => ({
  command: process.execPath,
  args: ['-e', program],
})
const sh = (script: string, ...args: string[]): { command: string; args: string[] } => ({
  command: 'sh',
  args: ['-c', script, 'sh', ...args],
})

describe('output', () => {
  it('keeps the lines in order, without their endings, and the last one without a newline', async () => {
    const outcome = await runCommand(sh(String.raw`printf 'one\ntwo\r\n\nfour'`))
    expect(outcome).toEqual({
      kind: 'exited',
      exit_code: 0,
      signal: null,
      logs: ['one', 'two', '', 'four'],
      truncated: false,
      duration_ms: expect.any(Number),
    })
  })

  it('tells the streams apart in onLog and has both in the log', async () => {
    const seen: CommandLogLine[] = []
    const outcome = await runCommand({ ...sh('echo out; echo err >&2'), onLog: (line) => seen.push(line) })
    expect(seen.toSorted((a, b) => a.text.localeCompare(b.text))).toEqual([
      { stream: 'stderr', text: 'err' },
      { stream: 'stdout', text: 'out' },
    ])
    expect(outcome.logs).toEqual(seen.map((line) => line.text))
  })

  it('gives each line to onLog while the command still runs', async () => {
    const scratch = createScratch()
    const outcome = await runCommand({
      ...sh('echo ready; while [ ! -e "$1" ]; do sleep 0.01; done; echo done', scratch.path('go')),
      onLog: ({ text }) => {
        if (text === 'ready') writeFileSync(scratch.path('go'), '')
      },
      timeoutMs: 20_000,
    })
    expect(outcome).toMatchObject({ kind: 'exited', logs: ['ready', 'done'] })
  })

  it('goes on without an onLog that throws, and says so', async () => {
    const outcome = await runCommand({
      ...sh('echo one; echo two'),
      onLog: () => {
        throw new Error('no room')
      },
    })
    expect(outcome.logs).toEqual(['one', '[onLog threw and is not called again: Error: no room]', 'two'])
  })

  it('decodes a character whose bytes come in two writes', async () => {
    const scratch = createScratch()
    const program = `
      const { writeSync, existsSync } = require('node:fs')
      const bytes = Buffer.from('a€😀z\\n')
      writeSync(1, bytes.subarray(0, 2))
      writeSync(2, 'first part is out\\n')
      const wait = () => existsSync(${JSON.stringify(scratch.path('go'))}) ? rest() : setTimeout(wait, 5)
      const rest = () => { writeSync(1, bytes.subarray(2, 6)); setImmediate(() => writeSync(1, bytes.subarray(6))) }
      wait()`
    const outcome = await runCommand({
      ...node(program),
      onLog: ({ stream }) => {
        if (stream === 'stderr') writeFileSync(scratch.path('go'), '')
      },
    })
    expect(outcome.logs).toEqual(['first part is out', 'a€😀z'])
  })

  it('loses nothing of a large output', async () => {
    const outcome = await runCommand({
      ...sh('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done'),
      maxLogLines: 100_000,
    })
    expect(outcome.logs).toEqual(Array.from({ length: 20_000 }, (_, index) => `line ${index}`))
    expect(outcome.truncated).toBe(false)
  })

  it('keeps head and tail of too many lines', async () => {
    const outcome = await runCommand({ ...sh('seq 1 1000'), maxLogLines: 7 })
    expect(outcome.logs).toEqual(['1', '2', '3', expect.stringMatching(/994 lines/), '998', '999', '1000'])
    expect(outcome.truncated).toBe(true)
  })

  it('does not fill memory with output that has no newline', async () => {
    const outcome = await runCommand({
      ...sh('head -c 30000000 /dev/zero | tr "\\0" x; echo; echo end'),
      maxLogBytes: 10_000,
    })
    expect(outcome.truncated).toBe(true)
    expect(Buffer.byteLength(outcome.logs.join('\n'))).toBeLessThan(10_300)
    expect(outcome.logs.at(-1)).toBe('end')
  })
})

describe('input and environment', () => {
  it('gives the input to the command and then the end of it', async () => {
    const input = 'ä\n'.repeat(100_000)
    const outcome = await runCommand({ ...sh('wc -c'), input })
    expect(outcome.logs.map(Number)).toEqual([Buffer.byteLength(input)])
  })

  it('has an empty input by default', async () => {
    const outcome = await runCommand({ ...sh('cat; echo read') })
    expect(outcome.logs).toEqual(['read'])
  })

  it('does not mind a command that never reads its input', async () => {
    const outcome = await runCommand({ ...sh('exec true'), input: 'x'.repeat(1_000_000) })
    expect(outcome).toMatchObject({ kind: 'exited', exit_code: 0 })
  })

  it('passes arguments untouched by any shell', async () => {
    const args = ['a b', '$HOME', '*', `"quoted'`, '', 'new\nline', '-n', '; exit 3']
    const outcome = await runCommand({
      command: process.execPath,
      args: ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--', ...args],
    })
    expect(JSON.parse(outcome.logs.join('\n'))).toEqual(args)
  })

  it('passes exactly the given environment, names that no shell allows included, and the mark', async () => {
    const env = {
      A: '1',
      mark: 'm',
      IFS_: ' ',
      'a.b': 'x y',
      'npm_config_//host/:_authToken': `s'"$e\ncret`,
      B: undefined,
    }
    const outcome = await runCommand({ ...node('console.log(JSON.stringify(process.env))'), env })
    const {
      AGENT_ORCHESTRATION_COMMAND: mark,
      PWD: _pwd,
      OLDPWD: _oldpwd,
      ...seen
    } = JSON.parse(outcome.logs.join(''))
    const { B: _unset, ...expected } = env
    expect(seen).toEqual(expected)
    expect(mark).toMatch(/^\d+@/)
  })

  it('runs in the given folder and looks up the command from there and in the PATH of its own environment', async () => {
    const scratch = createScratch()
    mkdirSync(scratch.path('bin'))
    writeFileSync(scratch.path('bin/greet'), '#!/bin/sh\npwd -P\n')
    chmodSync(scratch.path('bin/greet'), 0o755)
    const relative = await runCommand({ command: 'bin/greet', cwd: scratch.folder })
    const byPath = await runCommand({
      command: 'greet',
      cwd: scratch.folder,
      env: { PATH: `/nowhere:${scratch.path('bin')}` },
    })
    expect(byPath.logs).toEqual(relative.logs)
    expect(relative.logs[0]).toMatch(/command-/)
  })
})

describe('how it ends', () => {
  it('reports an exit code', async () => {
    expect(await runCommand(sh('exit 7'))).toMatchObject({ kind: 'exited', exit_code: 7, signal: null })
  })

  it('reports the signal that ended it', async () => {
    expect(await runCommand(sh('kill -KILL $$'))).toMatchObject({
      kind: 'exited',
      exit_code: null,
      signal: 'SIGKILL',
    })
  })
})

describe('what cannot be started', () => {
  const refused = async (options: Parameters<typeof runCommand>[0]): Promise<unknown> => {
    let recorded = false
    const error: unknown = await runCommand({
      ...options,
      onStart: () => {
        recorded = true
        return Promise.resolve()
      },
    }).catch((error: unknown) => error)
    expect(recorded).toBe(false)
    return error
  }

  it('names a command that does not exist', async () => {
    expect(await refused({ command: 'no-such-command-here' })).toMatchObject({
      code: 'CMD_NOT_FOUND',
      message: expect.stringMatching(/"no-such-command-here" was not found.+\. .+\. .+"sh"/),
    })
    expect(await refused({ command: './no-such-file' })).toMatchObject({ code: 'CMD_NOT_FOUND' })
    expect(await refused({ command: 'sh', env: { PATH: '/nowhere' } })).toMatchObject({
      code: 'CMD_NOT_FOUND',
    })
    expect(await refused({ command: 'echo hello' })).toMatchObject({ code: 'CMD_NOT_FOUND' })
  })

  it('names a folder that does not exist, or is none', async () => {
    const scratch = createScratch()
    writeFileSync(scratch.path('file'), '')
    for (const cwd of [scratch.path('missing'), scratch.path('file')]) {
      expect(await refused({ command: 'true', cwd })).toMatchObject({
        code: 'CMD_CWD_MISSING',
        message: expect.stringContaining(cwd),
      })
    }
  })

  it('says that a file is not executable', async () => {
    const scratch = createScratch()
    writeFileSync(scratch.path('plain'), 'text', { mode: 0o644 })
    expect(await refused({ command: scratch.path('plain') })).toMatchObject({
      code: 'CMD_SPAWN_FAILED',
      message: expect.stringContaining('chmod +x'),
    })
  })

  it('passes on that the system refuses', async () => {
    expect(await refused({ command: 'true', args: ['x'.repeat(4_000_000)] })).toMatchObject({
      code: 'CMD_SPAWN_FAILED',
      message: expect.stringContaining('E2BIG'),
    })
  })

  it.each([
    { timeoutMs: Number.NaN },
    { timeoutMs: -1 },
    { graceMs: -1 },
    { maxLogLines: 0 },
    { maxLogBytes: 0 },
    { args: ['a\0b'] },
    { command: '' },
  ])('refuses %j', async (option) => {
    expect(await refused({ command: 'true', ...option })).toMatchObject({ code: 'CMD_INVALID_OPTION' })
  })
})
