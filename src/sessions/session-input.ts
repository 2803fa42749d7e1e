/** The shapes of what callers hand in about sessions: names that may become file names, tags, ids, what they record. */
import { z } from 'zod'

/** Characters that cut lines, hide in a terminal, or turn a reader's eye around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const RESERVED_IN_FILES = /[\\:*?"<>|]/
/** Windows opens devices under these names, whatever their ending. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i
const MOST_TAGS = 64

const printable = (longest: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(longest)
    .refine((text) => !UNPRINTABLE.test(text), 'expected printable characters on one line')

/** Names of sessions may become file names, on any system; `/` groups them, as in `review/security`. */
export const sessionNameSchema = printable(200)
  .trim()
  .refine(
    (name) => !RESERVED_IN_FILES.test(name) && name.split('/').every(isFileName),
    'expected words without \\ : * ? " < > |, grouped by single slashes, none of which begins or ends with a dot',
  )

function isFileName(part: string): boolean {
  return part.trim() !== '' && !/^\.|\.$/.test(part) && !DEVICE.test(part)
}

export const tagsSchema = z.array(printable(200)).max(MOST_TAGS).readonly()
export const idSchema = printable(300)
export const projectSchema = printable(200)

export const progressSchema = z.object({
  phase: z.string().max(1000).optional(),
  percent: z.number().min(0).max(100).optional(),
  completed_steps: z.array(z.string().min(1)).max(1000).readonly().optional(),
})

export const decisionSchema = z.object({
  what: z.string().min(1),
  why: z.string().default(''),
  alternatives: z.array(z.string()).readonly().default([]),
})

export const artifactSchema = z.object({
  name: printable(300),
  uri: printable(2000),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')
    .optional(),
  media_type: printable(200).optional(),
})

export const contextSchema = z
  .object({
    context_tokens: z.number().int().nonnegative(),
    context_window: z.number().int().positive(),
  })
  .refine(({ context_tokens, context_window }) => context_tokens <= context_window * 10, {
    path: ['context_tokens'],
    message: 'expected tokens of the same measure as context_window',
  })

export const spendSchema = z.object({
  /** USD. */
  usd: z.number().nonnegative(),
  tokens: z.number().int().nonnegative().default(0),
  what: z.string().default(''),
  spend_id: idSchema.optional(),
})

export const tagChangeSchema = z.object({ add: tagsSchema.default([]), remove: tagsSchema.default([]) })
