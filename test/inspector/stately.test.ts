/** A runtime in Stately's Inspector: what the package's own receiver, and its own observer, get of it. */
import { createActor } from 'xstate'
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import {
  lampMachine,
  reader,
  readTool,
  receive,
  socketUrlOf,
  type Received,
  type Receiver,
} from './receiving.ts'

const ignore = (): void => {}
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore, isLevelEnabled: () => false }

const open = async (options: RuntimeOptions): Promise<Runtime> => {
  const runtime = await createRuntime({
    machines: [lampMachine],
    agents: [reader],
    tools: [readTool],
    logger: silent,
    ...options,
  })
  onTestFinished(() => runtime.close())
  return runtime
}

const inspected = async (options: RuntimeOptions = {}): Promise<{ runtime: Runtime; seen: Receiver }> => {
  const runtime = await open({ inspect: true, ...options })
  const seen = receive(socketUrlOf(runtime.inspectorUrl))
  await runtime.spawn(lampMachine, { id: 'probe' })
  await seen.until(({ sessionId }) => sessionId === 'probe')
  await seen.until(({ sessionId }) => sessionId === 'probe:1:0')
  return { runtime, seen }
}

const ofProbe = ({ rootId }: Received): boolean => rootId === 'probe'

describe('the receiver of the package', () => {
  test('is sent each actor with its parent, its root and its definition, then what it gets and where it stands', async () => {
    const { runtime, seen } = await inspected()
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    await lamp.send({ type: 'press' })
    const last = await seen.until(
      ({ type, sessionId, event }) =>
        type === '@xstate.snapshot' && sessionId === 'lamp-1:1:0' && event?.type === 'turn',
    )
    const [root, child] = ['lamp-1', 'lamp-1:1:0'].map((id) =>
      seen.messages.find(({ type, sessionId }) => type === '@xstate.actor' && sessionId === id),
    )
    expect(root).toMatchObject({ name: 'lamp-1', rootId: 'lamp-1', snapshot: { status: 'active' } })
    expect(root?.parentId).toBeUndefined()
    expect(child).toMatchObject({ name: 'bulb', rootId: 'lamp-1', parentId: 'lamp-1' })
    expect(JSON.parse(root?.definition ?? '')).toMatchObject({
      id: 'lamp',
      description: 'A lamp with one bulb',
      states: { lit: { on: { press: {} } } },
    })
    expect(JSON.parse(child?.definition ?? '')).toMatchObject({
      id: 'bulb',
      states: { burnt: { type: 'final' } },
    })
    expect(last).toMatchObject({ snapshot: { status: 'active', value: 'on', context: { turns: 1 } } })
    const turn = seen.messages.find(({ type, event }) => type === '@xstate.event' && event?.type === 'turn')
    expect(turn).toMatchObject({ sessionId: 'lamp-1:1:0', sourceId: 'lamp-1', rootId: 'lamp-1' })

    await lamp.send({ type: 'hit' })
    const done = await seen.until(
      ({ type, sessionId, snapshot }) =>
        type === '@xstate.snapshot' && sessionId === 'lamp-1:1:0' && snapshot?.status === 'done',
    )
    expect(done.snapshot).toMatchObject({ value: 'burnt', context: { turns: 1 } })
  })

  test('is sent sessions, runs and tool calls as one family, and no secret', async () => {
    const { runtime, seen } = await inspected()
    const session = await runtime.sessions.start({ role: 'orchestrator', name: 'study' })
    const { run_id } = await runtime.agents.startById({ agent_id: 'reader', parent_id: session.id })
    await runtime.agents.wait(run_id)
    await seen.until(({ type, event }) => type === '@xstate.snapshot' && event?.type === 'agent.succeeded')
    const actors = seen.messages.filter((message) => message.type === '@xstate.actor' && !ofProbe(message))
    expect(actors.map(({ name, parentId, rootId }) => ({ name, parentId, rootId })).slice(0, 3)).toEqual([
      { name: 'study', parentId: undefined, rootId: session.id },
      { name: 'reader', parentId: session.id, rootId: session.id },
      { name: 'read', parentId: run_id, rootId: session.id },
    ])
    expect(JSON.stringify(seen.messages)).not.toContain('hunter2')
    expect(JSON.stringify(seen.messages)).toContain('[redacted]')
  })

  test('that comes late is shown who is there, as they stand, and then what comes', async () => {
    const runtime = await open({ inspect: true })
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    for (let n = 0; n < 3; n += 1) await lamp.send({ type: 'press' })
    const first = receive(socketUrlOf(runtime.inspectorUrl))
    const isBulb = ({ type, sessionId }: Received): boolean =>
      type === '@xstate.actor' && sessionId === 'lamp-1:1:0'
    expect((await first.until(isBulb)).snapshot).toMatchObject({ value: 'on', context: { turns: 3 } })
    expect(first.messages.every(({ type }) => type === '@xstate.actor')).toBe(true)
    await lamp.send({ type: 'press' })
    await first.until(({ snapshot }) => (snapshot?.context as { turns?: number })?.turns === 4)
    const second = receive(socketUrlOf(runtime.inspectorUrl))
    expect((await second.until(isBulb)).snapshot).toMatchObject({ value: 'off', context: { turns: 4 } })
    await lamp.send({ type: 'press' })
    for (const one of [first, second]) {
      await one.until(({ snapshot }) => (snapshot?.context as { turns?: number })?.turns === 5)
    }
  })

  test('is shown no contents when they are sanitised away, or what the user makes of them', async () => {
    const bare = await inspected({ inspect: { sanitize: true } })
    const own = await inspected({
      inspect: {
        sanitize: {
          event: ({ type }) => ({ type, at: 'some time' }),
          context: (context) => ({ keys: Object.keys(context as object) }),
        },
      },
    })
    for (const { runtime } of [bare, own]) {
      const { id } = await runtime.sessions.start({ role: 'orchestrator', name: 'study' })
      await runtime.sessions.pause(id, { reason: 'a private matter' })
    }
    const isPause = ({ type, event }: Received): boolean =>
      type === '@xstate.snapshot' && event?.type === 'session.paused'
    expect(await bare.seen.until(isPause)).toMatchObject({
      event: { type: 'session.paused' },
      snapshot: { status: 'active', value: 'paused' },
    })
    expect(JSON.stringify(bare.seen.messages)).not.toContain('a private matter')
    expect(bare.seen.messages.filter(({ snapshot }) => snapshot?.context !== undefined)).toEqual([])
    expect(await own.seen.until(isPause)).toMatchObject({
      event: { at: 'some time' },
      snapshot: { context: { keys: expect.arrayContaining(['role']) } },
    })
    expect(JSON.stringify(own.seen.messages)).not.toContain('a private matter')
  })
})

describe('the protocol', () => {
  /** What the package itself sends of an actor that XState runs. */
  const fromThePackage = async (): Promise<StatelyInspectionEvent[]> => {
    const sent: StatelyInspectionEvent[] = []
    const inspector = createInspector({ send: (event) => void sent.push(event) })
    const actor = createActor(lampMachine, { inspect: inspector.inspect })
    actor.start().send({ type: 'press' })
    await expect.poll(() => sent.length).toBeGreaterThanOrEqual(6)
    return sent
  }

  test('is that of the package: the same messages, with the same fields of the same kinds', async () => {
    const theirs = JSON.parse(JSON.stringify(await fromThePackage())) as Received[]
    const { runtime, seen } = await inspected()
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    await lamp.send({ type: 'press' })
    await seen.until(({ type, event }) => type === '@xstate.snapshot' && event?.type === 'turn')
    const kinds = (message: object | undefined): Record<string, string> =>
      Object.fromEntries(
        Object.entries(message ?? {})
          // They have none; ours has one, as the package's types say it must.
          .filter(([key]) => key !== 'id')
          .map(([key, value]) => [key, typeof value]),
      )
    const pick = (messages: readonly Received[], matches: (message: Received) => boolean) =>
      kinds(messages.find(matches))
    for (const matches of [
      ({ type, parentId }: Received) => type === '@xstate.actor' && parentId === undefined,
      ({ type, parentId }: Received) => type === '@xstate.actor' && parentId !== undefined,
      ({ type, sourceId, event }: Received) =>
        type === '@xstate.event' && event?.type === 'turn' && sourceId !== undefined,
      ({ type, event }: Received) => type === '@xstate.snapshot' && event?.type === 'turn',
    ]) {
      expect(pick(seen.messages, matches)).toEqual(pick(theirs, matches))
      expect(Object.keys(pick(theirs, matches)).length).toBeGreaterThan(5)
    }
    const versions = new Set([...seen.messages, ...theirs].map((message) => Reflect.get(message, '_version')))
    expect(versions.size).toBe(1)
  })
})

describe('an observer as XState takes it', () => {
  test('of the package makes the same of it as of XState’s own actors', async () => {
    const sent: Received[] = []
    const inspector = createInspector({ send: (event) => void sent.push(event as Received) })
    const runtime = await open({ inspect: inspector.inspect })
    expect(runtime.inspectorUrl).toBeNull()
    const lamp = await runtime.spawn(lampMachine, { id: 'lamp-1' })
    await lamp.send({ type: 'press' })
    const isTurn = ({ type, event }: Received): boolean =>
      type === '@xstate.snapshot' && event?.type === 'turn'
    await expect.poll(() => sent.some(isTurn)).toBe(true)
    expect(sent.find(isTurn)).toMatchObject({
      sessionId: 'lamp-1:1:0',
      rootId: 'lamp-1',
      snapshot: { value: 'on', context: { turns: 1 } },
    })
    const bulb = sent.find(({ type, sessionId }) => type === '@xstate.actor' && sessionId === 'lamp-1:1:0')
    expect(bulb).toMatchObject({ name: 'bulb', parentId: 'lamp-1', rootId: 'lamp-1' })
    expect(JSON.parse(bulb?.definition ?? '')).toMatchObject({ id: 'bulb' })
  })

  test('may be a function, and one that throws is told of and harms nobody', async () => {
    const types: string[] = []
    const errors: unknown[] = []
    const runtime = await open({
      onError: (error) => void errors.push(error),
      inspect: (event) => {
        types.push(event.type)
        if (types.length === 3) throw new Error('enough')
      },
    })
    const { id } = await runtime.sessions.start({ role: 'orchestrator' })
    await expect.poll(() => errors.length).toBe(1)
    expect(types).toEqual(['@xstate.actor', '@xstate.event', '@xstate.snapshot'])
    await runtime.sessions.pause(id)
    expect((await runtime.sessions.get(id)).status).toBe('paused')
  })
})
