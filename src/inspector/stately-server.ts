/**
 * Serves Stately's Inspector: the page that loads it, and the messages as they come.
 *
 * Owns: a port on the loopback address, and who is connected.
 * Never: listens on another address, or answers whoever does not have the token; takes anything from its clients.
 *
 * I1. A request is answered only if it was addressed to this very host and port: a name that was made to lead here does
 *     not.
 * I2. Messages go only to who has shown the token, and comes from our own page or from no page at all.
 * I3. A client that does not read is let go; the others do not wait for it for longer than `SLOW_MS`.
 */
import { randomBytes, createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { bridgePage } from './bridge-page.ts'
import type { Inspected } from './inspected.ts'
import { inspectorError } from './inspector-error.ts'
import { sanitizer, type Sanitize } from './sanitize.ts'
import { statelyMessage } from './stately-message.ts'

export type StatelyServerOptions = {
  /** Default one that is free. */
  readonly port?: number | undefined
  readonly sanitize?: Sanitize | undefined
  /** The hosted inspector; default Stately's. */
  readonly inspectorUrl?: string | undefined
  /** For one who has just come: everybody there is. */
  readonly current: () => readonly Inspected[]
  /** Called when the first client has come, and when the last one has left. */
  readonly onAudience: (isThere: boolean) => void
}

export type StatelyServer = {
  /** For a person: the page, with the token in its fragment. */
  readonly url: string
  /** For a program: what `createWebSocketReceiver` connects to. */
  readonly socketUrl: string
  /** What leaves the machine if the page is loaded, in a sentence. */
  readonly leaves: string
  /** Shows something to all; resolves when there is room for more. */
  give(shown: readonly Inspected[]): Promise<void>
  close(): Promise<void>
}

const HOSTED = 'https://stately.ai/inspect'
/** Bytes that may wait for one client. */
const ROOM = 4 * 1024 * 1024
const SLOW_MS = 5_000

/** @throws InspectorError `INSPECTOR_UNAVAILABLE` */
export async function openStatelyServer(options: StatelyServerOptions): Promise<StatelyServer> {
  const { inspectorUrl = HOSTED, sanitize } = options
  const leaves =
    sanitize === true
      ? 'the names and states of actors, the definitions of their machines, and the types and times of events; no contents'
      : 'the names, states and contexts of actors, the definitions of their machines, and the events that they are sent, without what looks like a secret'
  const clean = sanitizer(sanitize)
  const token = randomBytes(24).toString('base64url')
  const { WebSocketServer } = await import('ws')
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024, clientTracking: true })
  const isThere = (): boolean => sockets.clients.size > 0

  const server = createServer((request, response) => {
    if (!isAddressed(request, host)) return deny(response, 403, 'not addressed to this server')
    if (request.method !== 'GET') return deny(response, 405, 'only GET')
    if (request.url !== '/') return deny(response, 404, 'nothing here')
    const { html, contentSecurityPolicy } = bridgePage({ inspectorUrl, leaves, host })
    response.writeHead(200, { ...HEADERS, 'content-security-policy': contentSecurityPolicy })
    response.end(html)
  })
  // Nobody is kept waiting by a client, and no process alive.
  server.on('connection', (socket) => socket.unref())
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy())
    if (!isAddressed(request, host) || !isOurPage(request, host)) return refuse(socket, '403 Forbidden')
    if (!hasToken(request, token)) return refuse(socket, '401 Unauthorized')
    sockets.handleUpgrade(request, socket, head, welcome)
  })
  const { port } = await listening(server, options.port)
  const host = `127.0.0.1:${port}`

  const send = (client: WebSocket, shown: Inspected): void =>
    client.send(JSON.stringify(statelyMessage(clean(shown))))
  const welcome = (client: WebSocket): void => {
    client.on('error', () => client.terminate())
    client.on('close', () => {
      if (!isThere()) options.onAudience(false)
    })
    for (const shown of options.current()) send(client, shown)
    if (sockets.clients.size === 1) options.onAudience(true)
  }
  const room = async (): Promise<void> => {
    const isFull = (client: WebSocket): boolean => client.bufferedAmount > ROOM
    const deadline = Date.now() + SLOW_MS
    while ([...sockets.clients].some(isFull)) {
      if (Date.now() > deadline) {
        for (const client of [...sockets.clients].filter(isFull)) client.terminate()
        return
      }
      await delay(10, undefined, { ref: false })
    }
  }

  return {
    url: `http://${host}/#${token}`,
    socketUrl: `ws://${host}/?token=${token}`,
    leaves: `${leaves} go to a page of ${new URL(inspectorUrl).origin}`,
    async give(shown) {
      if (shown.length === 0 || !isThere()) return
      for (const one of shown) {
        const text = JSON.stringify(statelyMessage(clean(one)))
        for (const client of sockets.clients) if (client.readyState === client.OPEN) client.send(text)
      }
      await room()
    },
    async close() {
      for (const client of sockets.clients) client.close(1001)
      sockets.close()
      server.close()
      // They have been told; what does not answer is not waited for.
      await delay(0)
      for (const client of sockets.clients) client.terminate()
      server.closeAllConnections()
    },
  }
}

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

function listening(server: Server, port = 0): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(inspectorError(port, cause)))
    server.listen(port, '127.0.0.1', () => {
      server.unref()
      resolve(server.address() as AddressInfo)
    })
  })
}

/** Whether the client meant this host: a page elsewhere whose name was made to lead here says that name. */
function isAddressed({ headers }: IncomingMessage, host: string): boolean {
  return headers.host === host || headers.host === host.replace('127.0.0.1', 'localhost')
}

/** A program says no origin; a page always does. */
function isOurPage({ headers }: IncomingMessage, host: string): boolean {
  const { origin } = headers
  return (
    origin === undefined ||
    origin === `http://${host}` ||
    origin === `http://${host.replace('127.0.0.1', 'localhost')}`
  )
}

function hasToken({ url = '' }: IncomingMessage, token: string): boolean {
  const given = new URL(url, 'http://localhost').searchParams.get('token') ?? ''
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

function deny(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain' })
  response.end(`${why}\n`)
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
