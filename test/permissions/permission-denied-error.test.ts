/** A denial says what happened, what was expected and what to do instead. */
import { expect, it } from 'vitest'
import { PermissionDeniedError } from '../../src/permissions/permission-denied-error.ts'

it('O-160 carries reason and alternatives as public fields', () => {
  const alternatives = ['Soft delete', 'Create backup']
  const error = new PermissionDeniedError('Needs approval', alternatives)
  alternatives.pop()
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({
    name: 'PermissionDeniedError',
    code: 'PM_DENIED',
    reason: 'Needs approval',
    alternatives: ['Soft delete', 'Create backup'],
  })
})

it('O-160 the message names tool, hook, reason and alternatives', () => {
  const cause = new Error('why')
  const error = new PermissionDeniedError('Needs approval', ['Soft delete', 'Create backup'], {
    hook: 'destructive-ops',
    tool_name: 'execute:file:delete',
    cause,
  })
  expect(error.message).toBe(
    '"execute:file:delete" was denied by the permission hook "destructive-ops": Needs approval. ' +
      'Expected: every hook that it triggers to allow it. What to do instead: Soft delete; Create backup.',
  )
  expect(error.cause).toBe(cause)
})

it('O-160 a hook that gives neither reason nor alternatives still makes a whole message', () => {
  const error = new PermissionDeniedError(undefined, undefined)
  expect(error.reason).toBe('denied without a reason')
  expect(error.alternatives).toEqual([])
  expect(error.message).toContain('ask a person')
  expect('cause' in error).toBe(false)
})
