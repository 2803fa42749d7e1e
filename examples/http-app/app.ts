/** The routes. Each request runs in a scope of its own: the articles' functions work in it and see no other request. */
import { currentSessionId, startBackgroundAgent, startSession, type Runtime } from '@agent-orchestration/core'
import { Hono } from 'hono'
import { z } from 'zod'
import { ticketMachine } from './ticket.machine.ts'

const ticketBody = z.object({ text: z.string().min(1).max(10_000) })

/** The app over a runtime that has the ticket's machine and agents; who opened the runtime closes it. */
export function createApp(runtime: Runtime): Hono {
  const app = new Hono()
  app.use((_c, next) => runtime.run(next))

  app.post('/tickets', async (c) => {
    const body = ticketBody.safeParse(await c.req.json().catch(() => undefined))
    if (!body.success) return c.json({ error: 'a ticket has a text of 1 to 10,000 characters' }, 400)
    const { text } = body.data
    // Ends with the request; what it delegates to the agents lives on.
    const session = await startSession({ role: 'supervisor', tags: ['ticket'] })
    const ticket_id = runtime.newId('ticket')
    await runtime.spawn(ticketMachine, { id: ticket_id, input: { text } })
    const start = (agent_id: string): Promise<string> =>
      startBackgroundAgent({ agent_id, task_description: text, input: { ticket_id, text } })
    const runs = await Promise.all([start('triage'), start('draft-reply')])
    return c.json({ ticket_id, session_id: session.id, runs }, 202)
  })

  app.get('/tickets/:id', async (c) => {
    const ticket = await runtime.get(ticketMachine, c.req.param('id'))
    if (ticket === undefined) return c.json({ error: 'no such ticket' }, 404)
    const { value, context } = ticket.getSnapshot()
    return c.json({ state: value, ...context })
  })

  app.post('/tickets/:id/close', async (c) => {
    const ticket = await runtime.get(ticketMachine, c.req.param('id'))
    if (ticket === undefined) return c.json({ error: 'no such ticket' }, 404)
    const { accepted, reason } = await ticket.send({ type: 'close' })
    return c.json({ accepted, reason }, accepted ? 200 : 409)
  })

  /** The session that this request belongs to: none, as it has started none. */
  app.get('/session', (c) => c.json({ session_id: currentSessionId() ?? null }))

  return app
}
