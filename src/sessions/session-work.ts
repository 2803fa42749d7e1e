/** What a session records of its work: progress, decisions, artifacts, tags, spending, and how full its context is. */
import type { z } from 'zod'
import type { SessionRecord } from '../../machines/session-record.ts'
import { contextPercent } from '../../machines/session-work.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { Receipt } from '../runtime/cell/cell.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { sessionId, type SessionLike, type SessionStatus } from './session.ts'
import {
  artifactSchema,
  contextSchema,
  decisionSchema,
  progressSchema,
  spendSchema,
  tagChangeSchema,
} from './session-input.ts'

/** Above this share of its context window a session has to write a handoff and pause. */
const CONTEXT_HIGH_PERCENT = 85

export interface SessionWork {
  progress(session: SessionLike, input: z.input<typeof progressSchema>): Promise<void>
  /** Adds and removes tags; `name` replaces them. */
  tag(session: SessionLike, input: z.input<typeof tagChangeSchema>): Promise<void>
  decide(session: SessionLike, input: z.input<typeof decisionSchema>): Promise<void>
  /** Records a reference to something that was made; one of the same name takes its place. */
  addArtifact(session: SessionLike, input: z.input<typeof artifactSchema>): Promise<void>
  /**
   * Says how full the model's context window is. Above 85 % of an active session it is announced
   * (`session.context_high`); the runtime then waits for a handoff and pauses the session.
   */
  reportContext(session: SessionLike, input: z.input<typeof contextSchema>): Promise<{ percent: number }>
  /** Books cost (USD) and tokens to a session; one `spend_id` is booked once. */
  spend(session: SessionLike, input: z.input<typeof spendSchema>): Promise<void>
}

export type SessionWorkOptions = {
  readonly engine: Engine
  readonly newId: NewId
  readonly record: (id: string) => Promise<{ record: SessionRecord; status: SessionStatus }>
  readonly refused: (id: string, wish: string, receipt: Receipt) => Error
}

export function createSessionWork({ engine, newId, record, refused }: SessionWorkOptions): SessionWork {
  const { clock } = engine
  const note = async (id: string, wish: string, fact: { type: string }): Promise<void> => {
    await record(id)
    const receipt = await engine.send(id, { ...fact, at: isoTime(clock) } as { type: string }, { source: id })
    if (!receipt.accepted) throw refused(id, wish, receipt)
  }
  return {
    async progress(session, raw) {
      const input = checkedInput(progressSchema, raw, 'progress')
      await note(sessionId(session), 'session:progress', { type: 'session.progressed', ...input })
    },
    async tag(session, raw) {
      const input = checkedInput(tagChangeSchema, raw, 'tagSession')
      await note(sessionId(session), 'session:tag', { type: 'session.tagged', ...input })
    },
    async decide(session, raw) {
      const input = checkedInput(decisionSchema, raw, 'logDecision')
      await note(sessionId(session), 'session:decide', { type: 'session.decided', ...input })
    },
    async addArtifact(session, raw) {
      const input = checkedInput(artifactSchema, raw, 'addArtifact')
      await note(sessionId(session), 'session:artifact', { type: 'session.artifact_added', ...input })
    },
    async reportContext(session, raw) {
      const input = checkedInput(contextSchema, raw, 'reportContext')
      const id = sessionId(session)
      await note(id, 'session:context', { type: 'session.context_reported', ...input })
      const percent = contextPercent(input)
      const { record: now, status } = await record(id)
      if (percent > CONTEXT_HIGH_PERCENT && status === 'active' && now.context_high_at === null) {
        // Of two reports at once the machine lets one announce it.
        const fact = { type: 'session.context_high', percent, at: isoTime(clock) }
        await engine.send(id, fact, { source: id })
      }
      return { percent }
    },
    async spend(session, raw) {
      const { usd, spend_id = newId('spend'), ...input } = checkedInput(spendSchema, raw, 'spend')
      const id = sessionId(session)
      const { record: now } = await record(id)
      if (now.recent_spends.includes(spend_id)) return
      const cost_micro_usd = Math.round(usd * 1e6)
      await note(id, 'session:spend', { type: 'session.spent', ...input, cost_micro_usd, spend_id } as never)
    },
  }
}
