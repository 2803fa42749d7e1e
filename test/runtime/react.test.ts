/** What users hold works with `@xstate/react`, with React's own renderer. */
import { useActorRef, useSelector } from '@xstate/react'
import { createElement, type ReactElement } from 'react'
import { act, create, type ReactTestRenderer } from 'react-test-renderer'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { assign, setup } from 'xstate'
import type { DurableActor } from '../../src/runtime/cell/durable-actor.ts'
import { openEngine, reopen } from './engine-under-test.ts'

const machine = setup({
  types: { context: {} as { n: number; other: number }, events: {} as { type: 'add' | 'other' | 'end' } },
}).createMachine({
  id: 'counter',
  context: { n: 0, other: 0 },
  initial: 'on',
  states: {
    on: {
      on: {
        add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        other: { actions: assign({ other: ({ context }) => context.other + 1 }) },
        end: 'off',
      },
    },
    off: { type: 'final' },
  },
})
type Counter = DurableActor<typeof machine>

const environment = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
beforeAll(() => {
  environment.IS_REACT_ACT_ENVIRONMENT = true
  // React tells of updates that nobody waited for. That its lightest renderer is deprecated is known.
  vi.spyOn(console, 'error').mockImplementation((...told: unknown[]) => {
    if (!String(told[0]).includes('react-test-renderer is deprecated')) throw new Error(told.join(' '))
  })
})
afterAll(() => {
  delete environment.IS_REACT_ACT_ENVIRONMENT
  vi.restoreAllMocks()
})

async function rendered(element: ReactElement): Promise<ReactTestRenderer> {
  let renderer: ReactTestRenderer | undefined
  await act(async () => {
    renderer = create(element)
  })
  if (renderer === undefined) throw new Error('nothing was rendered')
  return renderer
}

/** Counts how often it is rendered. */
function shower() {
  const renders = { count: 0 }
  function Shown({ actor }: { readonly actor: Counter }): ReactElement {
    renders.count += 1
    const n = useSelector(actor, (snapshot) => snapshot.context.n)
    const isOver = useSelector(actor, (snapshot) => snapshot.status === 'done')
    return createElement('p', null, isOver ? `over at ${n}` : `n is ${n}`)
  }
  return { renders, Shown }
}

describe('useSelector on a durable actor', () => {
  test('renders what is selected, again when that changes, and only then', async () => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'c-1' })
    await actor.send({ type: 'add' })
    const { renders, Shown } = shower()
    const view = await rendered(createElement(Shown, { actor }))
    expect(view.toJSON()).toMatchObject({ children: ['n is 1'] })
    await act(async () => void (await actor.send({ type: 'add' })))
    expect(view.toJSON()).toMatchObject({ children: ['n is 2'] })
    const before = renders.count
    await act(async () => void (await actor.send({ type: 'other' })))
    expect(renders.count).toBe(before)
    await act(async () => void (await actor.send({ type: 'end' })))
    expect(view.toJSON()).toMatchObject({ children: ['over at 2'] })
    await act(async () => view.unmount())
  })

  test('lets go of the actor when it is unmounted, and takes another one that it is given', async () => {
    const engine = await openEngine({ machines: [machine] })
    const actors = await Promise.all(['c-1', 'c-2'].map((id) => engine.spawn(machine, { id })))
    const [first, second] = actors as [Counter, Counter]
    const { renders, Shown } = shower()
    const view = await rendered(createElement(Shown, { actor: first }))
    await act(async () => view.update(createElement(Shown, { actor: second })))
    const before = renders.count
    await act(async () => void (await first.send({ type: 'add' })))
    expect(renders.count).toBe(before)
    await act(async () => void (await second.send({ type: 'add' })))
    expect(view.toJSON()).toMatchObject({ children: ['n is 1'] })
    await act(async () => view.unmount())
    const after = renders.count
    await act(async () => void (await second.send({ type: 'add' })))
    expect(renders.count).toBe(after)
  })

  test('shows an actor that was woken by another engine where it left off', async () => {
    const engine = await openEngine({ machines: [machine] })
    await (await engine.spawn(machine, { id: 'c-1' })).send({ type: 'add' })
    const again = await reopen(engine, [machine])
    const actor = await again.get(machine, 'c-1')
    if (actor === undefined) throw new Error('the actor is gone')
    const view = await rendered(createElement(shower().Shown, { actor }))
    expect(view.toJSON()).toMatchObject({ children: ['n is 1'] })
    await act(async () => view.unmount())
  })

  test('stands beside an actor of the component itself (useActorRef) that sends to it', async () => {
    const engine = await openEngine({ machines: [machine] })
    const actor = await engine.spawn(machine, { id: 'c-1' })
    function Both(): ReactElement {
      const local = useActorRef(machine)
      const here = useSelector(local, (snapshot) => snapshot.context.n)
      const there = useSelector(actor, (snapshot) => snapshot.context.n)
      const press = (): void => {
        local.send({ type: 'add' })
        void actor.send({ type: 'add' })
      }
      return createElement('button', { onClick: press }, `${here}/${there}`)
    }
    const view = await rendered(createElement(Both))
    expect(view.toJSON()).toMatchObject({ children: ['0/0'] })
    await act(async () => {
      ;(view.root.findByType('button').props as { onClick(): void }).onClick()
      await actor.send({ type: 'other' })
    })
    expect(view.toJSON()).toMatchObject({ children: ['1/1'] })
    await act(async () => view.unmount())
  })
})
