/** What only the process that has the log open knows, and no log: what is in memory, under way, and waited for just now. */
import { z } from 'zod'

/** A call of a handler that has begun and not ended. */
const callUnderWay = z.object({
  /** `step`, `tool`, `command`, `wait`, … */
  kind: z.string(),
  name: z.string(),
  /** ISO 8601. */
  since: z.string(),
  /** What a tool call waits for: its `hooks`, `approval` by a person, its `turn` to begin, or its own `execution`. */
  waits_for: z.enum(['hooks', 'approval', 'turn', 'execution']).nullable(),
})

const liveActor = z.object({
  id: z.string(),
  /** Whether it is in memory; else it is at rest, and wakes for its next event. */
  resident: z.boolean(),
  /** Events from outside that have come and are not answered yet. */
  mailbox: z.number(),
  /** Which run it is in the line of those that wait for a place: 1 is next. `null` if it is not in line. */
  queue_place: z.number().nullable(),
  /** The attempt of a run's handler that is under way; ISO 8601. */
  attempt: z.object({ number: z.number(), since: z.string() }).nullable(),
  /** What that handler waits for; empty while it runs its own code. */
  calls: z.array(callUnderWay),
  /** Actions of its own that are being tried, or wait for their next attempt. */
  effects: z.array(
    z.object({
      action: z.string(),
      state: z.string(),
      failed: z.number(),
      retry_at: z.string().nullable(),
    }),
  ),
})

export const liveFacts = z.object({
  parked: z.array(z.unknown()),
  /** Those that were asked about, in that order. */
  actors: z.array(liveActor).default([]),
})

export type CallUnderWay = z.infer<typeof callUnderWay>
export type LiveActor = z.infer<typeof liveActor>
export type LiveFacts = z.infer<typeof liveFacts>
