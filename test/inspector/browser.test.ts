/** The bridge pages, ours and the package's, in a real browser, with the package's receiver where the hosted page would be. */
import { createInspectorServer } from '@statelyai/inspect/server'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { createRuntime, type Runtime } from '../../src/index.ts'
import { watchActors } from '../../src/inspector/actor-watch.ts'
import { feedLive } from '../../src/inspector/live-feed.ts'
import { openStatelyServer, type StatelyServer } from '../../src/inspector/stately-server.ts'
import { knownMachines } from '../../src/query/state-at.ts'
import { chromium, openPage } from './chromium.ts'
import { hostedPage } from './hosted-page.ts'
import { lampMachine, type Received } from './receiving.ts'

/** A runtime whose events are shown by a server that leads to this page instead of Stately's. */
const inspected = async (inspectorUrl: string): Promise<{ runtime: Runtime; server: StatelyServer }> => {
  const runtime = await createRuntime({ machines: [lampMachine] })
  const watch = watchActors(runtime.store, knownMachines([lampMachine]))
  const stopped = new AbortController()
  const server: StatelyServer = await openStatelyServer({
    inspectorUrl,
    current: () => watch.current(),
    onAudience(isThere) {
      if (!isThere) return
      const look = async (): Promise<number> => runtime.store.position()
      const give: StatelyServer['give'] = (shown) => server.give(shown)
      feedLive({ log: runtime.store, look, watch, give, signal: stopped.signal }).catch(() => {})
    },
  })
  onTestFinished(async () => {
    stopped.abort()
    await server.close()
    await runtime.close()
  })
  return { runtime, server }
}

const isTurned = ({ type, sessionId, snapshot }: Received): boolean =>
  type === '@xstate.snapshot' && sessionId === 'lamp-1:1:0' && snapshot?.value === 'on'

const none = chromium === undefined ? ' (skipped: there is no Chromium on this machine)' : ''

describe.skipIf(chromium === undefined)(`in Chromium${none}`, () => {
  test('our page hands nothing over and loads nothing until it is told to, then everything', async () => {
    const hosted = await hostedPage()
    const { runtime, server } = await inspected(hosted.url)
    const page = await openPage(server.url)
    await page.until(`document.getElementById('notice') !== null`)
    expect(await page.evaluate('document.body.innerText')).toContain(
      'Nothing has been loaded or handed over yet',
    )
    // The token is in no address that could be copied or sent.
    expect(await page.evaluate('location.href')).toBe(new URL('/', server.url).href)
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    expect(hosted.asked).toEqual([])

    await page.evaluate(`document.getElementById('load').click()`)
    await page.until(`document.getElementById('state').textContent === 'connected'`)
    await expect.poll(() => hosted.seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2)
    await lamp.send({ type: 'press' })
    await expect.poll(() => hosted.seen.some(isTurned), { timeout: 20_000 }).toBe(true)
    const bulb = hosted.seen.find(({ type, name }) => type === '@xstate.actor' && name === 'bulb')
    expect(bulb).toMatchObject({ parentId: 'lamp-1', rootId: 'lamp-1' })
    expect(JSON.parse(bulb?.definition ?? '')).toMatchObject({ id: 'bulb' })
    const loaded = hosted.asked.find(({ url }) => url === '/inspect')
    expect(loaded).toEqual({ url: '/inspect', referer: undefined })
    const token = new URL(server.url).hash.slice(1)
    expect(JSON.stringify([hosted.asked, hosted.seen])).not.toContain(token)
  })

  test('a page of another site that knows the port is told nothing', async () => {
    const hosted = await hostedPage()
    const { server } = await inspected(hosted.url)
    const { host, hash } = new URL(server.url)
    const page = await openPage(hosted.url)
    await page.until(`document.readyState === 'complete' && location.href === '${hosted.url}'`)
    await page.evaluate(`
      window.outcome = ''
      const socket = new WebSocket('ws://${host}/?token=${hash.slice(1)}')
      socket.onopen = () => { window.outcome = 'open' }
      socket.onerror = () => { window.outcome = 'refused' }`)
    await page.until(`['open', 'refused'].includes(window.outcome)`)
    // Even with the token: the browser says where the page is from.
    expect(await page.evaluate('window.outcome')).toBe('refused')
  })

  test("the package's own bridge page takes our messages", async () => {
    const hosted = await hostedPage()
    const { runtime, server } = await inspected(hosted.url)
    const port = await freePort()
    const bridge = createInspectorServer({ port, url: hosted.url, autoOpen: false })
    onTestFinished(() => bridge.stop())
    const theirs = new WebSocket(`ws://localhost:${port}`)
    await once(theirs, 'open')
    const ours = new WebSocket(server.socketUrl)
    ours.on('message', (data: Buffer) => theirs.send(data.toString()))
    onTestFinished(() => {
      theirs.terminate()
      ours.terminate()
    })
    await openPage(`http://localhost:${port}`)
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    await lamp.send({ type: 'press' })
    await expect.poll(() => hosted.seen.some(isTurned), { timeout: 20_000 }).toBe(true)
    const kinds = new Set(hosted.seen.map(({ type }) => type))
    expect(kinds).toEqual(new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']))
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0)
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
