/** What a person sees who sits in front of it: `run`, `replay` and `ps --watch` in a real terminal. Needs `npm run build`. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { orderMachine, silent, storyProject } from '../query/story.ts'
import { ORDER_MODULE } from './order-module.ts'

const run = promisify(execFile)
const main = join(import.meta.dirname, '../../dist/src/cli/main.js')
/** Below the package, so that the module in it can import what the package depends on. */
const modules = join(import.meta.dirname, '../../node_modules/.cache', `agentctl-terminal-${process.pid}`)
const installed = await run('tmux', ['-V']).then(
  () => true,
  () => false,
)
if (!installed) console.warn('tmux is not installed: what a terminal shows is not tested')

const entry = new URL(`file://${join(import.meta.dirname, '../../dist/src/index.js')}`).href
/** Waits, if need be over several processes, until there is a file `go`. */
const JOB = `
import { existsSync } from 'node:fs'
import { defineAgent, defineJob } from ${JSON.stringify(entry)}
const patient = defineAgent('patient', async (ctx) => {
  const seven = await ctx.step('count', () => 7)
  await ctx.step('wait', async ({ signal }) => {
    while (!existsSync('go')) {
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  return seven
})
export default defineJob({
  name: 'small', summary: 'small', usage: 'small', main: patient,
  runtime: () => ({ agents: [patient] }),
  plan: () => ({ key: 'small', name: 'small', tags: [], input: () => ({}), fresh: false }),
  tell: async ({ result }) => ({ lines: ['told ' + result.status], data: {} }),
})`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terminal-'))
  await storyProject(join(folder, '.project'))
  await mkdir(modules, { recursive: true })
  await writeFile(join(modules, 'orders.mjs'), ORDER_MODULE)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await rm(modules, { recursive: true, force: true })
})

/** A terminal of its own, on a server of its own. */
class Terminal {
  readonly #socket: string

  constructor(name: string) {
    this.#socket = join(folder, name)
  }

  async start(command: string): Promise<void> {
    const shell = `env -u NO_COLOR PS1='$ ' sh -c 'trap : INT; ${command}; echo "ended with $?"; sleep 60'`
    await this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '40', '-c', folder, shell)
  }

  async type(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }

  /** What is on the screen, once it is as expected. */
  async shows(expected: RegExp): Promise<string> {
    const deadline = Date.now() + 20_000
    let screen = ''
    while (Date.now() < deadline) {
      screen = await this.#tmux('capture-pane', '-p')
      if (expected.test(screen)) return screen
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`waited in vain for ${String(expected)}; the screen shows:\n${screen}`)
  }

  async end(): Promise<void> {
    await this.#tmux('kill-server').catch(() => '')
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run('tmux', ['-S', this.#socket, ...args])).stdout
  }
}

async function inTerminal(name: string, use: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = new Terminal(name)
  try {
    await use(terminal)
  } finally {
    await terminal.end()
  }
}

const agentctl = (...words: string[]): string => [process.execPath, main, ...words].join(' ')

describe.runIf(installed)('in a terminal', () => {
  test('replay asks for moves, shows what each event changed, and ends with q', async () => {
    await inTerminal('replay', async (terminal) => {
      await terminal.start(agentctl('replay', 'order-1', '--machines', join(modules, 'orders.mjs')))
      await terminal.shows(/▸ 1 of 4 .* actor\.created[^]*Enter or n: next[^]*1\/4>/)
      await terminal.type('Enter')
      await terminal.shows(/▸ 2 of 4 .* add[^]*\+ context\.items\[0\]: \{"sku":"lamp","count":2\}[^]*2\/4>/)
      await terminal.type('state paid', 'Enter')
      await terminal.shows(/▸ 4 of 4 .* pay[^]*~ value: "open" → "paid"[^]*4\/4>/)
      await terminal.type('n', 'Enter')
      await terminal.shows(/this is the last event/)
      await terminal.type('b', 'Enter')
      await terminal.shows(/◂ 3 of 4[^]*3\/4>/)
      await terminal.type('to 99', 'Enter')
      await terminal.shows(/has no version 99[^]*3\/4>/)
      await terminal.type('?', 'Enter')
      await terminal.shows(/the next time it is so/)
      await terminal.type('q', 'Enter')
      expect(await terminal.shows(/ended with/)).toContain('ended with 0')
    })
  }, 60_000)

  test.each([
    ['Ctrl-D', 'C-d'],
    ['Ctrl-C', 'C-c'],
  ])(
    'replay is left with %s',
    async (_name, key) => {
      await inTerminal(`leave-${key}`, async (terminal) => {
        await terminal.start(agentctl('replay', 'release-7'))
        await terminal.shows(/1\/4>/)
        await terminal.type(key)
        expect(await terminal.shows(/ended with/)).toContain('ended with 0')
      })
    },
    60_000,
  )

  test('run redraws the tree in place, Ctrl-C pauses it, and the same command goes on to its end', async () => {
    const home = await mkdtemp(join(folder, 'run-'))
    const job = join(home, 'job.mjs')
    await writeFile(job, JOB)
    const command = `cd ${home} && ${agentctl('run', job)}`
    await inTerminal('run', async (terminal) => {
      await terminal.start(command)
      const running = await terminal.shows(/▸ small \(workagent\) · running [1-9]\d*s · wait/)
      // Drawn again and again, and there once.
      expect(running.match(/▸ small/g)).toHaveLength(1)
      await terminal.type('C-c')
      const paused = await terminal.shows(/ended with/)
      expect(paused).toContain('ended with 130')
      expect(paused).toContain('the same command goes on where it was')
    })
    await writeFile(join(home, 'go'), '')
    await inTerminal('run-again', async (terminal) => {
      await terminal.start(command)
      const ended = await terminal.shows(/ended with/)
      expect(ended).toContain('resumed: 1 steps reused')
      expect(ended).toContain('told completed')
      expect(ended).toContain('ended with 0')
    })
  }, 60_000)

  test('ps --watch shows the log again when it has changed, and ends with Ctrl-C', async () => {
    const project = join(folder, 'watched')
    await storyProject(project)
    await inTerminal('watch', async (terminal) => {
      await terminal.start(agentctl('ps', '--watch', '--project', project))
      const before = await terminal.shows(/order-2 [^]*Ctrl-C ends/)
      expect(before).not.toContain('order-9')
      // Somebody opens the log and adds to it: the owner is asked from then on.
      const machines = [orderMachine]
      const runtime = await createRuntime({ path: project, machines, logger: silent })
      await runtime.spawn(orderMachine, { id: 'order-9' })
      const after = await terminal.shows(/order-9 [^]*Ctrl-C ends/)
      await runtime.close()
      expect(after.match(/^WHO/gm)).toHaveLength(1)
      await terminal.type('C-c')
      await terminal.shows(/ended with 0/)
    })
  }, 60_000)
})
