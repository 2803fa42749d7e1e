/** A headless Chromium that tests steer by its own protocol; and whether this machine has one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** Path of a Chromium; `undefined` if this machine has none. */
export const chromium = ((): string | undefined => {
  const folders = (process.env['PATH'] ?? '').split(':')
  const candidates = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
})()

export type Page = {
  /** The value of an expression in the page, as JSON would give it. */
  evaluate(expression: string): Promise<unknown>
  /** Waits until an expression is true. */
  until(expression: string): Promise<void>
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
]

/** Opens a page; the browser ends with the test. */
export async function openPage(url: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
  const browser = spawn(chromium ?? '', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: 'ignore',
    detached: true,
  })
  onTestFinished(async () => {
    // It and all that it started are one group.
    const gone = once(browser, 'close')
    process.kill(-(browser.pid ?? 0), 'SIGKILL')
    await gone
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  })
  const port = async (): Promise<number> => {
    const told = await readFile(join(profile, 'DevToolsActivePort'), 'utf8').catch(() => '')
    return Number(told.split('\n')[0])
  }
  await expect.poll(port, { timeout: 20_000 }).toBeGreaterThan(0)
  const made = await fetch(`http://127.0.0.1:${await port()}/json/new?${encodeURIComponent(url)}`, {
    method: 'PUT',
  })
  const { webSocketDebuggerUrl } = (await made.json()) as { webSocketDebuggerUrl: string }
  const socket = new WebSocket(webSocketDebuggerUrl)
  await once(socket, 'open')
  const answers = new Map<number, (result: { result?: { value?: unknown } }) => void>()
  socket.on('message', (data: Buffer) => {
    const { id, result } = JSON.parse(data.toString()) as {
      id: number
      result: { result?: { value?: unknown } }
    }
    answers.get(id)?.(result)
  })
  let last = 0
  const evaluate = async (expression: string): Promise<unknown> => {
    const id = (last += 1)
    const answered = new Promise<{ result?: { value?: unknown } }>((resolve) => answers.set(id, resolve))
    socket.send(
      JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression, returnByValue: true } }),
    )
    return (await answered).result?.value
  }
  return {
    evaluate,
    until: (expression) => expect.poll(() => evaluate(expression), { timeout: 20_000 }).toBe(true),
  }
}
