/**
 * One client of an owner: who it is, what it has asked for, what of that it has taken.
 *
 * Owns: the connection, and an abort for each request under way.
 * Never: answers before the token was shown; holds more of an answer than the client has room for.
 *
 * I1. When the connection ends, for whatever reason, all that it asked for is aborted: nothing is held for it.
 * I2. Of an answer at most `LIMITS.window` pages are under way that the client has not taken.
 * I3. What a client sends can end its connection, and nothing else.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { answer, type Offer } from './answers.ts'
import { AttachError } from './attach-error.ts'
import { errorAsData } from './error-data.ts'
import { createLineReader, parsedLine } from './lines.ts'
import { clientMessage, helloMessage, LIMITS, PROTOCOLS, type ServerMessage } from './protocol.ts'
import { sendPages } from './send-pages.ts'

export type ServedClient = {
  /** Whether it follows the log and has not been sent the event at this position yet. */
  isBehind(position: number): boolean
  /** Tells the client that this is the end, and ends. */
  end(): void
}

export type ServeOptions = Offer & {
  readonly token: string
  readonly version: string
  /** Why there is no room for this client; `undefined` if there is. */
  readonly refusal: AttachError | undefined
  readonly onGone: () => void
}

type Request = {
  readonly aborter: AbortController
  /** Pages that the client has room for. */
  window: number
  /** Set while the answer waits for room. */
  wake: (() => void) | undefined
  /** Of one who follows: the position that was sent last. */
  sentTo: number | undefined
}

export function serveClient(socket: Socket, options: ServeOptions): ServedClient {
  const { store } = options
  const requests = new Map<number, Request>()
  let isKnown = false
  let isRefused = false

  // An owner with nothing else to do may end: no client keeps it.
  socket.unref()
  const deadline = setTimeout(() => socket.destroy(), LIMITS.helloMs).unref()

  const write = (line: string): void => {
    if (!socket.destroyed) socket.write(`${line}\n`)
  }
  const say = (message: ServerMessage): void => write(JSON.stringify(message))
  const refuse = (error: AttachError): void => {
    isRefused = true
    say({ type: 'refused', error: errorAsData(error) })
    // What it still sends is not read; it is told why, then let go.
    socket.pause()
    socket.destroySoon()
  }
  const lines = createLineReader({
    limit: LIMITS.hello,
    line: (text) => {
      if (isRefused) return
      const told = parsedLine(text)
      if (isKnown) take(told)
      else greet(told)
    },
    tooLong: (limit) => {
      if (!isRefused) refuse(tooLarge(limit))
    },
  })

  const greet = (told: unknown): void => {
    const hello = helloMessage.safeParse(told)
    if (!hello.success) return refuse(noProtocol('What came first was no greeting.'))
    if (options.refusal !== undefined) return refuse(options.refusal)
    const protocol = PROTOCOLS.find((version) => hello.data.protocols.includes(version))
    if (protocol === undefined) {
      return refuse(
        noProtocol(`The client speaks version ${hello.data.protocols.join(', ')} of the protocol.`),
      )
    }
    if (!isSame(hello.data.token, options.token)) return refuse(wrongToken())
    isKnown = true
    clearTimeout(deadline)
    lines.allow(LIMITS.request)
    say({
      type: 'welcome',
      protocol,
      pid: process.pid,
      version: options.version,
      position: store.position(),
      acts: Object.keys(options.acts),
      quarantined: [...(store.quarantined?.() ?? [])],
    })
  }

  const take = (told: unknown): void => {
    const message = clientMessage.safeParse(told)
    if (!message.success) return refuse(noProtocol('The client sent something that is no message.'))
    const { data } = message
    if (data.type === 'ping') return say({ type: 'pong', position: store.position() })
    const request = requests.get(data.id)
    if (data.type === 'ask') {
      if (request !== undefined) return refuse(noProtocol(`The client uses request ${data.id} twice.`))
      void begin(data)
      return
    }
    // It may be answered by now.
    if (request === undefined) return
    if (data.type === 'cancel') request.aborter.abort()
    else {
      request.window = Math.min(LIMITS.window, request.window + 1)
      request.wake?.()
    }
  }

  const begin = async (ask: { id: number; method: string; params?: unknown }): Promise<void> => {
    const { id, method, params } = ask
    const fail = (error: unknown): void =>
      say({ type: 'failed', id, position: store.position(), error: errorAsData(error) })
    if (requests.size >= LIMITS.requests) return fail(busy())
    const aborter = new AbortController()
    const isFollowing = method === 'follow'
    const request: Request = {
      aborter,
      window: LIMITS.window,
      wake: undefined,
      sentTo: isFollowing ? (params as { fromPosition?: number } | undefined)?.fromPosition : undefined,
    }
    requests.set(id, request)
    aborter.signal.addEventListener('abort', () => request.wake?.(), { once: true })
    try {
      const begun = answer(options, { method, params, signal: aborter.signal })
      if (begun.kind === 'result') {
        const result = await begun.result
        // Taken now: what the client reads next may rest on it.
        say({ type: 'answer', id, position: store.position(), result })
        return
      }
      await sendPages(begun.items, {
        ready: () => room(request),
        page: (items, last) => {
          request.window -= 1
          if (isFollowing) request.sentTo = (last as { position: number }).position
          write(`{"type":"items","id":${id},"position":${store.position()},"items":${items}}`)
        },
      })
      if (!aborter.signal.aborted) say({ type: 'done', id, position: store.position() })
    } catch (error) {
      if (!aborter.signal.aborted) fail(error)
    } finally {
      requests.delete(id)
    }
  }

  socket.on('data', (bytes: Buffer) => lines.take(bytes))
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    clearTimeout(deadline)
    for (const { aborter } of requests.values()) aborter.abort()
    options.onGone()
  })
  return {
    isBehind: (position) =>
      [...requests.values()].some(({ sentTo }) => sentTo !== undefined && sentTo < position),
    end() {
      if (isKnown) say({ type: 'bye' })
      socket.destroySoon()
      // One that does not read would keep what was written to it for ever.
      setTimeout(() => socket.destroy(), 1_000).unref()
    },
  }
}

/** Resolves when the client has room for a page; rejects when its request is aborted. */
async function room(request: Request): Promise<void> {
  const { signal } = request.aborter
  signal.throwIfAborted()
  while (request.window <= 0) {
    await new Promise<void>((resolve) => (request.wake = resolve))
    request.wake = undefined
    signal.throwIfAborted()
  }
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

function wrongToken(): AttachError {
  return new AttachError('ATTACH_REFUSED', {
    happened: 'The client has shown a token that is not the one of this owner.',
    expected: 'Expected the token in owner.json, which stands beside the database.',
    todo: 'Read owner.json again: the log may have another owner by now.',
  })
}

function noProtocol(happened: string): AttachError {
  return new AttachError('ATTACH_PROTOCOL', {
    happened,
    expected: `Expected version ${PROTOCOLS.join(' or ')} of the protocol: one JSON object per line.`,
    todo: 'Use a client of the same version of the package as the owner.',
    details: { protocols: PROTOCOLS },
  })
}

function tooLarge(limit: number): AttachError {
  return new AttachError('ATTACH_TOO_LARGE', {
    happened: `The client sent a message of more than ${limit} bytes.`,
    expected: 'Expected a request: they are small.',
    todo: 'Send less with it.',
    details: { limit },
  })
}

function busy(): AttachError {
  return new AttachError('ATTACH_BUSY', {
    happened: `The client has ${LIMITS.requests} requests under way.`,
    expected: 'Expected it to wait for some of them.',
    todo: 'Ask again when one is answered.',
  })
}
