/** What a secret looks like: one pattern per kind, and the doubts that rule a match out. */

export type SecretRule = {
  readonly rule: string
  readonly what: string
  readonly severity: 'high' | 'medium'
  readonly pattern: RegExp
  /** A cheap test that most lines fail. */
  readonly hint: string
  /** Least Shannon entropy, in bits per character, of the first group (or the match). */
  readonly entropy: number
}

export type SecretMatch = Pick<SecretRule, 'rule' | 'what' | 'severity'>

const token = (
  rule: string,
  details: { what: string; pattern: RegExp; hint: string; entropy?: number; severity?: 'high' | 'medium' },
): SecretRule => ({ severity: 'high', entropy: 3, ...details, rule: `secret.${rule}` })

// Prefixes stand in pieces or with a quantifier behind them, so that this file does not report itself.
const RULES: readonly SecretRule[] = [
  token('aws-access-key-id', {
    what: 'AWS access key id',
    hint: 'A',
    pattern: /\b((?:AKIA|ASIA)[A-Z2-7]{16})\b/,
    entropy: 2.8,
  }),
  token('github-token', { what: 'GitHub token', hint: 'gh', pattern: /\bgh[pousr]_([A-Za-z0-9]{36,251})\b/ }),
  token('github-token', {
    what: 'GitHub token',
    hint: 'github_pat',
    pattern: /\bgithub_pat_([A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b/,
  }),
  token('gitlab-token', {
    what: 'GitLab token',
    hint: 'glpat-',
    pattern: /\bglpat-([A-Za-z0-9_-]{20,64})(?![\w-])/,
  }),
  token('slack-token', {
    what: 'Slack token',
    hint: 'xox',
    pattern: /\bxox[baprs]-(\d{6,}-[0-9A-Za-z-]{10,200})/,
  }),
  token('slack-webhook', {
    what: 'Slack webhook address',
    hint: 'hooks.slack',
    pattern: /hooks\.slack\.com\/services\/(T\w{6,12}\/B\w{6,12}\/\w{20,30})/,
    severity: 'medium',
  }),
  token('npm-token', { what: 'npm token', hint: 'npm_', pattern: /\bnpm_([A-Za-z0-9]{36})\b/ }),
  token('stripe-key', {
    what: 'Stripe live key',
    hint: '_live_',
    pattern: /\b[sr]k_live_([0-9A-Za-z]{24,247})\b/,
  }),
  token('google-api-key', {
    what: 'Google API key',
    hint: 'AIza',
    pattern: /\bAIza([0-9A-Za-z_-]{35})(?![\w-])/,
    severity: 'medium',
  }),
  token('model-api-key', {
    what: 'model provider API key',
    hint: 'sk-',
    pattern: /(?<![\w-])sk-(?:[a-z]{2,8}\d{0,2}-){0,2}([A-Za-z0-9_-]{40,200})(?![\w-])/,
    entropy: 4,
  }),
  token('jwt', {
    what: 'JSON web token',
    hint: 'eyJ',
    pattern: /\b(eyJ[\w-]{10,500}\.eyJ[\w-]{10,3000}\.[\w-]{20,1000})/,
    entropy: 4,
    severity: 'medium',
  }),
  token('url-password', {
    what: 'password in a URL',
    hint: '://',
    pattern:
      /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@'"`<>${}]{1,64}:([^\s:/@'"`<>${}]{8,100})@[\w.-]+\.[a-z]{2,}/i,
    severity: 'medium',
  }),
]

/** A name that promises a secret, and a quoted literal given to it. */
const ASSIGNED =
  /(?:^|[^A-Za-z])(?:[\w-]{0,40}?)(passw(?:or)?d|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?["'\]]{0,2}\s{0,4}(?::|=|=>|:=)\s{0,4}(["'`])([^"'`\s]{12,200})\2/i
/** The same in a dotenv file, where values have no quotes. */
const ENV_ASSIGNED =
  /^\s*(?:export\s+)?\w{0,40}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY)\w{0,20}\s*=\s*()["']?()([^"'\s#]{12,200})/

const PLACEHOLDER =
  /example|sample|placeholder|change.?me|dummy|fake|mock|redacted|your|insert|replace|todo|xxxx|\*{3}|\.{3}|1234567|abcdef|0{6}|deadbeef|foobar|lorem|test|demo|[<>{}[\]()$%\\]|process\.env/i

export const ALLOWED = /gitleaks:allow|pragma: allowlist secret|secret-scan: ?(ignore|allow)|nosec\b/i

/** The secrets a line seems to hold, by kind; never the values. */
export function secretsIn(
  line: string,
  options: { readonly env?: boolean; readonly generic?: boolean } = {},
): SecretMatch[] {
  const found: SecretMatch[] = []
  for (const rule of RULES) {
    if (!line.includes(rule.hint)) continue
    const value = rule.pattern.exec(line)
    if (value !== null && isLikely(value[1] ?? value[0], rule)) found.push(rule)
  }
  // A very long line is a bundle or data.
  if (found.length > 0 || options.generic === false || line.length > 1000) return found
  const value = (options.env === true ? ENV_ASSIGNED : ASSIGNED).exec(line)?.[3]
  if (value !== undefined && isRandom(value)) {
    found.push({ rule: 'secret.assigned', what: 'secret assigned as a literal', severity: 'medium' })
  }
  return found
}

/** Bits per character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

function isLikely(value: string, rule: SecretRule): boolean {
  if (/example|xxxx|1234567|abcdefgh|(.)\1{5}/i.test(value) || entropyOf(value) < rule.entropy) return false
  if (rule.rule === 'secret.jwt') return isTokenHeader(value)
  if (rule.rule === 'secret.url-password') return !PLACEHOLDER.test(value) && isRandom(value)
  return true
}

/** Words, paths, keys of translations and addresses are not random; secrets mix letters with digits. */
function isRandom(value: string): boolean {
  if (
    PLACEHOLDER.test(value) ||
    /^(https?|data|file|urn|node):|^[./@#]|^[a-z]+([._/:-][a-z]+)+$/i.test(value)
  )
    return false
  const digits = value.replace(/\D/g, '').length
  if (digits < 2 || !/[a-z]/i.test(value)) return false
  return entropyOf(value) >= (value.length >= 20 ? 3.5 : 3.2)
}

function isTokenHeader(value: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(value.split('.')[0] ?? '', 'base64url').toString('utf8'))
    return typeof header === 'object' && header !== null && 'alg' in header && header.alg !== 'none'
  } catch {
    return false
  }
}
