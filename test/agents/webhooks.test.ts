/** The end of a run told to a real HTTP server that fails first: signed, tried again, over restarts, or kept as dead (O-035). */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { defineAgent, type RuntimeOptions } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime } from '../../src/testing/index.ts'
import { allEvents, until } from './project-folder.ts'

const secret = 'a secret of some length'
const options: RuntimeOptions = {
  agents: [defineAgent('good', () => ({ metrics: { n: 1 } }))],
  webhooks: { secret },
}

type Got = { readonly headers: IncomingHttpHeaders; readonly body: string }
const servers: Server[] = []
const runtimes: TestRuntime[] = []
afterEach(async () => {
  await Promise.all(runtimes.splice(0).map((runtime) => runtime.close()))
  for (const server of servers.splice(0)) server.close()
})

/** Answers with these codes, one after the other, and with the last one from then on. */
async function server(...codes: readonly number[]): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = []
  const listening = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      response.writeHead(codes[Math.min(got.length, codes.length) - 1] ?? 200).end()
    })
  })
  servers.push(listening)
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/hook`, got }
}

async function open(): Promise<TestRuntime> {
  const runtime = await createTestRuntime(options)
  runtimes.push(runtime)
  return runtime
}
const statusOf = async (runtime: TestRuntime): Promise<string | undefined> =>
  (await runtime.webhooks.list())[0]?.status

test('is delivered with a signature that holds, after the server has failed twice, over a restart (O-035)', async () => {
  const { url, got } = await server(500, 503, 204)
  const first = await open()
  const run = await first.agents.startById({ agent_id: 'good', webhook: { url } })
  await until(async () => (await statusOf(first)) === 'waiting')
  await first.clock.advance(1_000)
  await until(async () => got.length === 2 && (await statusOf(first)) === 'waiting')
  const second = await first.restart()
  runtimes.splice(0, 1, second)
  await second.clock.advance(4_000)
  await until(async () => (await statusOf(second)) === 'delivered')
  expect(got).toHaveLength(3)
  const ids = new Set(got.map(({ headers }) => headers['webhook-id']))
  expect([...ids]).toEqual([`webhook_${run.run_id}`])
  expect(new Set(got.map(({ body }) => body)).size).toBe(1)
  for (const { headers, body } of got) {
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
    const signature = createHmac('sha256', secret).update(signed).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${signature}`)
  }
  expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({
    type: 'agent.ended',
    data: { run_id: run.run_id, status: 'completed', output: { metrics: { n: 1 } } },
  })
  // The secret is nowhere in the log.
  expect(JSON.stringify(await allEvents(second))).not.toContain(secret)
})

test('is given up after eight attempts, kept with its reason, and sent again by hand', async () => {
  const { url, got } = await server(...Array.from({ length: 8 }, () => 500), 200)
  const runtime = await open()
  await runtime.agents.startById({ agent_id: 'good', webhook: { url } })
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    await until(async () => got.length === attempt && (await statusOf(runtime)) !== 'sending')
    await runtime.clock.advance(1_000 * 4 ** (attempt - 1))
  }
  const [webhook] = await runtime.webhooks.list()
  expect(webhook).toMatchObject({ status: 'dead', attempts: 8, last_error: 'HTTP 500' })
  await runtime.webhooks.retry(webhook?.webhook_id ?? '', { by: 'ann' })
  await until(async () => (await statusOf(runtime)) === 'delivered')
  await expect(runtime.webhooks.retry(webhook?.webhook_id ?? '', { by: 'ann' })).rejects.toMatchObject({
    code: 'WEBHOOK_UNKNOWN',
  })
  await expect(runtime.webhooks.retry('x', { by: 'ann' })).rejects.toMatchObject({ code: 'WEBHOOK_UNKNOWN' })
})

test.each(['ftp://x/', 'javascript:1', 'nonsense', ''])(
  'an address like "%s" is refused, nothing is written',
  async (url) => {
    const runtime = await open()
    const position = runtime.store.position()
    await expect(runtime.agents.startById({ agent_id: 'good', webhook: { url } })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      details: { path: 'webhook.url' },
    })
    expect(runtime.store.position()).toBe(position)
  },
)

test('without a secret no webhook is taken', async () => {
  const runtime = await createTestRuntime({ agents: options.agents ?? [] })
  runtimes.push(runtime)
  await expect(
    runtime.agents.startById({ agent_id: 'good', webhook: { url: 'http://127.0.0.1:9/' } }),
  ).rejects.toMatchObject({ code: 'INPUT_INVALID', details: { path: 'webhook' } })
  await expect(createTestRuntime({ webhooks: { secret: 'short' } })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
})
