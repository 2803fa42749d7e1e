/**
 * The client's end of the connection to an owner: many questions at once, each answered at its own pace.
 *
 * Owns: the connection, and the questions that are not answered yet.
 * Never: waits for ever for an owner that is silent; holds more of an answer than its reader has asked for.
 *
 * I1. When the connection ends, each question that is under way ends with it: those who follow by an end if the owner
 *     said goodbye, everything else by `ATTACH_LOST`.
 * I2. `position` never goes back, and is at least that of every event that was given out.
 */
import type { Socket } from 'node:net'
import { AttachError } from './attach-error.ts'
import { errorFromData } from './error-data.ts'
import { createLineReader, parsedLine } from './lines.ts'
import { LIMITS, serverMessage, type ClientMessage, type ServerMessage, type Welcome } from './protocol.ts'

export type OwnerLink = {
  readonly welcome: Welcome
  /** Position of the log's last event that this client knows of. */
  position(): number
  /** The end of the link, by either side; `reason` is what was under way ended with. */
  readonly ended: AbortSignal
  ask(
    method: string,
    params: object,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<unknown>
  /** The answer's pages. The reader's signal ends it with its reason. */
  pages(
    method: string,
    params: object,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<readonly unknown[], void, undefined>
  /** Asks for nothing but a sign, which also brings `position` up to date. */
  ping(): Promise<void>
  close(reason?: Error): void
}

type Told = Exclude<ServerMessage, { type: 'bye' | 'pong' | 'refused' | 'welcome' }>
type Question = {
  readonly isFollowing: boolean
  take(message: Told): void
  fail(error: Error | undefined): void
}

export type LinkOptions = {
  /** ms of silence, while an answer is due, after which the owner counts as stuck. */
  readonly silenceMs: number
  /** What the owner said last, and what came after it. */
  readonly welcome: Welcome
  readonly rest: Buffer
}

/** Takes over a connection on which the owner has said welcome. */
export function createOwnerLink(socket: Socket, options: LinkOptions): OwnerLink {
  const { welcome, silenceMs } = options
  const questions = new Map<number, Question>()
  const ended = new AbortController()
  let pings: (() => void)[] = []
  let lastId = 0
  let known = welcome.position
  let heardAt = Date.now()
  let isGoodbye = false
  let watch: NodeJS.Timeout | undefined

  const say = (message: ClientMessage): void => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`)
  }
  const end = (reason: Error): void => {
    if (ended.signal.aborted) return
    clearInterval(watch)
    ended.abort(reason)
    socket.destroy()
    for (const question of questions.values())
      question.fail(question.isFollowing && isGoodbye ? undefined : reason)
    questions.clear()
    for (const pong of pings) pong()
    pings = []
  }
  const hear = (message: ServerMessage): void => {
    heardAt = Date.now()
    if ('position' in message) known = Math.max(known, message.position)
    switch (message.type) {
      case 'pong':
        return pings.shift()?.()
      case 'bye':
        isGoodbye = true
        return end(lost(welcome.pid, 'has closed the log'))
      case 'refused':
        return end(errorFromData(message.error))
      case 'welcome':
        return end(nonsense('a second welcome'))
      default:
        // It may have been cancelled by now.
        questions.get(message.id)?.take(message)
    }
  }
  const lines = createLineReader({
    limit: LIMITS.answer,
    line: (text) => {
      const message = serverMessage.safeParse(parsedLine(text))
      if (message.success) hear(message.data)
      else end(nonsense('something that is no message'))
    },
    tooLong: (limit) => end(tooLong(limit)),
  })
  socket.on('data', (bytes: Buffer) => {
    heardAt = Date.now()
    lines.take(bytes)
  })
  socket.on('error', (cause: Error) => end(lost(welcome.pid, 'broke the connection', cause)))
  socket.on('close', () => end(lost(welcome.pid, 'ended, or broke the connection')))
  if (options.rest.length > 0) lines.take(options.rest)

  /** Only while something is due that an owner answers by itself; who follows may wait for days. */
  const watchSilence = (): void => {
    const isDue = pings.length > 0 || [...questions.values()].some(({ isFollowing }) => !isFollowing)
    if (!isDue) {
      clearInterval(watch)
      watch = undefined
      return
    }
    if (watch !== undefined) return
    heardAt = Date.now()
    watch = setInterval(() => {
      if (Date.now() - heardAt > silenceMs) end(silent(welcome.pid, silenceMs))
      else say({ type: 'ping' })
    }, silenceMs / 3).unref()
  }

  const put = (method: string, params: object, question: Question): number => {
    lastId += 1
    questions.set(lastId, question)
    watchSilence()
    say({ type: 'ask', id: lastId, method, params })
    return lastId
  }
  const drop = (id: number, cancelled: boolean): void => {
    if (!questions.delete(id)) return
    if (cancelled) say({ type: 'cancel', id })
    watchSilence()
  }

  const ask: OwnerLink['ask'] = async (method, params, { signal } = {}) => {
    signal?.throwIfAborted()
    ended.signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const settle = (cancelled: boolean): void => {
        signal?.removeEventListener('abort', onAbort)
        drop(id, cancelled)
      }
      const onAbort = (): void => {
        settle(true)
        reject(signal?.reason as Error)
      }
      const id = put(method, params, {
        isFollowing: false,
        take: (message) => {
          settle(false)
          if (message.type === 'answer') resolve(message.result)
          else reject(message.type === 'failed' ? errorFromData(message.error) : nonsense('pages'))
        },
        fail: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async function* pages(
    method: string,
    params: object,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<readonly unknown[], void, undefined> {
    signal?.throwIfAborted()
    ended.signal.throwIfAborted()
    const arrived: (readonly unknown[])[] = []
    let outcome: { readonly error: Error | undefined } | undefined
    let wake: () => void = () => {}
    const finish = (error: Error | undefined): void => {
      outcome ??= { error }
      wake()
    }
    const id = put(method, params, {
      isFollowing: method === 'follow',
      take: (message) => {
        if (message.type === 'items') arrived.push(message.items)
        else finish(message.type === 'failed' ? errorFromData(message.error) : undefined)
        wake()
      },
      fail: finish,
    })
    // At once: its reader may have gone without another word.
    const onAbort = (): void => {
      drop(id, true)
      wake()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        signal?.throwIfAborted()
        const page = arrived.shift()
        if (page !== undefined) {
          yield page
          // Only when its reader is done with it.
          say({ type: 'more', id })
        } else if (outcome !== undefined) {
          if (outcome.error !== undefined) throw outcome.error
          return
        } else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      drop(id, outcome === undefined)
    }
  }

  return {
    welcome,
    position: () => known,
    ended: ended.signal,
    ask,
    pages,
    async ping() {
      ended.signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        pings.push(resolve)
        watchSilence()
        say({ type: 'ping' })
      })
      ended.signal.throwIfAborted()
    },
    close: (reason = lost(welcome.pid, 'was left by this process')) => end(reason),
  }
}

function lost(pid: number, how: string, cause?: unknown): AttachError {
  return new AttachError('ATTACH_LOST', {
    happened: `Process ${pid}, which had the log open, ${how}.`,
    expected: 'Expected it to answer first.',
    todo: 'Ask again: what it recorded is on disk, and is read from there when no process has the log open.',
    details: { pid },
    cause,
  })
}

function silent(pid: number, ms: number): AttachError {
  return new AttachError('ATTACH_TIMEOUT', {
    happened: `Process ${pid}, which has the log open, has said nothing for ${ms} ms.`,
    expected: 'Expected an answer, or at least a sign.',
    todo: 'Look whether it is stopped or busy with something that never yields; end it to read its log from disk.',
    details: { pid },
  })
}

function nonsense(what: string): AttachError {
  return new AttachError('ATTACH_PROTOCOL', {
    happened: `The owner of the log sent ${what}.`,
    expected: 'Expected a message of the protocol that was agreed on.',
    todo: 'Use the version of the package that the owner runs.',
  })
}

function tooLong(limit: number): AttachError {
  return new AttachError('ATTACH_TOO_LARGE', {
    happened: `The owner of the log sent a message of more than ${limit} bytes.`,
    expected: 'Expected no event to be that large.',
    todo: 'End the owner, and read its log from disk.',
    details: { limit },
  })
}
