/** Triggers match by segments, with one dialect of wildcards. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PermissionError } from '../../src/permissions/permission-error.ts'
import { assertCapability, parseTrigger, triggerMatches } from '../../src/permissions/trigger.ts'

const matches = (trigger: string, name: string): boolean =>
  triggerMatches(parseTrigger(trigger, 'trigger'), name)

const segment = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,5}$/)
const fewSegments = fc.constantFrom('a', 'b', 'c')
const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(':'))
const smallName = fc.array(fewSegments, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(':'))
const smallTrigger = fc
  .array(fc.oneof(fewSegments, fc.constant('*')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(':'))

/** The rules as ruling 11 words them, spelled out as a regular expression. */
function asWorded(trigger: string): RegExp {
  const parts = trigger.split(':')
  const trailing = parts.at(-1) === '*'
  const head = (trailing ? parts.slice(0, -1) : parts).map((part) => (part === '*' ? '[^:]+' : part))
  const rest = trailing ? '[^:]+(:[^:]+)*' : ''
  const body = [...head, ...(trailing ? [rest] : [])].join(':')
  return new RegExp(`^${body}${trailing ? '' : '(:[^:]+)*'}$`)
}

describe('O-133 a trigger matches by colon segments', () => {
  it.each([
    ['execute:database', 'execute:database', true],
    ['execute:database', 'execute:database:delete', true],
    ['execute:database', 'execute:databases', false],
    ['execute:database', 'execute', false],
    ['execute:database:delete', 'execute:database', false],
    ['execute', 'execute:database:delete', true],
    ['execute:file-write', 'execute:file', false],
    ['Bash', 'Bash', true],
    ['Bash', 'bash', false],
    ['mcp__x__y', 'mcp__x__y', true],
  ])('%s on %s: %s', (trigger, name, expected) => {
    expect(matches(trigger, name)).toBe(expected)
  })
})

describe('O-134 wildcards', () => {
  it.each([
    ['*', 'execute', true],
    ['*', 'execute:database:delete', true],
    ['execute:*', 'execute:database', true],
    ['execute:*', 'execute:database:delete', true],
    ['execute:*', 'execute', false],
    ['execute:*', 'session:pause', false],
    ['execute:*:delete', 'execute:database:delete', true],
    ['execute:*:delete', 'execute:file:delete:all', true],
    ['execute:*:delete', 'execute:delete', false],
    ['execute:*:delete', 'execute:a:b:delete', false],
    ['*:database', 'execute:database', true],
    ['*:*', 'execute', false],
    ['*:*', 'execute:a:b', true],
  ])('%s on %s: %s', (trigger, name, expected) => {
    expect(matches(trigger, name)).toBe(expected)
  })

  it('agrees with the ruling as worded, for every trigger and name', () => {
    fc.assert(
      fc.property(smallTrigger, smallName, (trigger, name) => {
        expect(matches(trigger, name)).toBe(asWorded(trigger).test(name))
      }),
      { numRuns: 2000 },
    )
  })

  it('"*" alone matches every name', () => {
    fc.assert(
      fc.property(name, (name) => {
        expect(matches('*', name)).toBe(true)
      }),
    )
  })

  it('a trigger matches itself and everything below it', () => {
    fc.assert(
      fc.property(name, name, (name, below) => {
        expect(matches(name, name) && matches(name, `${name}:${below}`)).toBe(true)
      }),
    )
  })

  it('a trigger that matches a name matches whatever lies below that name', () => {
    fc.assert(
      fc.property(smallTrigger, smallName, smallName, (trigger, name, below) => {
        fc.pre(matches(trigger, name))
        expect(matches(trigger, `${name}:${below}`)).toBe(true)
      }),
    )
  })

  it('replacing a segment by "*" never loses a match', () => {
    fc.assert(
      fc.property(smallName, fc.nat({ max: 4 }), (name, index) => {
        const parts = name.split(':')
        parts[index % parts.length] = '*'
        expect(matches(parts.join(':'), name)).toBe(true)
      }),
    )
  })
})

describe('a bad trigger is refused with its path', () => {
  it.each([
    ['', 'empty'],
    ['execute:', 'empty segment'],
    [':execute', 'empty segment'],
    ['execute::database', 'empty segment'],
    ['execute: database', 'space'],
    ['execute:database\n', 'space'],
    ['exec*', 'inside a segment'],
    ['execute:**', 'inside a segment'],
    [7, 'not a string'],
    [null, 'not a string'],
  ])('%j: %s', (trigger, flaw) => {
    let caught: unknown
    try {
      parseTrigger(trigger, 'hooks.x.triggers[0]')
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(PermissionError)
    expect(caught).toMatchObject({ code: 'PM_INVALID_TRIGGER', path: 'hooks.x.triggers[0]' })
    expect((caught as Error).message).toContain(flaw)
  })

  it('any string is either refused or a trigger that matches something', () => {
    const outcome = (text: string): unknown => {
      try {
        return triggerMatches(parseTrigger(text, 'trigger'), text.replaceAll('*', 'x'))
      } catch (error) {
        return (error as PermissionError).code
      }
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ab*: ]{0,6}$/)), (text) => {
        expect([true, 'PM_INVALID_TRIGGER']).toContain(outcome(text))
      }),
    )
  })
})

describe('a name that would slip past every trigger is refused', () => {
  it.each(['', 'execute::database', 'execute:database ', 'execute:*', undefined])('%j', (name) => {
    expect(() => assertCapability(name, 'capabilities[0]')).toThrow(
      expect.objectContaining({ code: 'PM_INVALID_CAPABILITY', path: 'capabilities[0]' }),
    )
  })
})
