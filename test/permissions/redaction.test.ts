/** Secrets are taken out by name and by shape, and nothing else is. */
import { expect, it } from 'vitest'
import { redactSecrets } from '../../src/permissions/redaction.ts'

it.each([
  'password',
  'db_password',
  'apiKey',
  'API-KEY',
  'access_token',
  'token',
  'clientSecret',
  'Authorization',
  'cookie',
])('O-152 %s is secret', (key) => {
  expect(redactSecrets({ list: [{ [key]: { deep: 1 } }] })).toEqual({ list: [{ [key]: '[redacted]' }] })
})

it.each(['max_tokens', 'input_tokens', 'path', 'author', 'key'])('O-152 %s is not', (key) => {
  expect(redactSecrets({ [key]: 12 })).toEqual({ [key]: 12 })
})

it('O-152 secrets are known by sight inside text', () => {
  expect(redactSecrets('curl -H "Authorization: Bearer abc.def" https://u:p@host/x')).toBe(
    'curl -H "Authorization: [redacted] https://[redacted]@host/x',
  )
  expect(redactSecrets(['sk-abcdefghijklmnop1234', 'plain', null, 1])).toEqual([
    '[redacted]',
    'plain',
    null,
    1,
  ])
})
