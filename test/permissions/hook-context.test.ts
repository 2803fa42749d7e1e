/** Hooks judge a frozen copy of exactly what the tool is given. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHookContext } from '../../src/permissions/hook-context.ts'

const contextFor = (parameters: unknown) =>
  createHookContext({
    tool_name: 'execute:api',
    parameters: parameters as Record<string, unknown>,
    agent_role: 'workagent',
    project: 'p',
  })

it('O-136 O-137 O-139 hands over who asks for what', () => {
  const context = createHookContext({
    tool_name: 'reindex',
    capabilities: ['execute:database:index'],
    parameters: {},
    agent_role: 'supervisor',
    project: 'shop',
    session_id: 'sess_1',
    agent_id: 'a',
    run_id: 'run_1',
    call_id: 'call_1',
    estimated_cost: 2,
  })
  expect(context).toEqual({
    dry_run: false,
    tool_name: 'reindex',
    capabilities: ['execute:database:index'],
    parameters: {},
    agent_role: 'supervisor',
    project: 'shop',
    session_id: 'sess_1',
    agent_id: 'a',
    run_id: 'run_1',
    call_id: 'call_1',
    estimated_cost: 2,
    signal: expect.any(AbortSignal),
  })
  expect(Object.isFrozen(context) && Object.isFrozen(context.capabilities)).toBe(true)
})

describe('O-138 parameters', () => {
  it('are a deep-frozen copy', () => {
    const given = { where: { ids: [1, 2] } }
    const { parameters } = contextFor(given)
    given.where.ids.push(3)
    expect(parameters).toEqual({ where: { ids: [1, 2] } })
    const where = parameters['where'] as typeof given.where
    expect(() => where.ids.push(4)).toThrow(TypeError)
    expect(() => Object.assign(where, { ids: [] })).toThrow(TypeError)
    expect(given.where.ids).toEqual([1, 2, 3])
  })

  it('equal what JSON carries', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
        expect(contextFor(given).parameters).toEqual(given)
      }),
    )
  })

  it('lose undefined and turn dates into text, as in the log', () => {
    expect(contextFor({ a: undefined, at: new Date(0) }).parameters).toStrictEqual({
      at: '1970-01-01T00:00:00.000Z',
    })
  })

  it('an input key "__proto__" stays data', () => {
    const { parameters } = contextFor(JSON.parse('{"__proto__": {"force": true}}'))
    expect(parameters['force']).toBeUndefined()
    expect(Object.keys(parameters)).toEqual(['__proto__'])
  })

  it('may use one part twice', () => {
    const part = { a: 1 }
    expect(contextFor({ x: part, y: part }).parameters).toEqual({ x: { a: 1 }, y: { a: 1 } })
  })

  const circular: Record<string, unknown> = {}
  circular['self'] = { circular }
  it.each([
    ['a Map', { a: { b: new Map() } }, 'parameters.a.b'],
    ['a function', { a: [() => 1] }, 'parameters.a[0]'],
    ['a bigint', { a: 1n }, 'parameters.a'],
    ['NaN', { a: Number.NaN }, 'parameters.a'],
    ['an invalid date', { a: new Date('x') }, 'parameters.a'],
    ['a hole in a list', { a: [undefined] }, 'parameters.a[0]'],
    ['a circle', circular, 'parameters.self.circular'],
    ['a list instead of an object', [], 'parameters'],
    ['a text instead of an object', 'x', 'parameters'],
  ])('with %s are refused', (_, parameters, path) => {
    expect(() => contextFor(parameters)).toThrow(
      expect.objectContaining({ code: 'PM_INVALID_PARAMETERS', path }),
    )
  })
})

it.each([Number.NaN, Infinity, -1])('%s is no estimate', (estimated_cost) => {
  const request = { tool_name: 't', parameters: {}, agent_role: 'r', project: 'p', estimated_cost }
  expect(createHookContext(request).estimated_cost).toBeUndefined()
})
