/** Checks what a caller hands in at the door, and names the offending field. */
import type { z } from 'zod'
import { RuntimeError } from './runtime-error.ts'

/** @throws RuntimeError `INPUT_INVALID`, with the path of the first offending field; nothing was written. */
export function checkedInput<TSchema extends z.ZodType>(
  schema: TSchema,
  input: unknown,
  what: string,
): z.output<TSchema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.map(String).join('.') ?? ''
  throw new RuntimeError('INPUT_INVALID', {
    happened: `${what} was given a bad ${path === '' ? 'input' : `"${path}"`}: ${issue?.message ?? 'unknown trouble'}.`,
    expected: 'Input of the documented shape.',
    todo: 'Correct the field and call again; nothing was written.',
    cause: result.error,
    details: { what, path },
  })
}
