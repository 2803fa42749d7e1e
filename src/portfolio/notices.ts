/** Tells people: each notice is recorded before it is sent, sent at least once, and the same one not again. */
import { z } from 'zod'
import { createHash } from 'node:crypto'
import type { Notice, ProjectContext } from '../../machines/project.machine.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { Receipt } from '../runtime/cell/cell.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import type { PortfolioProviders } from './providers.ts'
import { consoleSender } from './senders.ts'

const noticeSchema = z.object({
  channel: z.string().min(1).max(200).default('#general'),
  message: z.string().min(1).max(10_000),
  details: z.record(z.string(), z.unknown()).default({}),
  /** Two notices of one key are one; default each is its own. */
  dedup_key: z.string().min(1).max(300).optional(),
})
export type NoticeInput = z.input<typeof noticeSchema>

export interface Notices {
  /** Tells people; secrets in the details are left out. A failing sender breaks nothing: it is on the record. */
  notify(input: NoticeInput, project?: string): Promise<void>
  /** The same blockers of the same session are told once. */
  notifyTeamOfBlocker(session_name: string, blockers: readonly string[], project?: string): Promise<void>
  /** Sends what was recorded and not sent before a crash. */
  sendPending(): Promise<void>
}

/** How long one sender may take. */
const SENDER_LIMIT_MS = 10_000

type NoticesHost = {
  readonly engine: Engine
  readonly newId: NewId
  readonly defaultProject: string
  readonly providers: PortfolioProviders
  readonly contextOf: (project: string) => Promise<ProjectContext | undefined>
  readonly say: (project: string, fact: { type: string }) => Promise<Receipt>
}

export function createNotices(host: NoticesHost): Notices {
  const { engine, newId, defaultProject, contextOf, say } = host
  const senders = host.providers.senders ?? [consoleSender()]

  const sendOne = async (project: string, notice: Notice): Promise<void> => {
    const failures: { sender: string; message: string }[] = []
    await Promise.all(
      senders.map(async (sender) => {
        try {
          await sender.send(notice, AbortSignal.timeout(SENDER_LIMIT_MS))
        } catch (error) {
          failures.push({
            sender: sender.name,
            message: error instanceof Error ? error.message : String(error),
          })
        }
      }),
    )
    const names = senders.map(({ name }) => name)
    await say(project, {
      type: 'notice.sent',
      notice_id: notice.notice_id,
      senders: names,
      failures,
    } as never)
    for (const { sender, message } of failures) {
      engine.onError(new Error(`the notice ${notice.notice_id} did not reach "${sender}": ${message}`))
    }
  }
  const notices: Notices = {
    async notify(raw, project = defaultProject) {
      const { dedup_key, details, ...input } = checkedInput(noticeSchema, raw, 'notify')
      const notice_id = newId('notice')
      const notice: Notice = {
        ...input,
        notice_id,
        dedup_key: dedup_key ?? notice_id,
        details: redactSecrets(details) as Notice['details'],
        at: isoTime(engine.clock),
      }
      const { accepted } = await say(project, { type: 'notice.requested', ...notice })
      if (accepted) await sendOne(project, notice)
    },
    async notifyTeamOfBlocker(session_name, blockers, project = defaultProject) {
      const key = createHash('sha256')
        .update(JSON.stringify([session_name, ...blockers]))
        .digest('hex')
      await notices.notify(
        {
          channel: '#blockers',
          message: `${session_name} is blocked: ${blockers.join('; ')}`,
          details: { session_name, blockers: [...blockers] },
          dedup_key: `blocker:${key}`,
        },
        project,
      )
    },
    async sendPending() {
      for await (const { stream_id } of engine.store.heads('project:')) {
        const project = stream_id.slice('project:'.length)
        for (const notice of (await contextOf(project))?.pending ?? []) await sendOne(project, notice)
      }
    },
  }
  return notices
}
