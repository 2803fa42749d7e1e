/** One call of a tool: requested, judged by the hooks' recorded testimony or by a person, executing, settled. Opens in Stately's editor as it stands. */
import { assign, setup } from 'xstate'
import type { ErrorRecord } from './agent.machine.ts'
import { verdictOf, type Testimony, type Verdict } from './testimony.ts'

export type ToolCallInput = {
  readonly call_id: string
  readonly tool: string
  readonly capabilities: readonly string[]
  readonly parameters: unknown
  readonly run_id: string
  readonly session_id: string
  readonly agent_role: string
  readonly project: string
  /** USD; `null` if nothing could estimate it. */
  readonly estimated_cost: number | null
  readonly estimated_tokens?: number
  readonly at: string
}

export type ToolCallOutcome =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }
  | { readonly kind: 'denied'; readonly verdict: Verdict }

export type ToolCallContext = ToolCallInput & {
  readonly testimony: readonly Testimony[]
  readonly verdict: Verdict | null
  /** The person's decision that it needs; `null` if the hooks decide. */
  readonly approval_id: string | null
  /** How often the execution was begun. */
  readonly attempts: number
  /** Begun before a crash, and a person is asked whether it happened. */
  readonly in_doubt: boolean
  readonly outcome: ToolCallOutcome | null
}

export type ToolCallEvent =
  | {
      readonly type: 'tool.judged'
      readonly testimony: readonly Testimony[]
      /** Where a person is asked, if the hooks leave it to one. */
      readonly approval_id?: string
      readonly at: string
    }
  /** The grant is reserved for this call. */
  | {
      readonly type: 'tool.approved'
      readonly approval_id: string
      readonly by: string
      readonly at: string
    }
  /** Before it began: by a person, or because what it needs is not there. */
  | {
      readonly type: 'tool.denied'
      readonly by: string
      readonly reason: string
      readonly alternatives: readonly string[]
      readonly at: string
    }
  | { readonly type: 'tool.started'; readonly at: string }
  | { readonly type: 'tool.succeeded'; readonly output?: unknown; readonly at: string }
  | { readonly type: 'tool.failed'; readonly error: ErrorRecord; readonly at: string }
  | { readonly type: 'tool.doubted'; readonly at: string }
  /** A person has found out that it did not happen: it may run again. */
  | { readonly type: 'tool.cleared'; readonly by: string; readonly at: string }

export const toolCallMachine = setup({
  types: {
    context: {} as ToolCallContext,
    events: {} as ToolCallEvent,
    input: {} as ToolCallInput,
  },
  guards: {
    allowedByHooks: ({ event }) =>
      event.type === 'tool.judged' && verdictOf(event.testimony, { stopping: false }).allowed,
    leftToPerson: ({ event }) =>
      event.type === 'tool.judged' &&
      event.approval_id !== undefined &&
      verdictOf(event.testimony, { stopping: false }).requires_approval === true,
    /** By the decision that this call waits for, and no other. */
    isItsApproval: ({ context, event }) =>
      event.type === 'tool.approved' && event.approval_id === context.approval_id,
  },
  actions: {
    noteVerdict: assign(({ event }) =>
      event.type === 'tool.judged'
        ? { testimony: event.testimony, verdict: verdictOf(event.testimony, { stopping: false }) }
        : {},
    ),
    noteAsking: assign(({ event }) =>
      event.type === 'tool.judged' ? { approval_id: event.approval_id ?? null } : {},
    ),
    noteRefusal: assign(({ event }) => {
      if (event.type !== 'tool.denied') return {}
      const { by, reason, alternatives } = event
      const verdict: Verdict = { allowed: false, by, reason, alternatives, bypassed: [] }
      return { verdict, outcome: { kind: 'denied', verdict } as const }
    }),
    noteDenial: assign(({ context }) =>
      context.verdict === null ? {} : { outcome: { kind: 'denied', verdict: context.verdict } as const },
    ),
    noteAttempt: assign(({ context }) => ({ attempts: context.attempts + 1 })),
    noteDoubt: assign({ in_doubt: true }),
    noteClearance: assign({ in_doubt: false }),
    noteOutcome: assign(({ event }) => {
      if (event.type === 'tool.succeeded') {
        return { in_doubt: false, outcome: { kind: 'succeeded', output: event.output ?? null } as const }
      }
      if (event.type === 'tool.failed') {
        return { in_doubt: false, outcome: { kind: 'failed', error: event.error } as const }
      }
      return {}
    }),
  },
}).createMachine({
  id: 'toolCall',
  version: '1',
  context: ({ input }) => ({
    ...input,
    testimony: [],
    verdict: null,
    approval_id: null,
    attempts: 0,
    in_doubt: false,
    outcome: null,
  }),
  initial: 'requested',
  states: {
    requested: {
      on: {
        'tool.judged': [
          { guard: 'allowedByHooks', target: 'judged', actions: 'noteVerdict' },
          { guard: 'leftToPerson', target: 'waiting', actions: ['noteVerdict', 'noteAsking'] },
          { target: 'settled', actions: ['noteVerdict', 'noteDenial'] },
        ],
      },
    },
    waiting: {
      on: {
        'tool.approved': { guard: 'isItsApproval', target: 'judged' },
        'tool.denied': { target: 'settled', actions: 'noteRefusal' },
      },
    },
    judged: {
      on: {
        'tool.denied': { target: 'settled', actions: 'noteRefusal' },
        'tool.started': { target: 'executing', actions: 'noteAttempt' },
      },
    },
    executing: {
      on: {
        // Started again after a crash, where the tool's policy allows it.
        'tool.started': { actions: 'noteAttempt' },
        'tool.succeeded': { target: 'settled', actions: 'noteOutcome' },
        'tool.failed': { target: 'settled', actions: 'noteOutcome' },
        'tool.doubted': { actions: 'noteDoubt' },
        'tool.cleared': { target: 'judged', actions: 'noteClearance' },
      },
    },
    settled: { type: 'final' },
  },
})
