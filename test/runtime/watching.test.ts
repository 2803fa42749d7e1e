/** A durable actor in the hands of those who know XState: watched, waited for, listened to with the tools they have. */
import { firstValueFrom, from, map, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { assign, emit, fromPromise, setup, toPromise, waitFor, type AnyActorRef } from 'xstate'
import { openEngine, reopen } from './engine-under-test.ts'

const machine = setup({
  types: {
    context: {} as { n: number },
    events: {} as { type: 'add' } | { type: 'end' } | { type: 'fail' },
    emitted: {} as { type: 'added'; n: number } | { type: 'ending' },
    output: {} as { total: number },
    tags: {} as 'busy',
  },
  actors: { slow: fromPromise(() => new Promise(() => {})) },
}).createMachine({
  id: 'watched',
  context: { n: 0 },
  initial: 'on',
  states: {
    on: {
      tags: 'busy',
      invoke: { id: 'slow', src: 'slow' },
      on: {
        add: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            emit(({ context }) => ({ type: 'added' as const, n: context.n })),
          ],
        },
        end: { target: 'off', actions: emit({ type: 'ending' }) },
        fail: {
          actions: assign(() => {
            throw new Error('failed')
          }),
        },
      },
    },
    off: { type: 'final' },
  },
  output: ({ context }) => ({ total: context.n }),
})

async function open() {
  const engine = await openEngine({ machines: [machine] })
  return { engine, actor: await engine.spawn(machine, { id: 'w' }) }
}

describe("XState's and RxJS's own tools", () => {
  test('waitFor sees a state that is there and one that comes, and fails when the actor ends without it', async () => {
    const { actor } = await open()
    expect((await waitFor(actor, (snapshot) => snapshot.hasTag('busy'))).context.n).toBe(0)
    const two = waitFor(actor, (snapshot) => snapshot.context.n === 2)
    const never = waitFor(actor, (snapshot) => snapshot.context.n === 99)
    for (const type of ['add', 'add', 'end'] as const) void actor.send({ type })
    expect((await two).context.n).toBe(2)
    await expect(never).rejects.toThrow('terminated')
  })

  test('toPromise gives the output, or the error', async () => {
    const { actor, engine } = await open()
    const output = toPromise(actor)
    void actor.send({ type: 'add' })
    void actor.send({ type: 'end' })
    expect(await output).toEqual({ total: 1 })
    const late = await (await reopen(engine, [machine])).get(machine, 'w')
    expect(await toPromise(late as NonNullable<typeof late>)).toEqual({ total: 1 })

    const second = await open()
    const failing = toPromise(second.actor)
    void second.actor.send({ type: 'fail' })
    await expect(failing).rejects.toThrow('failed')
  })

  test('from() of RxJS makes it an observable of its states, which completes', async () => {
    const { actor } = await open()
    const totals = firstValueFrom(
      from(actor).pipe(
        map((snapshot) => snapshot.context.n),
        toArray(),
      ),
    )
    for (const type of ['add', 'add', 'end'] as const) void actor.send({ type })
    expect(await totals).toEqual([1, 2, 2])
  })

  test('it has what XState asks of an actor reference', async () => {
    const { actor } = await open()
    const ref: AnyActorRef = actor
    expect([ref.id, ref.sessionId, JSON.stringify(ref)]).toEqual([
      'w',
      'w',
      '{"xstate$$type":1,"id":"w","address":"w"}',
    ])
    expect(ref.getPersistedSnapshot()).toMatchObject({ status: 'active', value: 'on', context: { n: 0 } })
    ref.start()
    expect(actor.version).toBe(1)
    expect(ref.system.get('any' as never)).toBeUndefined()
  })

  test('select tells changes of a part apart', async () => {
    const { actor } = await open()
    const parity = actor.select((snapshot) => snapshot.context.n >> 1)
    const heard: number[] = []
    parity.subscribe((value) => heard.push(value))
    for (let i = 0; i < 5; i += 1) await actor.send({ type: 'add' })
    expect([parity.get(), heard]).toEqual([2, [1, 2]])
  })
})

describe('on', () => {
  test('hears emitted events of a type before those of all types, and what is emitted before the state that goes with it', async () => {
    const { actor } = await open()
    const heard: string[] = []
    actor.subscribe((snapshot) => heard.push(`state ${snapshot.context.n}`))
    actor.on('*', (event) => heard.push(`any ${event.type}`))
    const added = actor.on('added', (event) => heard.push(`added ${event.n}`))
    await actor.send({ type: 'add' })
    added.unsubscribe()
    await actor.send({ type: 'add' })
    await actor.send({ type: 'end' })
    expect(heard).toEqual([
      'added 1',
      'any added',
      'state 1',
      'any added',
      'state 2',
      'any ending',
      'state 2',
    ])
  })

  test('a listener that throws keeps nobody else from hearing', async () => {
    const { actor, engine } = await open()
    const heard: string[] = []
    actor.on('added', () => {
      throw new Error('listener')
    })
    actor.on('added', () => heard.push('second listener'))
    actor.subscribe(() => {
      throw new Error('observer')
    })
    actor.subscribe(() => heard.push('second observer'))
    expect(await actor.send({ type: 'add' })).toMatchObject({ accepted: true })
    expect(heard).toEqual(['second listener', 'second observer'])
    expect(engine.errors.map(String)).toEqual(['Error: listener', 'Error: observer'])
  })
})

describe('subscribe', () => {
  test('takes an observer or functions, and tells final states before it completes', async () => {
    const { actor } = await open()
    const heard: string[] = []
    class Watcher {
      readonly name = 'observer'
      next(snapshot: { value: unknown }): void {
        heard.push(`${this.name} ${String(snapshot.value)}`)
      }
      complete(): void {
        heard.push(`${this.name} complete`)
      }
    }
    actor.subscribe(new Watcher())
    actor.subscribe(
      (snapshot) => heard.push(`function ${snapshot.value}`),
      undefined,
      () => heard.push('function complete'),
    )
    await actor.send({ type: 'end' })
    expect(heard).toEqual(['observer off', 'function off', 'observer complete', 'function complete'])
    actor.subscribe({ complete: () => heard.push('late complete') })
    expect(heard.at(-1)).toBe('late complete')
  })

  test('one who comes during a notification hears the next state, one who leaves hears no more', async () => {
    const { actor } = await open()
    const heard: string[] = []
    const first = actor.subscribe((snapshot) => {
      heard.push(`first ${snapshot.context.n}`)
      first.unsubscribe()
      second.unsubscribe()
      actor.subscribe((next) => heard.push(`newcomer ${next.context.n}`))
    })
    const second = actor.subscribe((snapshot) => heard.push(`second ${snapshot.context.n}`))
    await actor.send({ type: 'add' })
    await actor.send({ type: 'add' })
    expect(heard).toEqual(['first 1', 'newcomer 2'])
  })

  test('an error is told to those who take one, and to onError only if nobody does', async () => {
    const { actor, engine } = await open()
    const heard: string[] = []
    actor.subscribe({ next: () => heard.push('next') })
    actor.subscribe({ error: (error) => heard.push(String(error)) })
    await actor.send({ type: 'fail' })
    expect(heard).toEqual(['Error: failed'])
    expect(engine.errors).toEqual([])
    actor.subscribe(() => {})
    expect(engine.errors.map(String)).toEqual(['Error: failed'])
  })
})
