/** A question of a handler to a person: put on record as an approval, waited for without a place at work, answered once. */
import { z } from 'zod'
import { copyAsJson } from '../../eventstore/payload.ts'
import type { Approval } from '../permissions/approval.ts'
import type { ApprovalDesk } from '../permissions/approval-desk.ts'
import { callFingerprint } from '../permissions/fingerprint.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { interrupted } from './journal-errors.ts'
import type { WaitForPerson } from './person-wait.ts'

/** What stands for a tool's name where approvals are listed. */
const ASKING = 'requestApproval'

const questionSchema = z.strictObject({
  /** What the person is to decide, in words. */
  question: z.string().trim().min(1).max(10_000),
  /** Data that they need for it. */
  details: z.unknown().optional(),
  /** What can be done instead. */
  alternatives: z.array(z.string().max(10_000)).max(64).default([]),
  /** How long it can be answered, in ms; default that of all approvals, 14 days. */
  ttlMs: z.number().int().positive().optional(),
})
export type ApprovalQuestion = z.input<typeof questionSchema>

/** What became of a question. A no is an answer, and so is that nobody answered in time. */
export type ApprovalAnswer = {
  readonly status: 'granted' | 'denied' | 'expired'
  readonly approval_id: string
  /** Who decided; `null` if nobody did. */
  readonly by: string | null
  /** What they said with it. */
  readonly note: string | null
}

export type Asker = {
  readonly run_id: string
  readonly agent_id: string
  readonly session_id: string
  readonly role: string
  readonly project: string
  readonly signal: AbortSignal
}

/** @throws RuntimeError `INPUT_INVALID` */
export function checkedQuestion(raw: ApprovalQuestion): z.output<typeof questionSchema> {
  const question = checkedInput(questionSchema, raw, 'requestApproval')
  copyAsJson(question.details, { root: () => 'details', outcome: false })
  return question
}

/** Asks, or goes on waiting for what was asked before a crash. @throws RuntimeError `WORK_INTERRUPTED` when the run is stopped */
export async function askPerson(
  host: { readonly approvals: ApprovalDesk; readonly waitForPerson: WaitForPerson },
  asker: Asker,
  ask: { readonly approval_id: string; readonly question: z.output<typeof questionSchema> },
): Promise<ApprovalAnswer> {
  const { approvals } = host
  const { approval_id: id } = ask
  const { question, details, alternatives, ttlMs } = ask.question
  const { run_id, session_id, signal } = asker
  const parameters = copyAsJson(
    { question, ...(details !== undefined && { details }) },
    { root: () => 'question', outcome: false },
  ).value
  const fingerprint = callFingerprint({ tool: ASKING, parameters, session_id })
  const wish = {
    subject: 'question',
    fingerprint,
    tool: ASKING,
    capabilities: [],
    parameters,
    call_id: id,
    run_id,
    session_id,
    agent_role: asker.role,
    project: asker.project,
    estimated_cost: null,
    asked_by: `agent:${asker.agent_id}`,
    reason: question,
    alternatives,
  } as const
  await approvals.request(id, wish, ttlMs)
  try {
    const decision = await host.waitForPerson({ run_id, approval_id: id, signal }, () =>
      approvals.decision(id, signal),
    )
    // Taken at once: an answer that was heard does not run out any more.
    if (await approvals.reserve(id, { call_id: id, fingerprint })) await approvals.consume(id)
    return answerOf(decision)
  } catch (error) {
    if (signal.aborted) throw interrupted(run_id, ASKING)
    throw error
  }
}

function answerOf({ approval_id, status, decided_by, note, end_reason }: Approval): ApprovalAnswer {
  if (status === 'expired' || status === 'withdrawn')
    return { status: 'expired', approval_id, by: null, note: end_reason }
  return { status: status === 'denied' ? 'denied' : 'granted', approval_id, by: decided_by, note }
}
