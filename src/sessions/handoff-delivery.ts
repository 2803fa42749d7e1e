/** Brings a handoff from its sender's stream to its receiver's: at once, or at the next opening after a crash in between. */
import type { Handoff } from '../../machines/session-record.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Receipt } from '../runtime/cell/cell.ts'
import type { Engine } from '../runtime/engine.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { SessionDirectory } from './directory.ts'

/** Delivers; the receiver takes the same handoff in once, however often it comes. */
export function deliver(engine: Engine, handoff: Handoff): Promise<Receipt> {
  const fact = { type: 'handoff.received', handoff, at: isoTime(engine.clock) }
  return engine.send(handoff.to, fact, { source: handoff.from })
}

/** Delivers what the log says was sent and never received. What cannot be delivered stays in its sender's record. */
export async function deliverUndelivered(engine: Engine, directory: SessionDirectory): Promise<void> {
  for (const handoff of await directory.undeliveredHandoffs()) {
    try {
      const { accepted, reason } = await deliver(engine, handoff)
      // Its sender, running again, may have been faster.
      if (!accepted && (await isUndelivered(directory, handoff)))
        engine.onError(undeliverable(handoff, reason))
    } catch (error) {
      engine.onError(undeliverable(handoff, undefined, error))
    }
  }
}

async function isUndelivered(directory: SessionDirectory, { handoff_id }: Handoff): Promise<boolean> {
  return (await directory.undeliveredHandoffs()).some((one) => one.handoff_id === handoff_id)
}

export function undeliverable(handoff: Handoff, reason?: string, cause?: unknown): RuntimeError {
  const why = reason ?? (cause as Error | undefined)?.message ?? 'no reason given'
  return new RuntimeError('HANDOFF_UNROUTABLE', {
    happened: `Handoff "${handoff.type}" (${handoff.handoff_id}) could not be delivered to "${handoff.to}": ${why}.`,
    expected: 'A receiver that is not archived.',
    todo: `It is kept with its sender "${handoff.from}". Send it again to a session that is at work.`,
    details: { handoff_id: handoff.handoff_id, from: handoff.from, to: handoff.to },
    cause,
  })
}
