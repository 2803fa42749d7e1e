/** A log in memory with its socket, and a raw connection to it, for tests that speak the protocol by hand. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { attach, type Attached } from '../../src/attach/attach.ts'
import { openOwnerServer, type OwnerServer, type OwnerServerOptions } from '../../src/attach/owner-server.ts'

export type Served = {
  readonly store: EventStore
  readonly server: OwnerServer
  readonly client: () => Promise<Attached>
}

export async function serve(options: Partial<OwnerServerOptions> = {}): Promise<Served> {
  const store = options.store ?? createMemoryEventStore()
  const server = await openOwnerServer({
    acts: {},
    live: async () => ({ parked: [], actors: [] }),
    version: 'test',
    ...options,
    store,
  })
  onTestFinished(async () => {
    await server.close()
    await store.close()
  })
  return {
    store,
    server,
    async client() {
      const attached = await attach({ ...server.address, client: 'test' })
      onTestFinished(() => attached.close())
      return attached
    },
  }
}

export type Message = { readonly type: string; readonly [key: string]: unknown }

export type Raw = {
  readonly socket: Socket
  readonly messages: readonly Message[]
  readonly ended: Promise<unknown>
  say(message: object): void
  hello(token: string, protocols?: readonly number[]): void
  /** Waits for a message. */
  until(matches: (message: Message) => boolean): Promise<Message>
}

/** A connection that speaks for itself. */
export async function raw(path: string): Promise<Raw> {
  const socket = connect(path)
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  const messages: Message[] = []
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    messages.push(...lines.map((line) => JSON.parse(line) as Message))
  })
  socket.on('error', () => {})
  const ended = new Promise((resolve) => socket.on('close', resolve))
  const say = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`)
  return {
    socket,
    messages,
    ended,
    say,
    hello: (token, protocols = [1]) => say({ type: 'hello', protocols, token, client: 'raw' }),
    async until(matches) {
      await expect.poll(() => messages.some(matches), { timeout: 10_000, interval: 2 }).toBe(true)
      return messages.find(matches) as Message
    },
  }
}
