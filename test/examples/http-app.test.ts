/** The example web server over real sockets: what two requests share, and what they never see of each other (ruling 1). */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ticketAgents } from '../../examples/http-app/agents.ts'
import { createApp } from '../../examples/http-app/app.ts'
import { ticketMachine } from '../../examples/http-app/ticket.machine.ts'
import type { Runtime } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'
import { root } from '../architecture/source-file.ts'
import { scratchFolder } from './scratch-repository.ts'

type Ticket = { readonly ticket_id: string; readonly session_id: string; readonly runs: readonly string[] }
type Answer = { readonly status: number; readonly body: unknown; readonly localPort: number | undefined }

const ask = async (
  port: number,
  path: string,
  options: { readonly agent?: Agent; readonly body?: unknown; readonly method?: string } = {},
): Promise<Answer> => {
  const { agent, body, method = body === undefined ? 'GET' : 'POST' } = options
  const call = request({ port, host: '127.0.0.1', path, method, ...(agent && { agent }) })
  call.end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const { localPort } = response.socket
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode ?? 0, body: JSON.parse(text), localPort }
}

const until = async <T>(look: () => Promise<T | undefined>): Promise<T> =>
  vi.waitFor(
    async () => {
      const found = await look()
      if (found === undefined) throw new Error('not yet')
      return found
    },
    { timeout: 20_000, interval: 20 },
  )

const settled = (port: number, id: string): Promise<unknown> =>
  until(async () => {
    const { body } = await ask(port, `/tickets/${id}`)
    return (body as { state: string }).state === 'ready' ? body : undefined
  })

describe('in one process', () => {
  let runtime: Runtime
  let server: Server
  let port: number

  beforeEach(async () => {
    runtime = await createTestRuntime({ machines: [ticketMachine], agents: ticketAgents })
    server = serve({ fetch: createApp(runtime).fetch, port: 0, hostname: '127.0.0.1' }) as Server
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })

  afterEach(async () => {
    server.closeAllConnections()
    server.close()
    await runtime.close()
  })

  test('two requests on one keep-alive connection never see each other’s session', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const answers = [
      await ask(port, '/tickets', { agent, body: { text: 'the shop is down' } }),
      await ask(port, '/session', { agent }),
      await ask(port, '/tickets', { agent, body: { text: 'a question' } }),
    ]
    agent.destroy()
    expect(new Set(answers.map(({ localPort }) => localPort)).size).toBe(1)
    const [first, between, second] = answers.map(({ body }) => body as Ticket)
    expect(between?.session_id).toBeNull()
    expect(second?.session_id).not.toBe(first?.session_id)
    const parents = await Promise.all(
      [first, second].flatMap((ticket) =>
        (ticket?.runs ?? []).map(async (run) => (await runtime.sessions.get(run)).parent_id),
      ),
    )
    expect(parents).toEqual([first, first, second, second].map((ticket) => ticket?.session_id))
  })

  test('nor do requests that are pipelined, so that both are under way at once', async () => {
    const socket = connect(port, '127.0.0.1')
    const post = (text: string): string => {
      const body = JSON.stringify({ text })
      return `POST /tickets HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    }
    socket.write(post('one') + post('two') + 'GET /session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    const ids = Array.from(text.matchAll(/"session_id":("[^"]+"|null)/g), ([, id]) => id)
    expect(ids).toHaveLength(3)
    expect(new Set(ids).size).toBe(3)
    expect(ids[2]).toBe('null')
  })

  test('both agents work on a ticket, a person closes it, and the session of the request has ended', async () => {
    const { body } = await ask(port, '/tickets', { body: { text: 'the shop is down' } })
    const { ticket_id, session_id } = body as Ticket
    expect(await settled(port, ticket_id)).toMatchObject({
      urgency: 'high',
      draft: 'Thank you for writing to us about: the shop is down',
    })
    expect(['completed', 'archived']).toContain((await runtime.sessions.get(session_id)).status)
    const close = (): Promise<Answer> => ask(port, `/tickets/${ticket_id}/close`, { method: 'POST' })
    expect(await close()).toMatchObject({ status: 200, body: { accepted: true } })
    expect((await ask(port, `/tickets/${ticket_id}`)).body).toMatchObject({ state: 'closed' })
  })

  test('bad input is refused with what is wrong, and starts nothing', async () => {
    expect(await ask(port, '/tickets', { body: { text: '' } })).toMatchObject({ status: 400 })
    expect(await ask(port, '/tickets/none')).toMatchObject({ status: 404 })
    expect(await runtime.sessions.list({ status: 'all', named: false })).toEqual([])
  })
})

describe('as a program', () => {
  const children: ChildProcess[] = []

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  const serving = async (folder: string): Promise<{ child: ChildProcess; port: number }> => {
    const child = spawn(process.execPath, [join(root, 'dist/examples/http-app/index.js')], {
      env: { ...process.env, PROJECT_PATH: folder, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return { child, port: Number(/:(\d+)\s*$/.exec(String(line))?.[1]) }
  }

  test('a killed server has its tickets when it is started again, and ends by itself on SIGTERM', async () => {
    const folder = join(scratchFolder(), '.project')
    const first = await serving(folder)
    const { body } = await ask(first.port, '/tickets', { body: { text: 'data lost' } })
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    const second = await serving(folder)
    expect(await settled(second.port, (body as Ticket).ticket_id)).toMatchObject({ urgency: 'high' })
    second.child.kill('SIGTERM')
    expect(await once(second.child, 'exit')).toEqual([0, null])
  }, 60_000)
})
