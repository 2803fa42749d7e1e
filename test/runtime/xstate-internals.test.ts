/** The contract with XState: one test for each internal that the engine touches, so that an upgrade says what it changed. */
// oxlint-disable no-underscore-dangle -- those are the names that the test is about
import { describe, expect, test } from 'vitest'
import {
  and,
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  log,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate'
import packageJson from 'xstate/package.json' with { type: 'json' }

type Action = {
  readonly type: string
  readonly params: Record<string, unknown> | undefined
  readonly exec: unknown
}
type Inspected = {
  readonly type: string
  readonly _transitions?: { target: unknown; actions: unknown[]; reenter: boolean }[]
}

/** The scope as the engine hands it over, with everything noted. */
function scope() {
  const actions: Action[] = []
  const inspected: Inspected[] = []
  const booked: string[] = []
  const keyed = new Map<string, unknown>()
  const system = {
    _bookId: () => `id:${booked.push('')}`,
    _register: (id: string) => id,
    _unregister: () => {},
    _set: (id: string, ref: unknown) => keyed.set(id, ref),
    _sendInspectionEvent: (event: Inspected) => inspected.push(event),
    _relay: () => {},
    _logger: () => {},
    _clock: {},
    get: (id: string) => keyed.get(id),
  }
  const self = { id: 'me', sessionId: 'me', system, _parent: undefined } as unknown as AnyActorRef
  const actorScope = {
    self,
    id: 'me',
    sessionId: 'me',
    system,
    logger: () => {},
    defer: () => {},
    stopChild: () => {},
    emit: () => {},
    actionExecutor: (action: Action) => actions.push(action),
  }
  return { actorScope: actorScope as never, self, actions, inspected, booked, keyed }
}

function step(machine: AnyStateMachine, event: AnyEventObject) {
  const at = scope()
  const before = machine.getInitialSnapshot(at.actorScope, undefined) as AnyMachineSnapshot
  at.actions.length = 0
  at.inspected.length = 0
  const after = machine.transition(before, event, at.actorScope) as AnyMachineSnapshot
  return { ...at, before, after }
}

test('the version is one that the engine was proved with', () => {
  expect(packageJson.version).toMatch(/^5\.33\./)
})

describe('the scope', () => {
  test('a transition asks for actions through `actionExecutor` alone, in order, and puts the executor back', () => {
    const machine = createMachine({
      on: { x: { actions: [function mine() {}, raise({ type: 'y' }, { delay: 5 })] } },
    })
    const at = scope()
    const before = machine.getInitialSnapshot(at.actorScope, undefined)
    const { actionExecutor } = at.actorScope as { actionExecutor: unknown }
    machine.transition(before, { type: 'x' }, at.actorScope)
    expect(at.actions.map(({ type }) => type)).toEqual(['mine', 'xstate.raise'])
    expect((at.actorScope as { actionExecutor: unknown }).actionExecutor).toBe(actionExecutor)
  })

  test('the initial snapshot takes what throws into its `error`; a transition throws it', () => {
    const fail = (): never => {
      throw new Error('thrown')
    }
    const born = createMachine({ context: fail })
    expect(born.getInitialSnapshot(scope().actorScope, undefined as never)).toMatchObject({ status: 'error' })
    const later = createMachine({ on: { x: { actions: assign(fail) } } })
    expect(() => step(later, { type: 'x' })).toThrow('thrown')
  })

  test('`maxIterations` bounds a step and throws', () => {
    const machine = createMachine({ on: { x: { actions: raise({ type: 'x' }) } } })
    machine.options = { ...machine.options, maxIterations: 5 }
    expect(() => step(machine, { type: 'x' })).toThrow('Infinite loop')
  })

  test('`xstate.stop` stops, and `xstate.error.actor.` without a taker is an error', () => {
    expect(step(createMachine({}), { type: 'xstate.stop' }).after.status).toBe('stopped')
    const { after } = step(createMachine({}), { type: 'xstate.error.actor.x', error: 'e' })
    expect(after).toMatchObject({ status: 'error', error: 'e' })
  })
})

describe('inspection events', () => {
  test('`@xstate.microstep` has `_transitions` with target, actions and reenter; none if nothing was taken', () => {
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { on: { again: { target: 'a', reenter: true }, nothing: {}, no: { guard: () => false } } },
      },
    })
    const taken = (type: string) =>
      step(machine, { type })
        .inspected.filter((event) => event.type === '@xstate.microstep')
        .flatMap((event) => event._transitions)
    expect(taken('again')).toEqual([expect.objectContaining({ reenter: true, actions: [] })])
    expect(taken('again')[0]?.target).toHaveLength(1)
    expect(taken('nothing')).toEqual([
      expect.objectContaining({ target: undefined, actions: [], reenter: false }),
    ])
    expect([taken('no'), taken('other')]).toEqual([[], []])
  })

  test('`next === prev` does not tell an event that was taken', () => {
    const machine = createMachine({
      initial: 'a',
      states: { a: { on: { again: { target: 'a', reenter: true } } } },
    })
    const { before, after } = step(machine, { type: 'again' })
    expect(after.value).toEqual(before.value)
    expect(after).toBe(before)
  })

  test('`@xstate.actor` comes with `actorRef.logic` before the child takes its first snapshot', () => {
    const order: string[] = []
    const logic: AnyActorLogic = {
      ...fromCallback(() => {}),
      getInitialSnapshot: () => {
        order.push('snapshot')
        return { status: 'active', output: undefined, error: undefined } as never
      },
    }
    const at = scope()
    const machine = setup({ actors: { logic } }).createMachine({ invoke: { id: 'c', src: 'logic' } })
    const send = at.inspected.push.bind(at.inspected)
    at.inspected.push = (...events) => {
      for (const event of events) {
        if (event.type === '@xstate.actor')
          order.push(
            `actor ${String((event as never as { actorRef: { logic: unknown } }).actorRef.logic === logic)}`,
          )
      }
      return send(...events)
    }
    machine.getInitialSnapshot(at.actorScope, undefined)
    expect(order).toEqual(['actor true', 'snapshot'])
  })
})

describe('children', () => {
  const born: { id: string; parent: unknown; input: unknown; sync: unknown }[] = []
  const stub: AnyActorLogic = {
    getInitialSnapshot: (childScope: { self: AnyActorRef & { _syncSnapshot?: boolean } }, input: unknown) => {
      born.push({
        id: childScope.self.id,
        parent: childScope.self._parent,
        input,
        sync: childScope.self._syncSnapshot,
      })
      return { status: 'active', output: undefined, error: undefined }
    },
    transition: (snapshot: unknown) => snapshot,
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
  } as never

  test('are born with `_parent`, `id`, `input` and `_syncSnapshot` by invoke, spawnChild and spawn', () => {
    born.length = 0
    const machine = setup({ actors: { stub } }).createMachine({
      context: ({ spawn }) => ({ ref: spawn('stub', { id: 'spawned', input: 1 }) }),
      entry: spawnChild('stub', { id: 'by action', input: 2 }),
      invoke: { id: 'invoked', src: 'stub', input: 3 as never, onSnapshot: {} },
    })
    const at = scope()
    const snapshot = machine.getInitialSnapshot(at.actorScope, undefined)
    expect(born).toEqual([
      { id: 'spawned', parent: at.self, input: 1, sync: undefined },
      { id: 'by action', parent: at.self, input: 2, sync: false },
      { id: 'invoked', parent: at.self, input: 3, sync: true },
    ])
    expect(Object.keys(snapshot.children)).toEqual(['spawned', 'by action', 'invoked'])
  })

  test('without an id take theirs from `_bookId`; spawnChild keeps them under "undefined"', () => {
    born.length = 0
    const machine = setup({ actors: { stub } }).createMachine({ entry: spawnChild('stub') })
    const at = scope()
    const { children } = machine.getInitialSnapshot(at.actorScope, undefined)
    expect([born[0]?.id, Object.keys(children)]).toEqual(['id:1', ['undefined']])
    expect(at.actions.find(({ type }) => type === 'xstate.spawnChild')?.params).toMatchObject({
      id: undefined,
    })
  })

  test('keep their reference in the snapshot while they live, and `children` is the same object while none changes', () => {
    const machine = setup({ actors: { stub } }).createMachine({
      context: { n: 0 },
      initial: 'a',
      states: {
        a: { invoke: { id: 'c', src: 'stub' }, on: { again: { target: 'a', reenter: true }, leave: 'b' } },
        b: {},
      },
      on: { count: { actions: assign({ n: 1 }) } },
    })
    const counted = step(machine, { type: 'count' })
    expect(counted.after.children).toBe(counted.before.children)
    const again = step(machine, { type: 'again' })
    expect(again.after.children['c']).not.toBe(again.before.children['c'])
    expect(step(machine, { type: 'leave' }).after.children).toEqual({})
  })

  test('with a `systemId` are given to `_set`, and have it', () => {
    const machine = setup({ actors: { stub } }).createMachine({
      invoke: { id: 'c', src: 'stub', systemId: 'known' },
    })
    const at = scope()
    const { children } = machine.getInitialSnapshot(at.actorScope, undefined)
    expect(at.keyed.get('known')).toBe(children['c'])
    expect((children['c'] as { systemId?: string } | undefined)?.systemId).toBe('known')
  })
})

describe('actions', () => {
  const ear = fromCallback(() => {})
  const machine = setup({ actors: { ear } }).createMachine({
    context: {},
    invoke: { id: 'ear', src: 'ear' },
    on: {
      raise: { actions: raise({ type: 'e' }, { id: 'i', delay: 7 }) },
      cancel: { actions: cancel('i') },
      send: { actions: sendTo('ear', { type: 'e' }) },
      sendSelf: { actions: sendTo(({ self }) => self, { type: 'e' }, { delay: 3, id: 's' }) },
      emit: { actions: emit({ type: 'e' }) },
      log: { actions: log('value', 'label') },
      stop: { actions: stopChild('ear') },
      spawn: { actions: spawnChild('ear', { id: 'two' }) },
      queue: { actions: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'e' }, { delay: 1 })) },
      assign: { actions: assign({ a: 1 }) },
    },
  })
  const only = (type: string): Action => {
    const { actions } = step(machine, { type })
    expect(actions).toHaveLength(1)
    return actions[0] as Action
  }

  test.each([
    ['raise', 'xstate.raise', { event: { type: 'e' }, id: 'i', delay: 7 }],
    ['cancel', 'xstate.cancel', { sendId: 'i' }],
    ['emit', 'xstate.emit', { event: { type: 'e' } }],
    ['log', 'xstate.log', { value: 'value', label: 'label' }],
    ['queue', 'xstate.raise', { event: { type: 'e' }, delay: 1 }],
  ])('%s is %s with its parameters', (event, type, params) => {
    expect(only(event)).toMatchObject({ type, params })
  })

  test('sendTo is xstate.sendTo with the reference in `to`', () => {
    const { before, actions } = step(machine, { type: 'send' })
    expect(actions[0]).toMatchObject({
      type: 'xstate.sendTo',
      params: { event: { type: 'e' }, delay: undefined },
    })
    expect(actions[0]?.params?.['to']).toBe(before.children['ear'])
    const toSelf = step(machine, { type: 'sendSelf' })
    expect(toSelf.actions[0]).toMatchObject({ params: { id: 's', delay: 3 } })
    expect(toSelf.actions[0]?.params?.['to']).toBe(toSelf.self)
  })

  test('stopChild is xstate.stopChild with the reference itself as its parameters', () => {
    const { before, actions } = step(machine, { type: 'stop' })
    expect(actions[0]?.type).toBe('xstate.stopChild')
    expect(actions[0]?.params).toBe(before.children['ear'])
  })

  test('spawnChild is xstate.spawnChild with its id; an assign leaves nothing to execute', () => {
    expect(only('spawn')).toMatchObject({ type: 'xstate.spawnChild', params: { id: 'two', src: 'ear' } })
    expect(step(machine, { type: 'assign' }).actions).toEqual([])
  })

  test('a sendTo to a child that is invoked in the same step has its reference once the step is over', () => {
    const entering = setup({ actors: { ear } }).createMachine({
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { entry: sendTo('ear', { type: 'e' }), invoke: { id: 'ear', src: 'ear' } },
      },
    })
    const { actions, after } = step(entering, { type: 'go' })
    expect(actions.map(({ type }) => type)).toEqual(['xstate.sendTo', 'xstate.spawnChild'])
    expect(actions[0]?.params?.['to']).toBe(after.children['ear'])
  })

  test('in a config they are functions with a type, spawnChild with src and id', () => {
    expect({ ...spawnChild('x', { id: 'i' }) }).toMatchObject({
      type: 'xstate.spawnChild',
      src: 'x',
      id: 'i',
    })
    expect(typeof spawnChild('x')).toBe('function')
  })
})

describe('guards', () => {
  test('and, or, not have `check` and `guards`, stateIn has `check` and `stateValue`', () => {
    for (const guard of [and([() => true]), or([() => true]), not(() => true)] as object[]) {
      expect({ ...guard }).toMatchObject({
        check: expect.any(Function) as unknown,
        guards: [expect.any(Function)],
      })
    }
    expect({ ...stateIn('a') }).toMatchObject({ check: expect.any(Function) as unknown, stateValue: 'a' })
    expect('guards' in stateIn('a')).toBe(false)
  })

  test('a transition reads its guard from `transition.guard`, a name from `implementations.guards`, each time', () => {
    const machine = setup({ guards: { named: () => false } }).createMachine({
      on: {
        inline: { guard: () => false, actions: 'x' as never },
        named: { guard: 'named', actions: 'x' as never },
      },
    })
    const { transitions } = machine.root as unknown as { transitions: Map<string, { guard: unknown }[]> }
    const [inline] = transitions.get('inline') ?? []
    if (inline !== undefined) inline.guard = () => true
    ;(machine.implementations.guards as Record<string, unknown>)['named'] = () => true
    expect(step(machine, { type: 'inline' }).actions).toHaveLength(1)
    expect(step(machine, { type: 'named' }).actions).toHaveLength(1)
  })
})

describe('a machine', () => {
  test('has `__xstatenode`, `root` with states, transitions, always, entry, exit, initial, config; `provide` copies them', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { always: { guard: () => false }, entry: () => {}, exit: () => {}, after: { 5: {} } } },
    })
    expect('__xstatenode' in machine).toBe(true)
    const root = machine.root as unknown as {
      states: Record<string, Record<string, unknown>>
      transitions: unknown
    }
    const a = root.states['a'] ?? {}
    expect(a).toMatchObject({ id: 'm.a', type: 'atomic', entry: { length: 2 }, exit: { length: 2 } })
    expect(a['transitions']).toBeInstanceOf(Map)
    expect([...(a['transitions'] as Map<string, unknown>).keys()]).toEqual(['xstate.after.5.m.a'])
    expect(a['always']).toHaveLength(1)
    const copy = machine.provide({})
    const copied = (copy.root as unknown as typeof root).states['a']
    expect(copied?.['always']).not.toBe(a['always'])
    expect(copy.implementations.guards).not.toBe(machine.implementations.guards)
  })

  test('promise, callback and observable logic has `start`; fromTransition has none', () => {
    for (const logic of [
      fromPromise(async () => 1),
      fromCallback(() => {}),
      fromObservable(() => ({}) as never),
    ]) {
      expect('start' in logic).toBe(true)
    }
    expect('start' in fromTransition(() => 1, 0)).toBe(false)
  })
})

describe('a leaf in an actor of its own', () => {
  const listen = (logic: AnyActorLogic, options: object = {}) => {
    const heard: AnyEventObject[] = []
    const actor = createActor(logic, { id: 'leaf', ...options } as never)
    ;(actor as unknown as { _parent: unknown })._parent = {
      _send: (event: AnyEventObject) => heard.push(event),
    }
    actor.start()
    return { actor, heard }
  }
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('tells its `_parent._send` when it is done, with its id', async () => {
    const { heard } = listen(fromPromise(async () => 7))
    await settled()
    expect(heard).toEqual([{ type: 'xstate.done.actor.leaf', output: 7, actorId: 'leaf' }])
  })

  test('tells it when it has failed, and throws at nobody else', async () => {
    const error = new Error('no')
    const { heard } = listen(fromPromise(() => Promise.reject(error)))
    const broken = listen(
      fromCallback(() => {
        throw error
      }),
    )
    await settled()
    for (const events of [heard, broken.heard]) {
      expect(events).toEqual([{ type: 'xstate.error.actor.leaf', error, actorId: 'leaf' }])
    }
  })

  test('`_stop` runs the cleanup though there is a parent, whose error goes to that parent', () => {
    let cleaned = 0
    const tidy = listen(fromCallback(() => () => (cleaned += 1)))
    ;(tidy.actor as unknown as { _stop(): void })._stop()
    expect([cleaned, tidy.heard]).toEqual([1, []])
    const messy = listen(
      fromCallback(() => () => {
        throw new Error('cleanup')
      }),
    )
    ;(messy.actor as unknown as { _stop(): void })._stop()
    expect(messy.heard).toMatchObject([{ type: 'xstate.error.actor.leaf' }])
  })

  test('with `syncSnapshot` tells each of its snapshots, the first one at its start', () => {
    const next: ((value: number) => void)[] = []
    const logic = fromObservable(
      () =>
        ({
          subscribe: (observer: { next: (value: number) => void }) => {
            next.push(observer.next)
            return { unsubscribe: () => {} }
          },
        }) as never,
    )
    const { heard } = listen(logic, { syncSnapshot: true })
    next[0]?.(5)
    expect(heard.map(({ type, snapshot }) => [type, (snapshot as { context: unknown }).context])).toEqual([
      ['xstate.snapshot.leaf', undefined],
      ['xstate.snapshot.leaf', 5],
    ])
    const persisted = logic.getPersistedSnapshot(heard[1]?.['snapshot'] as never)
    expect('_subscription' in persisted).toBe(false)
  })
})
