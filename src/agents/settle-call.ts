/** A person's answer to a tool call in doubt: it happened, with this output; or it did not, and may run again. */
import { z } from 'zod'
import { copyAsJson } from '../../eventstore/payload.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { checkedInput } from '../runtime/checked-input.ts'

const answerSchema = z.discriminatedUnion('happened', [
  z.object({ happened: z.literal(true), output: z.unknown().optional(), by: z.string().min(1).optional() }),
  z.object({ happened: z.literal(false), by: z.string().min(1).optional() }),
])

/** `by`: who found out. */
export type CallAnswer = z.input<typeof answerSchema>

/** Records the answer. @throws RuntimeError `TOOL_UNKNOWN`, `INPUT_INVALID`, `SESSION_REFUSED` when it is not in doubt */
export async function settleCall(engine: Engine, callId: string, raw: CallAnswer): Promise<void> {
  const answer = checkedInput(answerSchema, raw, 'settleCall')
  const found = await engine.find(callId)
  if (found?.machine !== 'toolCall') throw unknownCall(callId)
  const { context } = found.actor.getSnapshot() as unknown as { context: { in_doubt: boolean } }
  if (!context.in_doubt) throw notInDoubt(callId)
  const by = answer.by ?? 'a person'
  const at = isoTime(engine.clock)
  if (!answer.happened) {
    await engine.send(callId, { type: 'tool.cleared', by, at } as never, { source: by })
    return
  }
  const output = copyAsJson(answer.output, { root: () => 'output', outcome: false }).value
  await engine.send(callId, { type: 'tool.succeeded', output, at } as never, { source: by })
}

function unknownCall(callId: string): RuntimeError {
  return new RuntimeError('TOOL_UNKNOWN', {
    happened: `There is no tool call "${callId}".`,
    expected: 'The id of a tool call, as the parked run names it.',
    todo: 'Look at the run: its error names the call that is in doubt.',
    details: { call_id: callId },
  })
}

function notInDoubt(callId: string): RuntimeError {
  return new RuntimeError('SESSION_REFUSED', {
    happened: `Tool call "${callId}" is not in doubt.`,
    expected: 'A call that was begun before a crash and has no recorded outcome.',
    todo: `Nothing to do; see how it stands with agentctl show ${callId}.`,
    details: { call_id: callId },
  })
}
