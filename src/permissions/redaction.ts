/** Takes secrets out of parameters before they leave for a log or a channel. */

const REDACTED = '[redacted]'

/** Parts of a property's name that mark its value as secret; "max_tokens" is none, "access_token" is one. */
const SECRET_NAME =
  /passw(or)?d|passphrase|secret|apikey|accesskey|privatekey|credential|authorization|cookie|connectionstring|token$/

/** Shapes of secrets that are known by sight, wherever they stand. */
const SECRET_TEXT =
  /\bBearer\s+\S+|\bsk-[\w-]{16,}|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abpr]-[\w-]{10,}|(?<=:\/\/)[^\s/:@]*:[^\s/@]+(?=@)/g

/** A copy of JSON-like data without values that look like secrets, by name or by shape. A safety net, not a proof. */
export function redactSecrets(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(SECRET_TEXT, REDACTED)
  if (Array.isArray(value)) return value.map((item: unknown) => redactSecrets(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isSecretName(key) ? REDACTED : redactSecrets(item)]),
  )
}

function isSecretName(key: string): boolean {
  return SECRET_NAME.test(key.toLowerCase().replace(/[^a-z0-9]/g, ''))
}
