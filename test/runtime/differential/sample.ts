/** What a machine is, to be compared with XState's own run of it; and what most of the samples are made of. */
import { assign, type AnyEventObject, type AnyStateMachine } from 'xstate'
import type { LeafWorld } from '../leaf-world.ts'

export type Sample = {
  readonly name: string
  readonly machine: (world: LeafWorld) => AnyStateMachine
  readonly events: readonly AnyEventObject[]
  /** Leaves that a sequence may settle. */
  readonly leaves?: readonly string[]
  readonly input?: unknown
}

export type Context = Record<string, unknown> & { n: number; seen: string[] }
export const empty = { n: 0, seen: [] as string[] }
export const types = {
  context: {} as Context,
  events: {} as AnyEventObject,
  emitted: {} as AnyEventObject,
  input: {} as Record<string, unknown> | undefined,
}

type Assign = ReturnType<typeof assign<Context, AnyEventObject, undefined, AnyEventObject, never>>

export const note = (what: string): Assign => assign({ seen: ({ context }) => told(context, what) })

export const noteEvent: Assign = assign({
  seen: ({ context, event }) => told(context, JSON.stringify(event)),
})

/** Without what XState and the engine name differently. */
export const noteOutcome: Assign = assign({
  seen: ({ context, event }) => {
    const { type, value, output, by } = event
    const error = (event['error'] as Error | undefined)?.message
    return told(context, JSON.stringify({ type, value, output, by, error }))
  },
})

export const count: Assign = assign({ n: ({ context }) => context.n + 1 })

/** Sets one field of the context. */
export const put = (
  name: string,
  value: (args: { context: Context; event: AnyEventObject }) => unknown,
): Assign => assign((args) => ({ [name]: value(args) }))

function told(context: Context, what: string): string[] {
  return [...context.seen.slice(-20), what]
}
