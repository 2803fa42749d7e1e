/** What the inspector's server gives to whom: its page to this machine's browser, its messages to who has the token. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { request } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { createRuntime } from '../../src/index.ts'
import { openStatelyServer, type StatelyServer } from '../../src/inspector/stately-server.ts'

const open = async (
  options: Partial<Parameters<typeof openStatelyServer>[0]> = {},
): Promise<StatelyServer> => {
  const server = await openStatelyServer({ current: () => [], onAudience: () => {}, ...options })
  onTestFinished(() => server.close())
  return server
}

const portOf = ({ url }: StatelyServer): number => Number(new URL(url).port)

type Answer = {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

const get = (
  port: number,
  options: { path?: string; method?: string; host?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', host = `127.0.0.1:${port}` } = options
    const asked = request({ host: '127.0.0.1', port, path, method, headers: { host } }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    asked.on('error', reject).end()
  })

/** `open`, or the status with which it was refused. */
const knock = (url: string, headers: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, { headers })
    socket.on('open', () => {
      socket.terminate()
      resolve('open')
    })
    socket.on('unexpected-response', (_request, response) => resolve(String(response.statusCode)))
    socket.on('error', (error) => resolve(error.message))
  })

describe('the page', () => {
  test('tells what leaves the machine and to whom, loads nothing by itself, and holds no secret', async () => {
    const server = await open()
    const { status, headers, body } = await get(portOf(server))
    const token = new URL(server.url).hash.slice(1)
    expect(status).toBe(200)
    expect(body).toContain('https://stately.ai')
    expect(body).toContain('names, states and contexts of actors')
    expect(body).not.toContain(token)
    expect(body).not.toMatch(/<iframe|<link|<img|<script src/)
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain('frame-src https://stately.ai')
    expect(headers['referrer-policy']).toBe('no-referrer')
    expect((await get(portOf(await open({ sanitize: true })))).body).toContain('no contents')
  })

  test.each([
    ['another host', { host: 'evil.example' }, 403],
    ['another port', { host: '127.0.0.1:1' }, 403],
    ['no port', { host: 'localhost' }, 403],
    ['another path', { path: '/etc/passwd' }, 404],
    ['another method', { method: 'POST' }, 405],
  ])('is not given to a request for %s', async (_what, options, status) => {
    const server = await open()
    expect((await get(portOf(server), options)).status).toBe(status)
    expect((await get(portOf(server), { host: `localhost:${portOf(server)}` })).status).toBe(200)
  })
})

describe('the messages', () => {
  test('go to who has the token, from our page or from no page at all', async () => {
    const server = await open()
    const host = `127.0.0.1:${portOf(server)}`
    expect(await knock(server.socketUrl)).toBe('open')
    expect(await knock(server.socketUrl, { origin: `http://${host}` })).toBe('open')
    expect(await knock(server.socketUrl, { origin: `http://localhost:${portOf(server)}` })).toBe('open')
    expect(await knock(`ws://${host}/`)).toBe('401')
    expect(await knock(`ws://${host}/?token=guess`)).toBe('401')
    expect(await knock(server.socketUrl, { origin: 'https://evil.example' })).toBe('403')
    expect(await knock(server.socketUrl, { origin: 'null' })).toBe('403')
    expect(await knock(server.socketUrl, { origin: `https://${host}` })).toBe('403')
    expect(await knock(server.socketUrl, { host: 'evil.example' })).toBe('403')
  })

  test('are not asked for: what a client sends ends its connection if it is large, and changes nothing', async () => {
    const server = await open()
    const socket = new WebSocket(server.socketUrl)
    await once(socket, 'open')
    socket.on('error', () => {})
    socket.send('{"type":"hello"}')
    socket.send('x'.repeat(2_000))
    expect((await once(socket, 'close'))[0]).toBe(1009)
    expect(await knock(server.socketUrl)).toBe('open')
  })

  test('survive garbage', async () => {
    const server = await open()
    for (const bytes of ['\x00\x01\x02', 'GET / HTTP/1.1\r\n\r\n', 'x'.repeat(100_000)]) {
      const socket = connect(portOf(server), '127.0.0.1')
      socket.on('error', () => {}).resume()
      socket.end(bytes)
      await once(socket, 'close')
    }
    expect(await knock(server.socketUrl)).toBe('open')
  })
})

describe('the server', () => {
  test('cannot be reached from another machine', async () => {
    const server = await open()
    const addresses = Object.values(networkInterfaces())
      .flat()
      .filter((found) => found?.internal === false && found.family === 'IPv4')
      .map((found) => found?.address ?? '')
    // Another address of the loopback network stands in where there is no other network.
    for (const address of [...addresses, '127.0.0.2']) {
      const socket = connect(portOf(server), address)
      const outcome = await Promise.race([
        once(socket, 'connect').then(() => 'connected'),
        new Promise((resolve) => socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))),
      ])
      socket.destroy()
      expect({ address, outcome }).toEqual({ address, outcome: 'ECONNREFUSED' })
    }
  })

  test('takes the port that it is given, and says so when somebody has it', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    await expect(open({ port })).rejects.toMatchObject({ code: 'INSPECTOR_UNAVAILABLE' })
    await expect(createRuntime({ inspect: { port } })).rejects.toMatchObject({
      code: 'INSPECTOR_UNAVAILABLE',
    })
    other.close()
    await once(other, 'close')
    expect(portOf(await open({ port }))).toBe(port)
  })

  test('of a runtime is announced with what leaves the machine, and is gone when that is closed', async () => {
    const said: object[] = []
    const ignore = (): void => {}
    const warn = (fields: object): void => void said.push(fields)
    const logger = { debug: ignore, info: ignore, warn, error: ignore, isLevelEnabled: () => false }
    const runtime = await createRuntime({ inspect: true, logger })
    expect(said).toMatchObject([
      { url: runtime.inspectorUrl, leaves: expect.stringContaining('https://stately.ai') },
    ])
    const port = Number(new URL(runtime.inspectorUrl ?? '').port)
    await runtime.close()
    await expect(get(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
