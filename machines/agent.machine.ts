/** A background agent's run: queued, at work through recorded steps, ended with an outcome. Opens in Stately's editor as it stands. */
import { assign, enqueueActions, fromCallback, setup } from 'xstate'
import type { AgentEvent } from './agent-events.ts'
import { outcomeOf } from './agent-outcome.ts'
import { newRun, type AgentContext, type AgentInput } from './agent-record.ts'
import { held, isNews, mayRun, waitsAfter } from './run-deadline.ts'
import {
  isClaimable,
  isNewHandoff,
  isPermitted,
  isPermittedToStop,
  isUnsent,
  remember,
  type Judged,
  type SessionFact,
} from './session-record.ts'
import { isNewlyHigh, isUnbooked, isUncontinued } from './session-work.ts'

export type { AgentEvent } from './agent-events.ts'
export type { AgentContext, AgentInput, AgentOutcome, ErrorRecord, StepRef } from './agent-record.ts'

export const agentMachine = setup({
  types: {
    context: {} as AgentContext,
    events: {} as AgentEvent,
    input: {} as AgentInput,
  },
  actors: {
    /** Waits for a free place, then sends `agent.started`. Provided by the runtime. */
    admission: fromCallback<AgentEvent, { run_id: string; role: string }>(() => {}),
    /** Runs the handler, then sends `agent.succeeded`, `agent.failed` or `agent.parked`. Provided by the runtime. */
    handler: fromCallback<AgentEvent, { run_id: string; role: string; project: string }>(() => {}),
  },
  guards: {
    permitted: ({ event }) => isPermitted(event as Judged & { type: string }),
    permittedToStop: ({ event }) => isPermittedToStop(event as Judged & { type: string }),
    newHandoff: ({ context, event }) => event.type === 'handoff.received' && isNewHandoff(context, event),
    unsent: ({ context, event }) => event.type === 'handoff.generated' && isUnsent(context, event),
    claimable: ({ context, event }) => event.type === 'handoff.claimed' && isClaimable(context, event),
    unbooked: ({ context, event }) => event.type === 'session.spent' && isUnbooked(context, event),
    newlyHigh: ({ context }) => isNewlyHigh(context),
    uncontinued: ({ context, event }) => event.type === 'session.continued' && isUncontinued(context, event),
    unobserved: ({ context }) => !context.observed,
    newWait: ({ context, event }) => 'approval_id' in event && isNews(context, event),
    /** What an attempt says counts until the next one has begun. */
    ofThisAttempt: ({ context, event }) => 'attempt' in event && event.attempt === context.attempts,
  },
  actions: {
    remember: assign(({ context, event }) => remember(context, event as SessionFact)),
    countStep: assign(({ context, event }) => ({
      steps: context.steps + 1,
      last_activity: event.at,
      losses: 0,
    })),
    noteActivity: assign(({ event }) => ({ last_activity: event.at })),
    noteAttempt: assign(({ context, event }) => ({
      attempts: context.attempts + 1,
      last_activity: event.at,
      // It waits again when it has come there.
      waiting_for: [],
      ...(event.type === 'agent.began' && { hooks: event.hooks }),
    })),
    noteCost: assign(({ context, event }) =>
      event.type === 'agent.spent'
        ? {
            tokens_used: context.tokens_used + event.tokens,
            cost_micro_usd: context.cost_micro_usd + event.cost_micro_usd,
          }
        : {},
    ),
    noteHeartbeat: assign(({ event }) =>
      event.type === 'agent.heartbeat'
        ? { heartbeat: { at: event.at, details: event.details ?? null }, last_activity: event.at }
        : {},
    ),
    noteLoss: assign(({ context, event }) =>
      event.type === 'agent.lost'
        ? { losses: context.losses + 1, retry_at: event.retry_at, last_activity: event.at }
        : {},
    ),
    notePartial: assign(({ context, event }) =>
      event.type === 'agent.partial'
        ? {
            partial: { value: event.value ?? null, at: event.at },
            own_partials: context.own_partials + (event.own ? 1 : 0),
            last_activity: event.at,
          }
        : {},
    ),
    noteObserver: assign({ observed: true }),
    noteStart: assign(({ context, event }) => ({
      started_at: context.started_at ?? event.at,
      last_activity: event.at,
      retry_at: null,
    })),
    notePause: assign(({ event }) => ({
      last_activity: event.at,
      pause_reason: event.type === 'session.paused' ? event.reason : 'parked',
      parked: event.type === 'agent.parked' ? event.error : null,
    })),
    noteResume: assign(({ event }) => ({
      last_activity: event.at,
      pause_reason: null,
      parked: null,
      context_high_at: null,
    })),
    noteOutcome: assign(({ context, event }) => ({
      last_activity: event.at,
      completed_at: event.at,
      ...outcomeOf(context, event),
    })),
    noteWait: assign(({ context, event }) =>
      'approval_id' in event ? { waiting_for: waitsAfter(context, event), last_activity: event.at } : {},
    ),
    endWaits: assign({ waiting_for: [] }),
    runDeadline: enqueueActions(({ context, event, enqueue }) => {
      if (!mayRun(context)) return
      enqueue.assign({ deadline_since: event.at })
      enqueue.raise({ type: 'agent.deadline', at: '' }, { id: 'deadline', delay: context.deadline_left_ms })
    }),
    holdDeadline: enqueueActions(({ context, event, enqueue }) => {
      enqueue.assign(held(context, event.at))
      enqueue.cancel('deadline')
    }),
  },
}).createMachine({
  id: 'agent',
  version: '1',
  context: ({ input }) => newRun(input),
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
    'session.continued': { guard: 'uncontinued', actions: 'remember' },
    'handoff.generated': { guard: 'unsent', actions: 'remember' },
    'handoff.received': { guard: 'newHandoff', actions: 'remember' },
    'handoff.claimed': { guard: 'claimable', actions: 'remember' },
    'agent.spent': { actions: 'noteCost' },
    'agent.observed': { guard: 'unobserved', actions: 'noteObserver' },
  },
  states: {
    created: {
      invoke: {
        id: 'admission',
        src: 'admission',
        input: ({ context }) => ({ run_id: context.run_id, role: context.role }),
      },
      on: {
        // Resumed or given up, and waiting for a place: what the attempt before had under way may still arrive.
        'agent.logged': { actions: 'noteActivity' },
        'agent.partial': { guard: 'ofThisAttempt', actions: 'notePartial' },
        'agent.heartbeat': { guard: 'ofThisAttempt', actions: 'noteHeartbeat' },
        'step.completed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'step.failed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'agent.started': { guard: 'permitted', target: 'active', actions: 'noteStart' },
        'agent.failed': { target: 'completed', actions: 'noteOutcome' },
        'agent.cancelled': { guard: 'permittedToStop', target: 'completed', actions: 'noteOutcome' },
        'session.paused': { guard: 'permittedToStop', target: 'paused', actions: 'notePause' },
      },
    },
    active: {
      entry: 'runDeadline',
      exit: ['holdDeadline', 'endWaits'],
      invoke: {
        id: 'handler',
        src: 'handler',
        input: ({ context }) => ({ run_id: context.run_id, role: context.role, project: context.project }),
      },
      on: {
        'agent.began': { actions: ['noteAttempt', 'runDeadline'] },
        'agent.partial': { guard: 'ofThisAttempt', actions: 'notePartial' },
        'agent.heartbeat': { guard: 'ofThisAttempt', actions: 'noteHeartbeat' },
        'agent.lost': { guard: 'ofThisAttempt', target: 'created', actions: 'noteLoss' },
        'agent.waiting': { guard: 'newWait', actions: ['noteWait', 'holdDeadline'] },
        'agent.went_on': { guard: 'newWait', actions: ['noteWait', 'runDeadline'] },
        'agent.logged': { actions: 'noteActivity' },
        'command.started': { actions: 'noteActivity' },
        'loop.warned': { actions: 'noteActivity' },
        'loop.stopped': { actions: 'noteActivity' },
        'step.started': { guard: 'ofThisAttempt', actions: 'noteActivity' },
        'step.completed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'step.failed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'agent.succeeded': { target: 'completed', actions: 'noteOutcome' },
        'agent.failed': { target: 'completed', actions: 'noteOutcome' },
        'agent.parked': { target: 'paused', actions: 'notePause' },
        'agent.deadline': { target: 'completed', actions: 'noteOutcome' },
        'agent.cancelled': { guard: 'permittedToStop', target: 'completed', actions: 'noteOutcome' },
        'session.paused': { guard: 'permittedToStop', target: 'paused', actions: 'notePause' },
      },
    },
    paused: {
      on: {
        // What was under way when the pause came is still recorded.
        'agent.logged': { actions: 'noteActivity' },
        'agent.partial': { guard: 'ofThisAttempt', actions: 'notePartial' },
        'agent.heartbeat': { guard: 'ofThisAttempt', actions: 'noteHeartbeat' },
        'step.completed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'step.failed': { guard: 'ofThisAttempt', actions: 'countStep' },
        'session.resumed': { guard: 'permitted', target: 'created', actions: 'noteResume' },
        'agent.cancelled': { guard: 'permittedToStop', target: 'completed', actions: 'noteOutcome' },
      },
    },
    completed: {
      on: {
        // The last lines before a cancel or a deadline.
        'agent.logged': { actions: 'noteActivity' },
        'session.archived': { target: 'archived' },
      },
    },
    archived: { type: 'final' },
  },
})
