/**
 * Which event led to which, as far as the log says: by `causation_id`, and by the ids that records carry.
 *
 * Pure bookkeeping over events in the order of the log; a cause always stands before its effect.
 */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { actorOfStream } from './stream-identity.ts'

/**
 * How it is known:
 * - `causation`: the event names it.
 * - `call`: a step of a run made the tool call, the run or the session.
 * - `outcome`: what a call came to is what its step came to; a step's end follows its start.
 * - `handoff`: it is the same handoff, sent, received, claimed.
 * - `attempt`: a handler's attempt made the step, or ended the run; a run is created, admitted, begun.
 * - `order`: the events of a tool call follow each other.
 * - `refused`: the actor stood there when it was refused.
 */
export type CausalLink = 'attempt' | 'call' | 'causation' | 'handoff' | 'order' | 'outcome' | 'refused'

export type Cause = { readonly event_id: string; readonly link: CausalLink }

type Payload = {
  readonly key?: string
  readonly kind?: string
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly handoff?: { readonly handoff_id?: string }
  readonly handoff_id?: string
  readonly version?: number
  readonly approval_id?: string
  readonly input?: { readonly call_id?: string }
}

/** What a handler does between its beginning and its end, and what ends it. */
const OF_ATTEMPT = /^(?:step\.started|agent\.(?:logged|spent|succeeded|failed|parked)|handoff\.generated)$/

export class CausalLinks {
  /** By the id that a step prepared: the step's event. */
  readonly #prepared = new Map<string, string>()
  /** By stream and key: the last start of a step, and the id that it prepared. */
  readonly #steps = new Map<string, { readonly event_id: string; readonly made: string | undefined }>()
  /** By handoff: the last event about it. */
  readonly #handoffs = new Map<string, string>()
  /** By run: its last `agent.began`. */
  readonly #attempts = new Map<string, string>()
  /** By stream: its last event. */
  readonly #last = new Map<string, string>()

  /** The cause of an event; to be called for every event in the order of the log. */
  take(event: RecordedEvent): Cause | undefined {
    const cause = this.#causeOf(event)
    this.#note(event)
    return cause?.event_id === event.event_id ? undefined : cause
  }

  #causeOf(event: RecordedEvent): Cause | undefined {
    const { event_type: type, stream_id, version, causation_id } = event
    if (causation_id !== null) return { event_id: causation_id, link: 'causation' }
    const payload = (event.payload ?? {}) as Payload
    const found = (event_id: string | undefined, link: CausalLink): Cause | undefined =>
      event_id === undefined ? undefined : { event_id, link }
    const handoff = payload.handoff?.handoff_id ?? payload.handoff_id
    if (version === 1 && type !== 'runtime.refused') {
      // An approval is asked for by a call.
      const asking = payload.input?.call_id
      const asked = asking === undefined || asking === stream_id ? undefined : this.#last.get(asking)
      return found(asked ?? this.#prepared.get(stream_id), 'call')
    }
    if (type === 'tool.approved') return found(this.#last.get(payload.approval_id ?? ''), 'outcome')
    if (type.startsWith('approval.')) return found(this.#last.get(stream_id), 'order')
    if (type === 'runtime.refused') return found(this.#last.get(actorOfStream(stream_id)), 'refused')
    if (type === 'step.completed' || type === 'step.failed') {
      const step = this.#steps.get(stepKey(stream_id, payload))
      const outcome = step?.made === undefined ? undefined : this.#last.get(step.made)
      return found(outcome ?? step?.event_id, 'outcome')
    }
    if (handoff !== undefined && type !== 'handoff.generated') {
      return found(this.#handoffs.get(handoff), 'handoff')
    }
    if (type.startsWith('tool.')) return found(this.#last.get(stream_id), 'order')
    if (type === 'agent.began' || type === 'agent.started') return found(this.#last.get(stream_id), 'attempt')
    return OF_ATTEMPT.test(type) ? found(this.#attempts.get(stream_id), 'attempt') : undefined
  }

  #note(event: RecordedEvent): void {
    const { event_id, event_type: type, stream_id } = event
    const payload = (event.payload ?? {}) as Payload
    this.#last.set(stream_id, event_id)
    if (type === 'agent.began') this.#attempts.set(stream_id, event_id)
    if (type === 'step.started') {
      const made = Object.values(payload.data ?? {}).find((value) => typeof value === 'string')
      if (made !== undefined) this.#prepared.set(made, event_id)
      this.#steps.set(stepKey(stream_id, payload), { event_id, made })
    }
    const handoff = payload.handoff?.handoff_id ?? payload.handoff_id
    if (handoff !== undefined) this.#handoffs.set(handoff, event_id)
  }
}

function stepKey(streamId: string, { key = '' }: Payload): string {
  return `${streamId}\n${key}`
}
