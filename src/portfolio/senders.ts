/** Where notices to people go: the console, a file, a webhook, or what a user writes against the same small interface. */
import { appendFile, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Notice } from '../../machines/project.machine.ts'

/** Takes a notice; throws if it did not get there. It may be given the same notice again after a crash. */
export interface NoticeSender {
  readonly name: string
  send(notice: Notice, signal: AbortSignal): Promise<void>
}

export function consoleSender(write: (line: string) => void = (line) => console.warn(line)): NoticeSender {
  return {
    name: 'console',
    async send({ channel, message }) {
      write(`[${channel}] ${message}`)
    },
  }
}

/** Appends one JSON line for each notice. */
export function fileSender(path: string): NoticeSender {
  return {
    name: 'file',
    async send(notice) {
      await mkdir(dirname(path), { recursive: true })
      await appendFile(path, `${JSON.stringify(notice)}\n`)
    },
  }
}

export type WebhookSenderOptions = {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Default the platform's. */
  readonly fetch?: typeof fetch
}

/** Posts the notice as JSON, with its key as `idempotency-key`, so that the receiver can tell a repeated one. */
export function webhookSender({
  url,
  headers = {},
  fetch: post = fetch,
}: WebhookSenderOptions): NoticeSender {
  return {
    name: 'webhook',
    async send(notice, signal) {
      const response = await post(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': notice.notice_id },
        body: JSON.stringify({ ...notice, text: `[${notice.channel}] ${notice.message}` }),
        signal,
      })
      if (!response.ok) throw new Error(`the webhook answered ${response.status}`)
    },
  }
}
