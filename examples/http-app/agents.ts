/** The two background agents that work on each ticket: one judges how urgent it is, one drafts an answer. */
import { currentRuntime, defineAgent } from '@agent-orchestration/core'
import { z } from 'zod'
import { ticketMachine, type TicketEvent } from './ticket.machine.ts'

const input = z.object({ ticket_id: z.string(), text: z.string() })

const triage = defineAgent({
  id: 'triage',
  input,
  run: async (ctx, { ticket_id, text }) => {
    const urgency = await ctx.step('judge', () => (/down|lost|urgent/i.test(text) ? 'high' : 'low'))
    await ctx.step('tell', () => tell(ticket_id, { type: 'triaged', urgency }))
    return { urgency }
  },
})

const draftReply = defineAgent({
  id: 'draft-reply',
  input,
  run: async (ctx, { ticket_id, text }) => {
    const draft = await ctx.step('write', () => `Thank you for writing to us about: ${text.slice(0, 80)}`)
    await ctx.step('tell', () => tell(ticket_id, { type: 'drafted', draft }))
    return { draft }
  },
})

export const ticketAgents = [triage, draftReply]

/** A ticket that hears the same twice, after a crash in between, is none the worse for it. */
async function tell(ticketId: string, event: TicketEvent): Promise<void> {
  const ticket = await currentRuntime().get(ticketMachine, ticketId)
  if (ticket === undefined) throw new Error(`There is no ticket ${ticketId}.`)
  await ticket.send(event)
}
