/**
 * The socket of the process that owns a log: whoever has the same user and the token reads the log there, and asks
 * its runtime to act.
 *
 * Owns: the socket and its clients.
 * Never: keeps the process alive; lets another user in.
 *
 * I1. After `close` nobody is served, and the socket is gone from the disk.
 */
import { randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Offer } from './answers.ts'
import { AttachError } from './attach-error.ts'
import { LIMITS } from './protocol.ts'
import { serveClient, type ServedClient } from './served-client.ts'
import { newSocketAddress } from './socket-address.ts'

/** ms that followers get to be sent the last events when the log is closed. */
const LAST_EVENTS_MS = 500

export type OwnerServer = {
  /** Where clients find it, and what they have to show. */
  readonly address: { readonly socket: string; readonly token: string }
  /** Sends those who follow what they have not had yet, then ends all clients. Idempotent. */
  close(): Promise<void>
}

export type OwnerServerOptions = Offer & {
  /** Of the package, for clients to tell. */
  readonly version: string
}

/** Listens at a new address. @throws AttachError `ATTACH_UNAVAILABLE` */
export async function openOwnerServer(options: OwnerServerOptions): Promise<OwnerServer> {
  const token = randomBytes(32).toString('base64url')
  const clients = new Set<ServedClient>()
  const accept = (socket: Socket): void => {
    const refusal = clients.size < LIMITS.clients ? undefined : full()
    const client = serveClient(socket, {
      ...options,
      token,
      refusal,
      onGone: () => clients.delete(client),
    })
    clients.add(client)
  }
  const { path, remove } = await newSocketAddress()
  const server = createServer(accept)
  // It accepts no more than the system lets it; that is no reason for the owner to fall over.
  server.on('error', () => {})
  try {
    await listening(server, path)
    if (process.platform !== 'win32') await chmod(path, 0o600)
  } catch (error) {
    server.close()
    await remove()
    throw new AttachError('ATTACH_UNAVAILABLE', {
      happened: `No socket can be opened at ${path}.`,
      expected: 'Expected to listen there for agentctl.',
      todo: 'The runtime works without; set TMPDIR to another folder if agentctl is to attach to it.',
      cause: error,
    })
  }

  const close = async (): Promise<void> => {
    server.close()
    await lastEventsSent(options, clients)
    for (const client of clients) client.end()
    await remove()
  }
  let closed: Promise<void> | undefined
  return { address: { socket: path, token }, close: () => (closed ??= close()) }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      server.unref()
      resolve()
    })
  })
}

async function lastEventsSent({ store }: Offer, clients: ReadonlySet<ServedClient>): Promise<void> {
  const last = store.position()
  const deadline = Date.now() + LAST_EVENTS_MS
  while ([...clients].some((client) => client.isBehind(last)) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function full(): AttachError {
  return new AttachError('ATTACH_BUSY', {
    happened: `The owner has ${LIMITS.clients} clients.`,
    expected: 'Expected fewer: each is a process that reads the log.',
    todo: 'Wait until some have ended, then try again.',
  })
}
