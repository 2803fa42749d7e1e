/** Hooks are asked one after the other, and fail closed. */
import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createHookContext } from '../../src/permissions/hook-context.ts'
import { PermissionHookRegistry } from '../../src/permissions/hook-registry.ts'
import type { HookContext, NamedHook, PermissionHook } from '../../src/permissions/permission-hook.ts'
import { testify } from '../../src/permissions/testify.ts'
import { ManualClock, settled } from './manual-clock.ts'

type Validate = PermissionHook['validate']

const contextOf = (signal?: AbortSignal): HookContext =>
  createHookContext(
    { tool_name: 'execute:api', parameters: { rows: 1 }, agent_role: 'workagent', project: 'p' },
    signal,
  )
const hooksOf = (hooks: Record<string, unknown>): NamedHook[] =>
  PermissionHookRegistry.from(
    Object.fromEntries(
      Object.entries(hooks).map(([name, validate]) => [
        name,
        { triggers: ['*'], validate: validate as Validate },
      ]),
    ),
  ).getTriggeredHooks('execute:api')
const never = (): Promise<never> => new Promise(() => {})

describe('O-135 O-158 asking', () => {
  it('asks in order, one at a time', async () => {
    const steps: string[] = []
    const step = (name: string) => async () => {
      steps.push(`${name} in`)
      await settled()
      steps.push(`${name} out`)
      return { allowed: true }
    }
    const testimony = await testify(hooksOf({ a: step('a'), b: step('b') }), contextOf())
    expect(steps).toEqual(['a in', 'a out', 'b in', 'b out'])
    expect(testimony).toMatchObject([
      { hook: 'a', allowed: true },
      { hook: 'b', allowed: true },
    ])
  })

  it('stops after the first denial', async () => {
    const later = vi.fn<Validate>(() => ({ allowed: true }))
    const hooks = hooksOf({ no: () => ({ allowed: false, reason: 'r', alternatives: ['x'] }), later })
    expect(await testify(hooks, contextOf())).toEqual([
      { hook: 'no', allowed: false, reason: 'r', alternatives: ['x'], duration_ms: expect.any(Number) },
    ])
    expect(later).not.toHaveBeenCalled()
  })

  it('evaluateAll asks every hook', async () => {
    const hooks = hooksOf({ no: () => ({ allowed: false }), also: () => ({ allowed: false }) })
    expect(await testify(hooks, contextOf(), { evaluateAll: true })).toHaveLength(2)
  })

  it('tolerates a synchronous answer and undefined for what is optional', async () => {
    const hooks = hooksOf({ sync: () => ({ allowed: true, reason: undefined, alternatives: undefined }) })
    expect(await testify(hooks, contextOf(), { clock: new ManualClock() })).toEqual([
      { hook: 'sync', allowed: true, duration_ms: 0 },
    ])
  })

  it('no hooks, no testimony', async () => {
    expect(await testify([], contextOf())).toEqual([])
  })

  it('measures how long each hook took with the given clock', async () => {
    const clock = new ManualClock()
    const hooks = hooksOf({
      slow: () => {
        clock.advance(42)
        return { allowed: true }
      },
      backwards: () => {
        clock.advance(-1000)
        return { allowed: true }
      },
    })
    const testimony = await testify(hooks, contextOf(), { clock })
    expect(testimony.map((word) => word.duration_ms)).toEqual([42, 0])
    expect(clock.pending()).toBe(0)
  })
})

describe('O-135 a hook that does not answer properly denies', () => {
  it.each([
    ['throws', () => Promise.reject(new TypeError('boom')), 'TypeError: boom'],
    [
      'throws before its first await',
      () => {
        throw new Error('sync')
      },
      'Error: sync',
    ],
    ['throws a string', () => Promise.reject('no words'), 'no words'],
    ['throws undefined', () => Promise.reject(undefined), 'a thrown undefined'],
    [
      'throws what cannot be described',
      () =>
        Promise.reject(
          Object.defineProperty(new Error('x'), 'message', {
            get: () => {
              throw new Error('again')
            },
          }),
        ),
      'a thrown value that cannot be described',
    ],
  ])('%s', async (_, validate, detail) => {
    const [word] = await testify(hooksOf({ bad: validate }), contextOf())
    expect(word).toMatchObject({ allowed: false, trouble: 'threw', reason: `hook_error:bad: ${detail}` })
  })

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['an empty object', {}],
    ['a list', [{ allowed: true }]],
    ['{ allowed: "yes" }', { allowed: 'yes' }],
    ['{ allowed: 1 }', { allowed: 1 }],
    ['a reason that is no text', { allowed: true, reason: 7 }],
    ['alternatives that are no list', { allowed: true, alternatives: 'x' }],
    ['alternatives that are no texts', { allowed: false, alternatives: [1] }],
    [
      'a getter that throws',
      {
        get allowed(): boolean {
          throw new Error('trap')
        },
      },
    ],
  ])('answers nonsense: %s', async (_, answer) => {
    const [word] = await testify(hooksOf({ bad: async () => answer }), contextOf())
    expect(word).toMatchObject({ allowed: false, trouble: 'malformed' })
    expect(word?.reason).toMatch(/^hook_error:bad: answer/)
    expect(word?.alternatives).toHaveLength(1)
  })

  it('hangs past its time limit: denies, and its own signal is aborted', async () => {
    const clock = new ManualClock()
    let signal: AbortSignal | undefined
    const hang: Validate = (context) => {
      signal = context.signal
      return never()
    }
    const asked = testify(hooksOf({ hang }), contextOf(), { clock, timeoutMs: 500 })
    await settled()
    clock.advance(499)
    await settled()
    expect(signal?.aborted).toBe(false)
    clock.advance(1)
    expect(await asked).toEqual([
      {
        hook: 'hang',
        allowed: false,
        reason: 'hook_error:hang: no answer within 500 ms',
        alternatives: [expect.stringContaining('hang')],
        trouble: 'timed_out',
        duration_ms: 500,
      },
    ])
    expect(signal?.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('has 10 seconds unless told otherwise', async () => {
    const clock = new ManualClock()
    const asked = testify(hooksOf({ hang: never }), contextOf(), { clock })
    await settled()
    clock.advance(10_000)
    expect((await asked)[0]?.trouble).toBe('timed_out')
  })

  it('rejects later: not an unhandled rejection, and the testimony stands', async () => {
    const unhandled = vi.fn<(error: unknown) => void>()
    process.on('unhandledRejection', unhandled)
    try {
      const clock = new ManualClock()
      let rejectLater: (error: Error) => void = () => {}
      const late = (): Promise<never> =>
        new Promise((_, reject) => {
          rejectLater = reject
        })
      const asked = testify(hooksOf({ late }), contextOf(), { clock })
      await settled()
      clock.advance(10_000)
      const testimony = await asked
      rejectLater(new Error('too late'))
      await settled()
      await settled()
      expect(testimony[0]?.trouble).toBe('timed_out')
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })

  it('allows too late: the denial stands', async () => {
    const clock = new ManualClock()
    let allow: (answer: { allowed: true }) => void = () => {}
    const late = () => new Promise<{ allowed: true }>((resolve) => (allow = resolve))
    const asked = testify(hooksOf({ late }), contextOf(), { clock })
    await settled()
    clock.advance(10_000)
    allow({ allowed: true })
    expect(await asked).toMatchObject([{ allowed: false, trouble: 'timed_out' }])
  })

  it('a long error message is cut', async () => {
    const [word] = await testify(
      hooksOf({ bad: () => Promise.reject(new Error('x'.repeat(9000))) }),
      contextOf(),
    )
    expect(word?.reason?.length).toBeLessThan(600)
  })

  it('an empty reason is none', async () => {
    const [word] = await testify(hooksOf({ no: () => ({ allowed: false, reason: ' ' }) }), contextOf())
    expect(word).not.toHaveProperty('reason')
  })

  it('trouble ends the asking, unless stopping', async () => {
    const no = vi.fn<Validate>(() => ({ allowed: false }))
    const hooks = hooksOf({ bad: () => undefined, no })
    expect(await testify(hooks, contextOf())).toHaveLength(1)
    expect(no).not.toHaveBeenCalled()
    expect(await testify(hooks, contextOf(), { stopping: true })).toMatchObject([
      { hook: 'bad', trouble: 'malformed' },
      { hook: 'no', allowed: false },
    ])
  })

  it('whatever a hook answers, the testimony is JSON-safe and allows only a well-formed "allowed: true"', async () => {
    const answers = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true }),
      fc.record(
        {
          allowed: fc.oneof(fc.boolean(), fc.anything()),
          reason: fc.oneof(fc.string(), fc.anything()),
          alternatives: fc.oneof(fc.array(fc.string()), fc.anything()),
        },
        { requiredKeys: [] },
      ),
    )
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        const clock = new ManualClock()
        const [word] = await testify(hooksOf({ any: async () => answer }), contextOf(), { clock })
        expect(JSON.parse(JSON.stringify(word))).toEqual(word)
        const said = (answer as { allowed?: unknown } | null | undefined)?.allowed
        expect(word?.allowed).toBe(said === true && word?.trouble === undefined)
      }),
      { numRuns: 500 },
    )
  })
})

describe('giving up', () => {
  it('rejects with PM_ABORTED, aborts the asked hook and asks no other', async () => {
    const clock = new ManualClock()
    const caller = new AbortController()
    let signal: AbortSignal | undefined
    const later = vi.fn<Validate>(() => ({ allowed: true }))
    const hang: Validate = (context) => {
      signal = context.signal
      return never()
    }
    const asked = testify(hooksOf({ hang, later }), contextOf(caller.signal), { clock })
    await settled()
    caller.abort(new Error('cancelled'))
    await expect(asked).rejects.toMatchObject({ code: 'PM_ABORTED', cause: { message: 'cancelled' } })
    expect(signal?.aborted).toBe(true)
    expect(later).not.toHaveBeenCalled()
    expect(clock.pending()).toBe(0)
  })

  it('leaves nothing behind on the signal of a caller that goes on', async () => {
    const { signal } = new AbortController()
    const hooks = hooksOf({ a: () => ({ allowed: true }), b: () => Promise.reject(new Error('x')) })
    await testify(hooks, contextOf(signal))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('asks nobody if the caller gave up before', async () => {
    const hook = vi.fn<Validate>(() => ({ allowed: true }))
    await expect(testify(hooksOf({ hook }), contextOf(AbortSignal.abort()))).rejects.toMatchObject({
      code: 'PM_ABORTED',
    })
    expect(hook).not.toHaveBeenCalled()
  })
})

it.each([0, -1, Number.NaN])('refuses the time limit %s', async (timeoutMs) => {
  await expect(testify([], contextOf(), { timeoutMs })).rejects.toMatchObject({
    code: 'PM_INVALID_OPTION',
    path: 'timeoutMs',
  })
})

it('a time limit longer than a timer can wait does not fire at once', async () => {
  const hooks = hooksOf({ slow: () => settled().then(() => ({ allowed: true })) })
  expect(await testify(hooks, contextOf(), { timeoutMs: Infinity })).toMatchObject([{ allowed: true }])
})
