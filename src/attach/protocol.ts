/** What an owner and its clients say to each other: one JSON object per line, checked at both ends. */
import { z } from 'zod'

/** The versions of the protocol that this code speaks, the one it likes best first. */
export const PROTOCOLS: readonly number[] = [1]

export const LIMITS = {
  /** Bytes of a line before the owner knows who speaks. */
  hello: 4 * 1024,
  /** Bytes of a line from a client. */
  request: 256 * 1024,
  /** Bytes of a line from the owner: a page, or one event that is larger than a page. */
  answer: 256 * 1024 * 1024,
  /** A page is sent when it has so many items, or characters, or when nothing more is there at once. */
  pageItems: 256,
  pageCharacters: 256 * 1024,
  /** Pages of one answer under way that the client has not taken yet. */
  window: 4,
  clients: 256,
  /** Requests of one client under way at once. */
  requests: 64,
  /** ms for a client to say who it is. */
  helloMs: 5_000,
} as const

const id = z.int().positive()
const position = z.int().nonnegative()

export const helloMessage = z.object({
  type: z.literal('hello'),
  protocols: z.array(z.int()).min(1).max(16),
  token: z.string().max(256),
  /** Who asks, for messages. */
  client: z.string().max(200),
})

export const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ask'), id, method: z.string().max(100), params: z.unknown().optional() }),
  /** The client has taken a page of this answer and is ready for another. */
  z.object({ type: z.literal('more'), id }),
  z.object({ type: z.literal('cancel'), id }),
  z.object({ type: z.literal('ping') }),
])

const errorData = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().optional(),
  facts: z.record(z.string(), z.unknown()),
})

export const serverMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.int(),
    pid: z.int(),
    version: z.string(),
    position,
    acts: z.array(z.string()),
    quarantined: z.array(z.object({ stream_id: z.string(), soundUntil: z.number() })),
  }),
  z.object({ type: z.literal('refused'), error: errorData }),
  z.object({ type: z.literal('items'), id, position, items: z.array(z.unknown()) }),
  z.object({ type: z.literal('done'), id, position }),
  z.object({ type: z.literal('answer'), id, position, result: z.unknown().optional() }),
  z.object({ type: z.literal('failed'), id, position, error: errorData }),
  z.object({ type: z.literal('pong'), position }),
  /** The owner closes its log: what follows it has reached its end. */
  z.object({ type: z.literal('bye') }),
])

export type ClientMessage = z.infer<typeof clientMessage> | z.infer<typeof helloMessage>
export type ServerMessage = z.infer<typeof serverMessage>
export type Welcome = Extract<ServerMessage, { type: 'welcome' }>
export type ErrorData = z.infer<typeof errorData>

/** What an owner does when it is asked, by name. */
export const readParams = {
  readStream: z.object({
    stream_id: z.string(),
    fromVersion: z.number().optional(),
    toVersion: z.number().optional(),
    direction: z.enum(['forwards', 'backwards']).optional(),
  }),
  readAll: z.object({ fromPosition: z.number().optional() }),
  readRecords: z.object({ fromPosition: z.number().optional() }),
  heads: z.object({ prefix: z.string() }),
  entries: z.object({ prefix: z.string(), stored: z.boolean().optional() }),
  follow: z.object({ fromPosition: z.number() }),
  head: z.object({ stream_id: z.string() }),
  verify: z.object({}),
  live: z.object({ ids: z.array(z.string()).max(1000).default([]) }),
} as const

export const actParams = z.object({ act: z.string(), input: z.unknown().optional() })
