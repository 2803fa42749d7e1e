/** A session: a durable context of work with a role, from `created` to `archived`. Opens in Stately's editor as it stands. */
import { assign, setup } from 'xstate'
import {
  isClaimable,
  isNewHandoff,
  isPermitted,
  isPermittedToStop,
  isUnsent,
  newSessionRecord,
  remember,
  type Judged,
  type SessionArchived,
  type SessionCompleted,
  type SessionFact,
  type SessionInput,
  type SessionPaused,
  type SessionRecord,
  type SessionResumed,
} from './session-record.ts'
import { isCheckpointDue, isNewlyHigh, isUnbooked, isUncontinued } from './session-work.ts'

type SessionActivated = Judged & { readonly type: 'session.active' }

export type SessionEvent =
  | SessionActivated
  | SessionPaused
  | SessionResumed
  | SessionCompleted
  | SessionArchived
  | SessionFact

export const sessionMachine = setup({
  types: {
    context: {} as SessionRecord,
    events: {} as SessionEvent,
    input: {} as SessionInput,
  },
  guards: {
    permitted: ({ event }) => isPermitted(event as Judged & { type: string }),
    permittedToStop: ({ event }) => isPermittedToStop(event as Judged & { type: string }),
    newHandoff: ({ context, event }) => event.type === 'handoff.received' && isNewHandoff(context, event),
    unsent: ({ context, event }) => event.type === 'handoff.generated' && isUnsent(context, event),
    claimable: ({ context, event }) => event.type === 'handoff.claimed' && isClaimable(context, event),
    unbooked: ({ context, event }) => event.type === 'session.spent' && isUnbooked(context, event),
    newlyHigh: ({ context }) => isNewlyHigh(context),
    checkpointDue: ({ context, event }) =>
      event.type === 'session.checkpoint_due' && isCheckpointDue(context, event),
    uncontinued: ({ context, event }) => event.type === 'session.continued' && isUncontinued(context, event),
  },
  actions: {
    remember: assign(({ context, event }) => remember(context, event as SessionFact)),
    noteStart: assign(({ event }) => ({
      started_at: event.at,
      last_activity: event.at,
      active_since: event.at,
    })),
    notePause: assign(({ event }) => ({
      last_activity: event.at,
      active_since: null,
      context_high_at: null,
      pause_reason: event.type === 'session.paused' ? event.reason : null,
    })),
    noteResume: assign(({ event }) => ({
      last_activity: event.at,
      pause_reason: null,
      active_since: event.at,
      checkpoint_due: false,
    })),
    noteEnd: assign(({ event }) => ({
      last_activity: event.at,
      active_since: null,
      context_high_at: null,
      completed_at: event.at,
      end_reason: event.type === 'session.completed' ? event.reason : null,
    })),
    noteArchive: assign(({ event }) =>
      event.type === 'session.archived' ? { archive: event.archive ?? null } : {},
    ),
  },
}).createMachine({
  id: 'session',
  version: '1',
  context: ({ input }) => newSessionRecord(input),
  initial: 'created',
  on: {
    'session.named': { actions: 'remember' },
    'session.progressed': { actions: 'remember' },
    'session.tagged': { actions: 'remember' },
    'session.decided': { actions: 'remember' },
    'session.artifact_added': { actions: 'remember' },
    'session.spent': { guard: 'unbooked', actions: 'remember' },
    'session.context_reported': { actions: 'remember' },
    'session.context_high': { guard: 'newlyHigh', actions: 'remember' },
    'session.checkpoint_due': { guard: 'checkpointDue', actions: 'remember' },
    'session.continued': { guard: 'uncontinued', actions: 'remember' },
    'handoff.generated': { guard: 'unsent', actions: 'remember' },
    'handoff.received': { guard: 'newHandoff', actions: 'remember' },
    'handoff.claimed': { guard: 'claimable', actions: 'remember' },
  },
  states: {
    created: {
      on: {
        'session.active': { guard: 'permitted', target: 'active', actions: 'noteStart' },
        'session.completed': { guard: 'permittedToStop', target: 'completed', actions: 'noteEnd' },
      },
    },
    active: {
      on: {
        'session.paused': { guard: 'permittedToStop', target: 'paused', actions: 'notePause' },
        'session.completed': { guard: 'permittedToStop', target: 'completed', actions: 'noteEnd' },
      },
    },
    paused: {
      on: {
        'session.resumed': { guard: 'permitted', target: 'active', actions: 'noteResume' },
        'session.completed': { guard: 'permittedToStop', target: 'completed', actions: 'noteEnd' },
      },
    },
    completed: {
      on: {
        'session.archived': { target: 'archived', actions: 'noteArchive' },
      },
    },
    archived: { type: 'final' },
  },
})
