/** The key that wraps the keys of subjects, as a person hands it in. */
import { EventStoreError } from '../errors.ts'
import { KEY_LENGTH } from './cipher.ts'

/** 32 bytes, or their 64 hexadecimal digits or base64. */
export type MasterKey = string | Uint8Array

/** @throws {EventStoreError} `ES_INVALID_OPTION`; what was given is in no message. */
export const readMasterKey = (given: MasterKey): Uint8Array => {
  const bytes = typeof given === 'string' ? bytesOf(given.trim()) : given
  if (bytes?.length === KEY_LENGTH) return bytes
  throw new EventStoreError('ES_INVALID_OPTION', {
    happened: 'The master key is not a key of 32 bytes',
    expected: 'Expected 32 random bytes, as 64 hexadecimal digits or as base64',
    remedy: 'Make one with: openssl rand -hex 32',
    details: { path: 'masterKey' },
  })
}

const bytesOf = (text: string): Uint8Array | undefined => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[\w+/-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
