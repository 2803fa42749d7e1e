/** Possible secrets; a bug would be a missed key, noise, or a value that leaves the analysis. No secret stands here whole. */
import { describe, expect, test } from 'vitest'
import { secrets, secretsOf } from '../../examples/repo-review/analyses/secrets.ts'
import { ScratchRepository } from './scratch-repository.ts'

const RANDOM = 'Zk3vQ9xLm2Rt7Wp5Yc8Nb4Hd6Jf1Sg0TaBuEoIq'
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** By rule, put together here so that no file holds one. */
const SAMPLES: Readonly<Record<string, string>> = {
  'aws-access-key-id': ['AK', 'IA', 'QX4RZT7WMN2PLK5B'].join(''),
  'github-token': ['gh', 'p_', RANDOM.slice(0, 36)].join(''),
  'gitlab-token': ['gl', 'pat-', RANDOM.slice(0, 20)].join(''),
  'slack-token': ['xo', 'xb-', '738291046583-', RANDOM.slice(0, 24)].join(''),
  'npm-token': ['np', 'm_', RANDOM.slice(0, 36)].join(''),
  'stripe-key': ['sk', '_live_', RANDOM.slice(0, 24)].join(''),
  'google-api-key': ['AI', 'za', RANDOM.slice(0, 35)].join(''),
  jwt: [base64({ alg: 'HS256', typ: 'JWT' }), base64({ sub: 'q8', n: 'Kx7' }), RANDOM].join('.'),
  'url-password': ['postgres://svc:', 'kV8mQ2xZ7tRw', '@db.internal.net/app'].join(''),
  assigned: `password = "${['kV8mQ2', 'xZ7tRw4P'].join('')}"`,
}

const rulesIn = (text: string, file = 'src/a.ts'): string[] =>
  secretsOf({ file, text, bytes: 0 }).map(({ rule }) => rule)

describe('secretsOf', () => {
  test.each(Object.entries(SAMPLES))('finds %s', (rule, sample) => {
    expect(rulesIn(`first line of the file\nconst value = f('x'); // ${sample}\n`)).toStrictEqual([
      `secret.${rule}`,
    ])
  })

  test('a private key with its body, not the header alone', () => {
    const header = ['-----BEGIN RSA ', 'PRIVATE KEY-----'].join('')
    const body = `MIIEow${RANDOM}${RANDOM.slice(0, 20)}`
    expect(rulesIn(`${header}\n${body}\n`)).toStrictEqual(['secret.private-key'])
    expect(rulesIn(`const pem = "${header}\\n${body}\\n"`)).toStrictEqual(['secret.private-key'])
    expect(rulesIn(`text.startsWith('${header}')\n`)).toStrictEqual([])
  })

  test.each([
    `password = "changeme-please-1"`,
    `password: 'settings.account.password'`,
    `const token = "process.env.TOKEN1234"`,
    'const apiKey = `${process.env.KEY}-abc123`',
    `password = "your-password-here12"`,
    `secret: "https://example.org/a1b2c3"`,
    `const TOKEN_TYPE = "access_token_type"`,
    `key = "${RANDOM}"`,
    `token_pattern = "[A-Za-z0-9]{36}"`,
    ['gh', 'p_', 'x'.repeat(36)].join(''),
    ['AK', 'IA', 'IOSFODNN7EXAMPLE'].join(''),
    `postgres://postgres:postgres@localhost:5432/app`,
    `import { password1234567890 } from './password'`,
    `${SAMPLES['github-token']} // gitleaks:allow`,
  ])('says nothing about %s', (line) => {
    expect(rulesIn(line)).toStrictEqual([])
  })

  test('made-up passwords in tests and documents are no news, tokens of a known form are', () => {
    const both = `${SAMPLES['assigned']}\n${SAMPLES['npm-token']}\n`
    expect(rulesIn(both, 'docs/guide.md')).toStrictEqual(['secret.npm-token'])
    expect(secretsOf({ file: 'test/a.test.ts', text: both, bytes: 0 })).toMatchObject([
      { severity: 'low', line: 2 },
    ])
  })

  test('dotenv files have no quotes', () => {
    const line = `DB_PASSWORD=${['kV8mQ2', 'xZ7tRw4P'].join('')}\n`
    expect(rulesIn(line, '.env.production')).toStrictEqual(['secret.assigned'])
    expect(rulesIn(line, '.env.example')).toStrictEqual([])
  })

  test('in one line of a megabyte, and without delay', () => {
    const started = performance.now()
    const filler = 'a1b2c3d4 '.repeat(60_000)
    expect(rulesIn(`${filler}${SAMPLES['npm-token']} ${filler}`)).toStrictEqual(['secret.npm-token'])
    rulesIn('password'.repeat(100_000))
    rulesIn('-'.repeat(500_000))
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe('secrets', () => {
  test('rule, file and line enter the measurement and the log; the value does not', async () => {
    const values = Object.values(SAMPLES)
    const repository = new ScratchRepository({
      'src/a.ts': `${values.join('\n')}\n`,
      'package-lock.json': `"${values[1]}"`,
    })
    const logged: string[] = []
    const measured = await secrets({ ...repository.input, log: (line) => logged.push(line) })
    if (measured.status === 'not_measured') throw new Error(measured.why)
    expect(measured.findings).toHaveLength(values.length)
    expect(measured.findings.map(({ line }) => line).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toStrictEqual(
      values.map((_, index) => index + 1),
    )
    const out = JSON.stringify(measured) + logged.join('\n')
    const pieces = values
      .flatMap((value) => value.match(/[\w-]{10,}/g) ?? [])
      .filter((one) => /\d.*\d/.test(one))
    expect(pieces.length).toBeGreaterThanOrEqual(values.length)
    expect(pieces.filter((piece) => out.includes(piece) || out.includes(piece.slice(4, 14)))).toStrictEqual(
      [],
    )
  })
})
