/** A web server with a durable runtime in it: `npx tsx watch examples/http-app/index.ts`, then see its README. */
import { createRuntime } from '@agent-orchestration/core'
import { serve } from '@hono/node-server'
import { ticketAgents } from './agents.ts'
import { createApp } from './app.ts'
import { ticketMachine } from './ticket.machine.ts'

const runtime = await createRuntime({
  path: process.env['PROJECT_PATH'] ?? '.project',
  machines: [ticketMachine],
  agents: ticketAgents,
})
const server = serve(
  { fetch: createApp(runtime).fetch, port: Number(process.env['PORT'] ?? 3000) },
  ({ port }) => console.log(`listening on http://localhost:${port}`),
)

// The library installs no signal handlers: what a signal means is the program's to say.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    server.close(() => void runtime.close())
    if ('closeIdleConnections' in server) server.closeIdleConnections()
  })
