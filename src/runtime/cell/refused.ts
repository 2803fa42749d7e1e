/** What a sender hears whose event was not accepted, and what is recorded of it. */
import type { AnyEventObject } from 'xstate'
import type { Cell } from './cell.ts'
import type { CellHost } from './cell-host.ts'
import type { FoldOutcome } from '../fold/fold.ts'
import type { Receipt, SendOptions } from './receipt.ts'

export type Refused = {
  readonly event: AnyEventObject
  readonly options: SendOptions
  readonly outcome: Exclude<FoldOutcome, { kind: 'accepted' }>
  /** Settles when the state that the answer rests on is on disk. */
  readonly landed: Promise<void> | undefined
}

export async function answerRefused(host: CellHost, cell: Cell, refused: Refused): Promise<Receipt> {
  const { event, options, outcome, landed } = refused
  const version = cell.decided?.version ?? 0
  const reason = options.ifRefused?.reason ?? outcome.reason
  const alternatives = options.ifRefused?.alternatives ?? []
  const state: unknown = cell.decided?.snapshot.value
  // The answer rests on a state that may not be on disk yet; nobody hears it before it is.
  await landed
  if (outcome.kind === 'refused') {
    const by = options.ifRefused?.by ?? `guard:${outcome.guard}`
    const about = { streamId: cell.id, event, by, reason, alternatives, version, state }
    const { correlationId } = cell
    await host.recordRefusal({ ...about, source: options.source ?? '', correlationId })
  }
  return { accepted: false, version, reason, alternatives }
}
