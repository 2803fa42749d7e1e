/** What a caller is told of an append: of one stream, or of all that a batch names; written now, or found. */
import type { AppendResult, BatchResult, Durability } from './event-store.ts'
import { versionsOf, type Plan } from './plan.ts'

export type Result = { readonly durability: Durability }

/** The two ways to such a result. */
export type Shape<T> = {
  readonly ofPlan: (plan: Plan, durability: Durability) => T
  readonly ofResult: (result: BatchResult) => T
}

/** What results begin as: copies of it, since these wait for the disk (young.ts). */
const NO_RESULT: AppendResult = { version: 0, position: 0, events: [], durability: 'fsync', duplicate: false }

export const ofAllStreams: Shape<BatchResult> = {
  ofPlan: (plan, durability) => ({
    position: plan.position,
    events: plan.events,
    versions: versionsOf(plan),
    durability,
    duplicate: false,
  }),
  ofResult: (result) => result,
}

export const ofOneStream: Shape<AppendResult> = {
  ofPlan: ({ heads, position, events }, durability) => ({
    ...NO_RESULT,
    version: heads[0]?.[1]?.version ?? 0,
    position,
    events,
    durability,
  }),
  ofResult: ({ versions, position, events, durability, duplicate }) => {
    const [version = 0] = versions.values()
    return { version, position, events, durability, duplicate }
  },
}
