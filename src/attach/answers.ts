/** What the owner answers: reads of its log, in pages or at once, and the acts of its runtime. */
import type { z } from 'zod'
import { EventStoreError } from '../../eventstore/errors.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { Acts } from './act.ts'
import { AttachError } from './attach-error.ts'
import type { LiveFacts } from './live-facts.ts'
import { actParams, readParams } from './protocol.ts'

/** What an owner lets its clients see and do. */
export type Offer = {
  readonly store: EventStore
  readonly acts: Acts
  /** Facts that only the running process knows, and no log: of itself, and of these actors. */
  readonly live: (ids: readonly string[]) => Promise<LiveFacts>
}

export type Answer =
  | { readonly kind: 'items'; readonly items: AsyncIterable<unknown> }
  | { readonly kind: 'result'; readonly result: Promise<unknown> }

/** Begins to answer. @throws RuntimeError `INPUT_INVALID`; AttachError `ATTACH_ACT_UNKNOWN`, `ATTACH_PROTOCOL` */
export function answer(
  { store, acts, live }: Offer,
  { method, params, signal }: { method: string; params: unknown; signal: AbortSignal },
): Answer {
  const items = (iterable: AsyncIterable<unknown>): Answer => ({ kind: 'items', items: iterable })
  const result = (promise: Promise<unknown>): Answer => ({ kind: 'result', result: promise })
  switch (method) {
    case 'readStream': {
      const { stream_id, ...options } = checked(readParams.readStream, params, method)
      return items(store.readStream(stream_id, { ...defined(options), signal }))
    }
    case 'readAll':
      return items(store.readAll({ ...defined(checked(readParams.readAll, params, method)), signal }))
    case 'readRecords': {
      const options = defined(checked(readParams.readRecords, params, method))
      if (store.readRecords === undefined) throw unsupported()
      return items(store.readRecords({ ...options, signal }))
    }
    case 'heads':
      return items(store.heads(checked(readParams.heads, params, method).prefix, { signal }))
    case 'entries': {
      const { prefix, ...options } = checked(readParams.entries, params, method)
      return items(store.entries(prefix, { ...defined(options), signal }))
    }
    case 'follow':
      return items(store.follow({ ...checked(readParams.follow, params, method), signal }))
    case 'head':
      return result(store.head(checked(readParams.head, params, method).stream_id))
    case 'verify':
      return result(store.verify({ signal }))
    case 'live':
      return result(live(checked(readParams.live, params, method).ids))
    case 'act': {
      const { act: name, input } = checked(actParams, params, method)
      const act = Object.hasOwn(acts, name) ? acts[name] : undefined
      if (act === undefined) throw unknownAct(name, Object.keys(acts))
      return result(act.run(checked(act.input, input, name)))
    }
    default:
      throw new AttachError('ATTACH_PROTOCOL', {
        happened: `The client asks for "${method}".`,
        expected: 'Expected one of the methods of the protocol that was agreed on.',
        todo: 'Use a client of the same version as the owner.',
      })
  }
}

export function unknownAct(name: string, known: readonly string[]): AttachError {
  return new AttachError('ATTACH_ACT_UNKNOWN', {
    happened: `The process that has the log open cannot "${name}".`,
    expected: `Expected one of: ${known.join(', ')}.`,
    todo: 'Run it with a version of the package that can, or use one of these.',
    details: { act: name, known },
  })
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue?.path.join('.') ?? ''
  throw new RuntimeError('INPUT_INVALID', {
    happened: `"${what}" was asked for with an input that it does not take${path === '' ? '' : `, at ${path}`}.`,
    expected: `Expected: ${issue?.message ?? 'another shape'}.`,
    todo: 'Correct the field and ask again; nothing was done.',
    details: { what, path },
  })
}

/** Options that were given; `undefined` is not the same as left out. */
function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

function unsupported(): EventStoreError {
  return new EventStoreError('ES_UNSUPPORTED', {
    happened: 'The store that is open there cannot read what is left of archived events',
    expected: 'Expected a store on disk',
    remedy: 'Read events without it',
  })
}
