/**
 * Encrypts one text for one place: AES-256-GCM, whose tag covers the text and the place it belongs to.
 *
 * What is sealed: `base64(nonce · ciphertext · tag)`. The nonce is random: a key is good for 2^32 texts.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const CIPHER = 'aes-256-gcm'
/** Bytes of a key. */
export const KEY_LENGTH = 32

const NONCE_LENGTH = 12
/** Nonces drawn at once: each draw asks the system. */
const NONCES = 256
const TAG_LENGTH = 16

/** `place`: what the text belongs to; it is bound to it, and not part of what is returned. */
export const encrypt = (key: Uint8Array, text: string, place: string): string => {
  const nonce = nextNonce()
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH })
  cipher.setAAD(Buffer.from(place))
  const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final()]
  return Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64')
}

/** The text, if it was sealed with this key for this place and no bit of it has changed. */
export const decrypt = (key: Uint8Array, sealed: string, place: string): string | undefined => {
  const bytes = Buffer.from(sealed, 'base64')
  // Base64 is read leniently: what does not come back as it was has been changed.
  if (bytes.length < NONCE_LENGTH + TAG_LENGTH || bytes.toString('base64') !== sealed) return undefined
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_LENGTH), {
    authTagLength: TAG_LENGTH,
  })
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(bytes.subarray(-TAG_LENGTH))
  try {
    const text = decipher.update(bytes.subarray(NONCE_LENGTH, -TAG_LENGTH))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

let drawn = Buffer.alloc(0)

/** Each is used once. */
const nextNonce = (): Buffer => {
  if (drawn.length === 0) drawn = randomBytes(NONCE_LENGTH * NONCES)
  const nonce = drawn.subarray(0, NONCE_LENGTH)
  drawn = drawn.subarray(NONCE_LENGTH)
  return nonce
}
