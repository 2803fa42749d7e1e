/** What is not done yet, as lines: each kind with a heading, one thing to a line. */
import type { Pending } from '../query/pending.ts'
import type { CliOutput } from './output.ts'
import { printable, readableTime, shortened } from './printable.ts'

/** Kinds of which there is nothing are left out. */
export function pendingLines(pending: Pending, output: CliOutput): string[] {
  const kinds: [title: string, lines: string[]][] = [
    [
      'effects',
      pending.effects.map(
        ({ name, stream_id, phase, failed, key }) =>
          `${name} of ${stream_id} (${key}): ${phase}${failed > 0 ? `, failed ${failed} times` : ''}`,
      ),
    ],
    [
      'approvals',
      pending.approvals.map(
        ({ tool, approval_id, run_id, state, reason }) =>
          `${tool} (${approval_id}) of ${run_id}: ${state}, ${reason}`,
      ),
    ],
    [
      'timers',
      pending.timers.map(
        ({ stream_id, due_at, key }) => `${readableTime(due_at ?? '')}  ${stream_id} (${key})`,
      ),
    ],
    [
      'tool calls',
      pending.tool_calls.map(
        ({ tool, call_id, state, in_doubt, run_id }) =>
          `${tool} (${call_id}) of ${run_id}: ${in_doubt ? 'in doubt, nobody knows whether it happened' : state}`,
      ),
    ],
    [
      'handoffs',
      pending.handoffs.map(
        ({ type, from, to, state, handoff_id }) => `${type} (${handoff_id}) ${from} → ${to}: ${state}`,
      ),
    ],
    ['mail', pending.mail.map(({ type, from, to }) => `${type} ${from} → ${to}`)],
    ['parked', pending.parked.map(({ id, agent_id, reason }) => `${agent_id ?? id} (${id}): ${reason}`)],
    ['paused forks', [...pending.paused_forks]],
    [
      'dead letters',
      pending.dead_letters.map(
        ({ from, to, event, reason }) =>
          `${(event as { type?: string } | null)?.type ?? 'event'} ${from} → ${to}: ${reason}`,
      ),
    ],
  ]
  const room = output.isTerminal ? output.columns - 2 : Number.POSITIVE_INFINITY
  const lines = kinds.flatMap(([title, each]) =>
    each.length === 0
      ? []
      : [output.paint('bold', title), ...each.map((text) => `  ${shortened(printable(text), room)}`)],
  )
  return lines.length === 0 ? ['nothing is owed'] : lines
}
