/** Attaches to the process that owns a log: connects, shows the token, agrees on a version of the protocol. */
import { connect, type Socket } from 'node:net'
import type { EventStore } from '../../eventstore/event-store.ts'
import { unknownAct } from './answers.ts'
import { AttachError } from './attach-error.ts'
import { errorFromData } from './error-data.ts'
import { liveFacts, type LiveFacts } from './live-facts.ts'
import { parsedLine } from './lines.ts'
import { createOwnerLink } from './owner-link.ts'
import { PROTOCOLS, serverMessage, type ClientMessage, type ServerMessage } from './protocol.ts'
import { remoteStore } from './remote-store.ts'
import { assertOwnersSocket } from './socket-address.ts'

export type Attached = {
  /** The owner's log, to be read as if it were open here. Closing it ends the connection, and nothing at the owner. */
  readonly store: EventStore
  readonly owner: { readonly pid: number; readonly version: string; readonly acts: readonly string[] }
  /**
   * Asks the owner's runtime to act; resolves when it is on disk there.
   * @throws AttachError `ATTACH_ACT_UNKNOWN`, and what the runtime throws, told apart by its code
   */
  act(name: string, input: object, options?: { readonly signal?: AbortSignal | undefined }): Promise<unknown>
  /** What only the running process knows, and no log: of itself, and of at most 1,000 actors. */
  live(ids?: readonly string[]): Promise<LiveFacts>
  /** Brings `store.position()` up to date. */
  refresh(): Promise<void>
  close(): void
}

export type AttachOptions = {
  /** As `owner.json` has them. */
  readonly socket: string
  readonly token: string
  /** Who asks, for the owner's messages. */
  readonly client: string
  /** ms for the owner to say welcome; default 5,000. */
  readonly connectMs?: number
  /** ms of silence, while an answer is due, after which the owner counts as stuck; default 30,000. */
  readonly silenceMs?: number
}

/** @throws AttachError `ATTACH_FAILED`, `ATTACH_REFUSED`, `ATTACH_PROTOCOL`, `ATTACH_BUSY`, `ATTACH_TIMEOUT` */
export async function attach(options: AttachOptions): Promise<Attached> {
  const { socket: path, silenceMs = 30_000 } = options
  await assertOwnersSocket(path)
  const socket = await connected(path)
  const { welcome, rest } = await greeted(socket, options)
  const link = createOwnerLink(socket, { welcome, rest, silenceMs })
  return {
    store: remoteStore(link),
    owner: { pid: welcome.pid, version: welcome.version, acts: welcome.acts },
    async act(name, input, { signal } = {}) {
      if (!welcome.acts.includes(name)) throw unknownAct(name, welcome.acts)
      return link.ask('act', { act: name, input }, { signal })
    },
    live: async (ids = []) => liveFacts.parse(await link.ask('live', { ids })),
    refresh: () => link.ping(),
    close: () => link.close(),
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (cause) =>
      reject(
        new AttachError('ATTACH_FAILED', {
          happened: `Nobody answers at the socket ${path}.`,
          expected: 'Expected the process that has the log open to listen there.',
          todo: 'Try again: it may have ended just now. If it lives, end it to read its log from disk.',
          cause,
        }),
      ),
    )
  })
}

type Greeted = { readonly welcome: Extract<ServerMessage, { type: 'welcome' }>; readonly rest: Buffer }

function greeted(socket: Socket, { token, client, connectMs = 5_000 }: AttachOptions): Promise<Greeted> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0)
    const done = (): void => {
      clearTimeout(deadline)
      socket.removeAllListeners()
    }
    const fail = (error: Error): void => {
      done()
      // Whatever it says from now on is of no interest.
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const deadline = setTimeout(
      () => fail(noWelcome('did not say welcome in time', 'ATTACH_TIMEOUT')),
      connectMs,
    )
    socket.on('error', (cause) => fail(noWelcome('broke the connection', 'ATTACH_FAILED', cause)))
    socket.on('close', () => fail(noWelcome('ended the connection', 'ATTACH_FAILED')))
    socket.on('data', (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes])
      const end = heard.indexOf(10)
      if (end < 0 && heard.length < 64 * 1024) return
      const told = serverMessage.safeParse(parsedLine(heard.subarray(0, Math.max(0, end)).toString('utf8')))
      if (told.success && told.data.type === 'refused') return fail(errorFromData(told.data.error))
      if (!told.success || told.data.type !== 'welcome' || !PROTOCOLS.includes(told.data.protocol)) {
        return fail(noWelcome('speaks another protocol', 'ATTACH_PROTOCOL'))
      }
      done()
      resolve({ welcome: told.data, rest: heard.subarray(end + 1) })
    })
    const hello: ClientMessage = { type: 'hello', protocols: [...PROTOCOLS], token, client }
    socket.write(`${JSON.stringify(hello)}\n`)
  })
}

function noWelcome(
  how: string,
  code: 'ATTACH_FAILED' | 'ATTACH_PROTOCOL' | 'ATTACH_TIMEOUT',
  cause?: unknown,
): AttachError {
  return new AttachError(code, {
    happened: `The process that has the log open ${how}.`,
    expected: 'Expected it to answer the greeting.',
    todo: 'Try again; if it stays like that, end that process to read its log from disk.',
    cause,
  })
}
