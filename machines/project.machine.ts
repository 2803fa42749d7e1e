/** A project: its backlog, what became of blockers, tasks for people, and notices to be sent. Opens in Stately's editor as it stands. */
import { assign, setup } from 'xstate'

export type BacklogItem = {
  /** Unique in the project; also names the feature's sessions and its tag `feature:<slug>`. */
  readonly slug: string
  readonly name: string
  readonly description: string
  readonly requirements: readonly string[]
  readonly files: readonly string[]
  readonly acceptance_criteria: readonly string[]
  readonly priority: 'critical' | 'high' | 'medium' | 'low'
}

/** One blocker of one session. */
export type BlockerRef = { readonly session_id: string; readonly blocker: string }
export type ResolvedBlocker = BlockerRef & { readonly at: string; readonly resolution: string }
export type Escalation = {
  readonly session_id: string
  readonly feature: string
  readonly blockers: readonly string[]
  readonly at: string
}
/** Something only a person can do. */
export type HumanTask = {
  readonly task_id: string
  readonly message: string
  readonly at: string
  readonly done_at: string | null
  readonly answer: string | null
}
/** A notice to people; the same `dedup_key` is sent once. */
export type Notice = {
  readonly notice_id: string
  readonly dedup_key: string
  readonly channel: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly at: string
}

export type ProjectInput = { readonly project: string; readonly at: string }

export type ProjectContext = ProjectInput & {
  /** In the order in which they were added. */
  readonly backlog: readonly BacklogItem[]
  readonly resolved: readonly ResolvedBlocker[]
  readonly escalations: readonly Escalation[]
  readonly tasks: readonly HumanTask[]
  /** Notices that no sender has confirmed yet. */
  readonly pending: readonly Notice[]
  /** Keys of the last notices, so that a repeated one is known. */
  readonly noticed: readonly string[]
}

export type ProjectEvent =
  | { readonly type: 'backlog.added'; readonly item: BacklogItem; readonly at: string }
  | { readonly type: 'backlog.removed'; readonly slug: string; readonly reason: string; readonly at: string }
  | ({ readonly type: 'blocker.resolved' } & ResolvedBlocker)
  | ({ readonly type: 'blocker.escalated' } & Escalation)
  | {
      readonly type: 'task.opened'
      readonly task_id: string
      readonly message: string
      readonly at: string
    }
  | { readonly type: 'task.done'; readonly task_id: string; readonly answer: string; readonly at: string }
  | ({ readonly type: 'notice.requested' } & Notice)
  | {
      readonly type: 'notice.sent'
      readonly notice_id: string
      readonly senders: readonly string[]
      /** What failing senders said; a notice that one sender took is not sent again. */
      readonly failures: readonly { readonly sender: string; readonly message: string }[]
      readonly at: string
    }

const REMEMBERED_NOTICES = 1000

export const projectMachine = setup({
  types: {
    context: {} as ProjectContext,
    events: {} as ProjectEvent,
    input: {} as ProjectInput,
  },
  guards: {
    known: ({ context, event }) =>
      event.type === 'backlog.removed' && context.backlog.some(({ slug }) => slug === event.slug),
    taskOpen: ({ context, event }) =>
      event.type === 'task.done' &&
      context.tasks.some((task) => task.task_id === event.task_id && task.done_at === null),
    taskNew: ({ context, event }) =>
      event.type === 'task.opened' && context.tasks.every((task) => task.task_id !== event.task_id),
    noticeNew: ({ context, event }) =>
      event.type === 'notice.requested' && !context.noticed.includes(event.dedup_key),
    noticePending: ({ context, event }) =>
      event.type === 'notice.sent' && context.pending.some(({ notice_id }) => notice_id === event.notice_id),
  },
  actions: {
    addItem: assign(({ context, event }) =>
      event.type === 'backlog.added'
        ? { backlog: [...context.backlog.filter(({ slug }) => slug !== event.item.slug), event.item] }
        : {},
    ),
    removeItem: assign(({ context, event }) =>
      event.type === 'backlog.removed'
        ? { backlog: context.backlog.filter(({ slug }) => slug !== event.slug) }
        : {},
    ),
    noteResolved: assign(({ context, event }) => {
      if (event.type !== 'blocker.resolved') return {}
      const { type: _type, ...resolved } = event
      return { resolved: [...context.resolved, resolved] }
    }),
    noteEscalated: assign(({ context, event }) => {
      if (event.type !== 'blocker.escalated') return {}
      const { type: _type, ...escalation } = event
      return { escalations: [...context.escalations, escalation] }
    }),
    openTask: assign(({ context, event }) => {
      if (event.type !== 'task.opened') return {}
      const { type: _type, ...task } = event
      return { tasks: [...context.tasks, { ...task, done_at: null, answer: null }] }
    }),
    closeTask: assign(({ context, event }) => {
      if (event.type !== 'task.done') return {}
      const done = { done_at: event.at, answer: event.answer }
      return {
        tasks: context.tasks.map((task) => (task.task_id === event.task_id ? { ...task, ...done } : task)),
      }
    }),
    requestNotice: assign(({ context, event }) => {
      if (event.type !== 'notice.requested') return {}
      const { type: _type, ...notice } = event
      return {
        pending: [...context.pending, notice],
        noticed: [...context.noticed, notice.dedup_key].slice(-REMEMBERED_NOTICES),
      }
    }),
    settleNotice: assign(({ context, event }) =>
      event.type === 'notice.sent'
        ? { pending: context.pending.filter(({ notice_id }) => notice_id !== event.notice_id) }
        : {},
    ),
  },
}).createMachine({
  id: 'project',
  version: '1',
  context: ({ input }) => ({
    ...input,
    backlog: [],
    resolved: [],
    escalations: [],
    tasks: [],
    pending: [],
    noticed: [],
  }),
  initial: 'open',
  states: {
    open: {
      on: {
        'backlog.added': { actions: 'addItem' },
        'backlog.removed': { guard: 'known', actions: 'removeItem' },
        'blocker.resolved': { actions: 'noteResolved' },
        'blocker.escalated': { actions: 'noteEscalated' },
        'task.opened': { guard: 'taskNew', actions: 'openTask' },
        'task.done': { guard: 'taskOpen', actions: 'closeTask' },
        'notice.requested': { guard: 'noticeNew', actions: 'requestNotice' },
        'notice.sent': { guard: 'noticePending', actions: 'settleNotice' },
      },
    },
  },
})
