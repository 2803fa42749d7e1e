/** Webhooks: the end of a run told to an address over HTTP, signed, tried again, kept when it is given up. */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { webhookMachine, type WebhookContext } from '../../machines/webhook.machine.ts'
import { leafLogic } from '../runtime/cell/callback-logic.ts'
import { isoTime } from '../runtime/clock.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'
import { unlessErased } from '../runtime/cell/cell-errors.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { SessionDirectory } from '../sessions/directory.ts'
import type { BackgroundAgentResult } from './run-result.ts'

const PREFIX = 'webhook_'
const TIMEOUT_MS = 15_000

export const webhookSchema = z.strictObject({ url: z.url({ protocol: /^https?$/ }) })

export type WebhookOptions = {
  /** Signs what is sent; at least 16 characters. It is never in the log. */
  readonly secret: string
}

/** How a webhook stands. `dead`: eight attempts failed, and only `retry` sends it again. */
export type Webhook = Omit<WebhookContext, 'body'> & {
  readonly status: 'armed' | 'sending' | 'waiting' | 'delivered' | 'dead'
}

export interface WebhookService {
  list(): Promise<Webhook[]>
  /** Sends a dead one again. @throws RuntimeError `WEBHOOK_UNKNOWN` */
  retry(webhookId: string, input: { readonly by: string }): Promise<void>
}

type WebhookActor = DurableActor<typeof webhookMachine>

/** The machine with the code that posts; the engine comes late, as it runs the machine. */
export function postingMachine(host: {
  readonly engine: () => Engine
  readonly secret: string | undefined
  readonly onError: (error: unknown) => void
}): typeof webhookMachine {
  return webhookMachine.provide({
    actors: {
      post: leafLogic<{ webhook_id: string; url: string; body: string }>(async (mail, signal) => {
        const engine = host.engine()
        const outcome = await posted(mail, { secret: host.secret, now: engine.clock.now(), signal })
        // Stopped in the middle: it is sent again at the next opening, with the same id.
        if (signal.aborted) return
        const fact = { ...outcome, at: isoTime(engine.clock) }
        await engine.sendOutcome(mail.webhook_id, fact)
      }, host.onError) as never,
    },
  })
}

type Outcome =
  | { readonly type: 'webhook.delivered'; readonly status: number }
  | { readonly type: 'webhook.failed'; readonly error: string }

async function posted(
  mail: { readonly webhook_id: string; readonly url: string; readonly body: string },
  by: { readonly secret: string | undefined; readonly now: number; readonly signal: AbortSignal },
): Promise<Outcome> {
  if (by.secret === undefined) return { type: 'webhook.failed', error: 'no secret to sign it with' }
  const timestamp = String(Math.floor(by.now / 1000))
  const signed = `${mail.webhook_id}.${timestamp}.${mail.body}`
  try {
    const response = await fetch(mail.url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        'webhook-id': mail.webhook_id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${createHmac('sha256', by.secret).update(signed).digest('base64')}`,
      },
      body: mail.body,
      signal: AbortSignal.any([by.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    await response.body?.cancel()
    if (response.ok) return { type: 'webhook.delivered', status: response.status }
    return { type: 'webhook.failed', error: `HTTP ${response.status}` }
  } catch (error) {
    const { message, cause } = error as Error
    return {
      type: 'webhook.failed',
      error: cause instanceof Error ? `${message}: ${cause.message}` : message,
    }
  }
}

export type WebhookDesk = {
  readonly service: WebhookService
  /** Before the run begins, so that its end cannot be missed. @throws RuntimeError `INPUT_INVALID` without a secret */
  arm(runId: string, url: string): Promise<void>
  /** Fires those whose run ended when nobody was there. */
  recover(): Promise<void>
}

export function createWebhookDesk(host: {
  readonly engine: Engine
  readonly directory: SessionDirectory
  readonly closing: AbortSignal
  readonly hasSecret: boolean
  result(runId: string): Promise<BackgroundAgentResult>
}): WebhookDesk {
  const { engine, directory, closing } = host
  const armed = new Set<string>()
  const find = async (runId: string): Promise<WebhookActor | undefined> =>
    engine.get(webhookMachine, `${PREFIX}${runId}`)
  const all = async (): Promise<WebhookActor[]> => {
    const actors: (WebhookActor | undefined)[] = []
    for await (const { stream_id } of engine.store.heads(PREFIX)) {
      actors.push(await unlessErased(find(stream_id.slice(PREFIX.length))))
    }
    return actors.filter((actor) => actor !== undefined)
  }
  const fire = async (runId: string): Promise<void> => {
    const actor = await find(runId)
    if (actor === undefined) return
    const result = await host.result(runId)
    const { logs: _logs, ...output } = result.output
    const body = JSON.stringify({ type: 'agent.ended', data: { ...result, output } })
    await actor.send({ type: 'webhook.fired', body, at: isoTime(engine.clock) }, { source: runId })
    armed.delete(runId)
  }
  directory.subscribe((row) => {
    if (row.outcome === null || closing.aborted || !armed.has(row.id)) return
    fire(row.id).catch((error: unknown) => {
      if (!closing.aborted) engine.onError(error)
    })
  })
  return {
    service: {
      async list() {
        return (await all()).map((actor) => {
          const { context, value } = actor.getSnapshot()
          const { body: _body, ...rest } = context
          return { ...rest, status: value }
        })
      },
      async retry(webhookId, { by }) {
        const actor = await find(webhookId.slice(PREFIX.length))
        const fact = { type: 'webhook.retried', by, at: isoTime(engine.clock) } as const
        if (actor === undefined || !(await actor.send(fact, { source: by })).accepted)
          throw notDead(webhookId)
      },
    },
    async arm(runId, url) {
      if (!host.hasSecret) throw noSecret()
      const id = `${PREFIX}${runId}`
      await engine.spawn(webhookMachine, {
        id,
        createdAs: 'webhook.armed',
        correlationId: runId,
        input: { webhook_id: id, run_id: runId, url, at: isoTime(engine.clock) },
      })
      armed.add(runId)
    },
    async recover() {
      for (const actor of await all()) {
        const { context, value } = actor.getSnapshot()
        if (value !== 'armed') continue
        armed.add(context.run_id)
        if (((await directory.row(context.run_id))?.outcome ?? null) !== null) await fire(context.run_id)
      }
    },
  }
}

function noSecret(): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: 'A run was to be started with a webhook, and there is no secret to sign it with.',
    expected: 'A secret of at least 16 characters.',
    todo: 'Open the runtime with createRuntime({ webhooks: { secret } }); nothing was written.',
    details: { what: 'startBackgroundAgent', path: 'webhook' },
  })
}

function notDead(id: string): RuntimeError {
  return new RuntimeError('WEBHOOK_UNKNOWN', {
    happened: `There is no webhook "${id}" that was given up.`,
    expected: 'The webhook_id of one with status `dead`.',
    todo: 'List them with runtime.webhooks.list().',
    details: { webhook_id: id },
  })
}
