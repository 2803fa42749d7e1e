/** What a client may ask the owner's runtime to do: a small table of wishes, each with the shape of its input. */
import type { z } from 'zod'

export type Act = {
  readonly input: z.ZodType
  /** Resolves when what was wished is on disk; what it resolves with goes to the client as JSON. */
  run(input: unknown): Promise<unknown>
}

export type Acts = Readonly<Record<string, Act>>

/** An act whose function gets what its schema lets through. */
export function act<TInput>(input: z.ZodType<TInput>, run: (input: TInput) => Promise<unknown>): Act {
  return { input, run: (given) => run(given as TInput) }
}
