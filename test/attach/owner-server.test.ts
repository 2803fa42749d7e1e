/** What an owner makes of its clients: polite ones, wrong ones, greedy ones, and those that die. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createMemoryEventStore, type EventStore } from '../../eventstore/index.ts'
import { act } from '../../src/attach/act.ts'
import { attach } from '../../src/attach/attach.ts'
import { kill, startProgram } from './child.ts'
import { raw, serve, type Served } from './served.ts'

const facts = (count: number, payload: unknown = {}) =>
  Array.from({ length: count }, () => ({ event_type: 'counted', payload }))

afterEach(() => {
  vi.useRealTimers()
})

/** The owner still serves others. */
const stillServes = async ({ client, store }: Served): Promise<void> => {
  const other = await client()
  await store.append('probe', facts(1))
  expect((await other.store.head('probe'))?.stream_id).toBe('probe')
}

describe('a client is taken', () => {
  test('from the same user only: a private folder, a private socket, both gone or empty after close', async () => {
    const { server } = await serve()
    const { socket } = server.address
    expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700)
    expect((await stat(socket)).mode & 0o777).toBe(0o600)
    await server.close()
    await expect(stat(socket)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(attach({ ...server.address, client: 'late' })).rejects.toMatchObject({
      code: 'ATTACH_FAILED',
    })
  })

  test('with the right token only, and is told nothing before', async () => {
    const served = await serve()
    await served.store.append('secret', facts(1))
    const { socket } = served.server.address
    await expect(attach({ socket, token: 'guess', client: 'test' })).rejects.toMatchObject({
      code: 'ATTACH_REFUSED',
    })
    const early = await raw(socket)
    early.say({ type: 'ask', id: 1, method: 'readAll', params: {} })
    await early.ended
    expect(early.messages).toMatchObject([{ type: 'refused', error: { code: 'ATTACH_PROTOCOL' } }])
    expect(JSON.stringify(early.messages)).not.toContain('secret')
    await stillServes(served)
  })

  test('with a version of the protocol that both speak', async () => {
    const served = await serve()
    const { socket, token } = served.server.address
    const future = await raw(socket)
    future.hello(token, [7, 8])
    await future.ended
    expect(future.messages).toMatchObject([
      { type: 'refused', error: { code: 'ATTACH_PROTOCOL', facts: { details: { protocols: [1] } } } },
    ])
    const both = await raw(socket)
    both.hello(token, [8, 1])
    expect(await both.until(({ type }) => type === 'welcome')).toMatchObject({ protocol: 1 })
  })

  test('if it says who it is within five seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { server } = await serve()
    const mute = await raw(server.address.socket)
    const polite = await raw(server.address.socket)
    polite.hello(server.address.token)
    await once(polite.socket, 'data')
    vi.advanceTimersByTime(4_900)
    expect(mute.socket.destroyed).toBe(false)
    vi.advanceTimersByTime(200)
    vi.useRealTimers()
    await mute.ended
    expect(mute.messages).toEqual([])
    polite.say({ type: 'ping' })
    await polite.until(({ type }) => type === 'pong')
  })

  test('while there are not too many, and again when some have left', async () => {
    const { server, client } = await serve()
    const { socket, token } = server.address
    const crowd = []
    for (let n = 0; n < 256; n += 1) {
      const one = await raw(socket)
      one.hello(token)
      crowd.push(one)
    }
    await Promise.all(crowd.map((one) => one.until(({ type }) => type === 'welcome')))
    await expect(client()).rejects.toMatchObject({ code: 'ATTACH_BUSY' })
    crowd[0]?.socket.destroy()
    await expect
      .poll(
        () =>
          client().then(
            () => 'taken',
            () => 'full',
          ),
        { timeout: 5_000 },
      )
      .toBe('taken')
  })
})

describe('garbage ends its own connection and nothing else', () => {
  test.each([
    ['random bytes', randomBytes(10_000)],
    ['a web request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['an empty line', Buffer.from('\n')],
    ['a number', Buffer.from('1\n')],
    ['no line at all', Buffer.alloc(5_000, 'x')],
    ['deep nesting', Buffer.from(`${'['.repeat(3_000)}\n`)],
  ])('before the greeting: %s', async (_what, bytes) => {
    const served = await serve()
    const one = await raw(served.server.address.socket)
    one.socket.write(bytes)
    await one.ended
    expect(one.messages.every(({ type }) => type === 'refused')).toBe(true)
    await stillServes(served)
  })

  test.each([
    ['random bytes', `${randomBytes(1000).toString('latin1').replaceAll('\n', '')}\n`],
    ['an unknown message', '{"type":"shutdown"}\n'],
    ['a prototype', '{"type":"ask","id":1,"method":"__proto__","params":{"__proto__":{"x":1}}}\n'],
    ['a request of a wrong id', '{"type":"ask","id":-1,"method":"readAll","params":{}}\n'],
  ])('after the greeting: %s', async (_what, text) => {
    const served = await serve()
    const one = await raw(served.server.address.socket)
    one.hello(served.server.address.token)
    await one.until(({ type }) => type === 'welcome')
    one.socket.write(text)
    await one.until(({ type }) => type === 'refused' || type === 'failed')
    expect(Reflect.get({}, 'x')).toBeUndefined()
    await stillServes(served)
  })

  test.each([false, true])(
    'a message of 100 MB (greeted: %s) is refused before it is held',
    async (greeted) => {
      const served = await serve()
      const one = await raw(served.server.address.socket)
      if (greeted) {
        one.hello(served.server.address.token)
        await one.until(({ type }) => type === 'welcome')
      }
      const chunk = Buffer.alloc(64 * 1024, 'x')
      let sent = 0
      const isOpen = (): boolean => !one.socket.destroyed && sent < 100 * 1024 * 1024
      while (isOpen()) {
        sent += chunk.length
        await new Promise((resolve) => {
          one.socket.write(chunk, resolve)
          one.socket.once('close', resolve)
        })
      }
      await one.ended
      // What the system's buffers took, and a little.
      expect(sent).toBeLessThan(4 * 1024 * 1024)
      await stillServes(served)
    },
  )
})

describe('a request that cannot be answered is told why, and its connection goes on', () => {
  test('an unknown method, wrong parameters, what the store refuses, an act that is unknown or throws', async () => {
    const served = await serve({
      acts: {
        pause: act(z.object({ id: z.string() }), async ({ id }) => {
          if (id === 'bad') throw Object.assign(new Error('it will not'), { code: 'NO', details: { id } })
          return { paused: id }
        }),
      },
    })
    const one = await raw(served.server.address.socket)
    one.hello(served.server.address.token)
    const asked = async (id: number, method: string, params: unknown) => {
      one.say({ type: 'ask', id, method, params })
      return one.until((message) => message['id'] === id)
    }
    expect(await asked(1, 'rm', {})).toMatchObject({ type: 'failed', error: { code: 'ATTACH_PROTOCOL' } })
    expect(await asked(2, 'head', { stream_id: 7 })).toMatchObject({ error: { code: 'INPUT_INVALID' } })
    expect(await asked(3, 'readStream', { stream_id: 'a', fromVersion: 0 })).toMatchObject({
      error: { name: 'EventStoreError', code: 'ES_INVALID_OPTION' },
    })
    expect(await asked(4, 'act', { act: 'approve', input: {} })).toMatchObject({
      error: { code: 'ATTACH_ACT_UNKNOWN', facts: { details: { act: 'approve', known: ['pause'] } } },
    })
    expect(await asked(5, 'act', { act: 'pause', input: { id: '', other: 1 } })).toMatchObject({
      result: { paused: '' },
    })
    expect(await asked(6, 'act', { act: 'pause', input: {} })).toMatchObject({
      error: { code: 'INPUT_INVALID', facts: { details: { what: 'pause', path: 'id' } } },
    })
    expect(await asked(7, 'act', { act: 'pause', input: { id: 'bad' } })).toMatchObject({
      error: { code: 'NO', message: 'it will not', facts: { details: { id: 'bad' } } },
    })
    expect(await asked(8, 'act', { act: 'constructor', input: {} })).toMatchObject({
      error: { code: 'ATTACH_ACT_UNKNOWN' },
    })
  })

  test('one too many at once', async () => {
    const served = await serve()
    const one = await raw(served.server.address.socket)
    one.hello(served.server.address.token)
    for (let id = 1; id <= 65; id += 1)
      one.say({ type: 'ask', id, method: 'follow', params: { fromPosition: 0 } })
    expect(await one.until(({ type }) => type === 'failed')).toMatchObject({
      id: 65,
      error: { code: 'ATTACH_BUSY' },
    })
  })
})

describe('a client that takes little', () => {
  test('is sent four pages and no more until it has taken one, while others are served', async () => {
    const served = await serve()
    await served.store.append('a', facts(5_000))
    const one = await raw(served.server.address.socket)
    one.hello(served.server.address.token)
    const pages = () => one.messages.filter(({ type }) => type === 'items').length
    one.say({ type: 'ask', id: 1, method: 'readAll', params: {} })
    await expect.poll(pages).toBe(4)
    await stillServes(served)
    expect(pages()).toBe(4)
    one.say({ type: 'more', id: 1 })
    await expect.poll(pages).toBe(5)
    one.say({ type: 'cancel', id: 1 })
    one.say({ type: 'ping' })
    await one.until(({ type }) => type === 'pong')
    expect(one.messages.some(({ type }) => type === 'done')).toBe(false)
  })

  test('or asks for a large event gets it', async () => {
    const { store, client } = await serve()
    const payload = { text: 'x'.repeat(5 * 1024 * 1024) }
    await store.append('large', facts(2, payload))
    const { store: log } = await client()
    const seen = []
    for await (const event of log.readStream('large')) seen.push(event.payload)
    expect(seen).toEqual([payload, payload])
  })
})

describe('what a client held is freed', () => {
  /** A store that remembers the signals of those who follow. */
  const watched = (): { store: EventStore; signals: AbortSignal[] } => {
    const store = createMemoryEventStore()
    const signals: AbortSignal[] = []
    const follow: EventStore['follow'] = (options = {}) => {
      if (options.signal !== undefined) signals.push(options.signal)
      return store.follow(options)
    }
    return { store: { ...bound(store), follow }, signals }
  }

  test('when it cancels, when it closes, and when its process is killed', async () => {
    const { store, signals } = watched()
    const { server, client } = await serve({ store })
    await store.append('a', facts(2_000))
    const open = () => signals.filter(({ aborted }) => !aborted).length

    const attached = await client()
    const stop = new AbortController()
    const iterator = attached.store.follow({ signal: stop.signal })[Symbol.asyncIterator]()
    await iterator.next()
    expect(open()).toBe(1)
    stop.abort()
    await expect.poll(open).toBe(0)

    await attached.store.follow()[Symbol.asyncIterator]().next()
    expect(open()).toBe(1)
    attached.close()
    await expect.poll(open).toBe(0)

    const { socket, token } = server.address
    const child = await startProgram('log-follower', [socket, token], 'following')
    expect(open()).toBe(10)
    await kill(child)
    await expect.poll(open).toBe(0)
  })

  test('after 1,000 quick connects, of which a third say nothing', async () => {
    const served = await serve()
    await served.store.append('a', facts(3))
    const pipes = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length
    const before = pipes()
    const visit = async (n: number): Promise<void> => {
      if (n % 3 === 0) return (await raw(served.server.address.socket)).socket.destroy() as never
      const attached = await attach({ ...served.server.address, client: 'quick' })
      expect((await attached.store.head('a'))?.version).toBe(3)
      attached.close()
    }
    for (let batch = 0; batch < 20; batch += 1)
      await Promise.all(Array.from({ length: 50 }, (_, n) => visit(batch * 50 + n)))
    await expect.poll(pipes).toBe(before)
    await stillServes(served)
  })
})

/** The store's methods, to be spread. */
function bound(store: EventStore): EventStore {
  return new Proxy({} as EventStore, {
    ownKeys: () => methodsOf(store),
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    get: (_target, key) => {
      const value: unknown = Reflect.get(store, key)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
  })
}

function methodsOf(store: object): (string | symbol)[] {
  return Reflect.ownKeys(Object.getPrototypeOf(store) as object).filter((key) => key !== 'constructor')
}
