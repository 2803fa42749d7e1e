/** Request and reply: sends an event and waits for the state, or the emitted event, that answers it. */
import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  EmittedFrom,
  EventFromLogic,
  SnapshotFrom,
} from 'xstate'
import { setAlarm } from '../alarm.ts'
import type { Clock } from '../clock.ts'
import type { DurableActor } from './durable-actor.ts'
import type { Receipt, SendOptions } from './receipt.ts'
import { RuntimeError } from '../runtime-error.ts'

/** Nobody waits for ever. */
const DEFAULT_TIMEOUT_MS = 30_000

export type AskOptions<TUntil> = {
  /** Which state answers, or `{ emitted }`: which emitted event does. Only what comes of the event or later counts. */
  readonly until: TUntil
  /** How long to wait, in ms; default 30,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
} & SendOptions

type Emitted<TType extends string> = { readonly emitted: TType }

export interface Ask {
  /**
   * Sends an event and resolves with the first state that comes of it, or after it, for which `until` holds.
   *
   * @throws RuntimeError `ASK_REFUSED` if the event is not accepted, with `details.reason`; `ASK_TIMED_OUT`,
   * `ASK_UNANSWERED` if the actor ends without an answer; `RUNTIME_CLOSED`; the signal's reason; and what `send` throws
   */
  <TMachine extends AnyStateMachine>(
    actor: DurableActor<TMachine>,
    event: EventFromLogic<TMachine>,
    options: AskOptions<(snapshot: SnapshotFrom<TMachine>) => boolean>,
  ): Promise<SnapshotFrom<TMachine>>
  <TMachine extends AnyStateMachine, const TType extends string>(
    actor: DurableActor<TMachine>,
    event: EventFromLogic<TMachine>,
    options: AskOptions<Emitted<TType & EmittedFrom<TMachine>['type']>>,
  ): Promise<Extract<EmittedFrom<TMachine>, { type: TType }>>
  (
    id: string,
    event: AnyEventObject,
    options: AskOptions<(snapshot: AnyMachineSnapshot) => boolean>,
  ): Promise<AnyMachineSnapshot>
  (id: string, event: AnyEventObject, options: AskOptions<Emitted<string>>): Promise<AnyEventObject>
}

/** What is needed of an actor that is asked. */
type Asked = {
  readonly id: string
  readonly version: number
  send(event: AnyEventObject, options?: SendOptions): Promise<Receipt>
  subscribe(observer: { next(snapshot: unknown): void; error(error: unknown): void; complete(): void }): {
    unsubscribe(): void
  }
  on(type: string, handler: (event: AnyEventObject) => void): { unsubscribe(): void }
}

export type AskHost = {
  readonly clock: Clock
  /** Aborts when the runtime closes. */
  readonly closing: AbortSignal
  /** @throws RuntimeError `ACTOR_NOT_FOUND` */
  find(id: string): Promise<unknown>
}

export function createAsk(host: AskHost): Ask {
  const ask = async (
    to: unknown,
    event: AnyEventObject,
    options: AskOptions<((snapshot: unknown) => boolean) | Emitted<string>>,
  ): Promise<unknown> => {
    options.signal?.throwIfAborted()
    const actor = (typeof to === 'string' ? await host.find(to) : to) as Asked
    return new Asking(actor, host, options).answer(event)
  }
  return ask as Ask
}

/** One question that waits for its answer. What comes before the receipt says which version the event has is kept. */
class Asking {
  readonly #actor: Asked
  readonly #options: AskOptions<((snapshot: unknown) => boolean) | Emitted<string>>
  readonly #early: { readonly version: number; readonly value: unknown }[] = []
  readonly #cleanup: (() => void)[] = []
  readonly #answered: Promise<unknown>
  #give: (value: unknown) => void = () => {}
  #fail: (error: unknown) => void = () => {}
  /** Of the event, once it is known. */
  #version: number | undefined
  #hasEnded = false

  constructor(
    actor: Asked,
    { clock, closing }: AskHost,
    options: AskOptions<((snapshot: unknown) => boolean) | Emitted<string>>,
  ) {
    this.#actor = actor
    this.#options = options
    this.#answered = new Promise((resolve, reject) => {
      this.#give = resolve
      this.#fail = reject
    })
    // It may fail before `answer` waits for it.
    this.#answered.catch(() => {})
    const { until, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options
    const states = actor.subscribe({
      next: (snapshot) => {
        if (typeof until === 'function') this.#consider(snapshot, until)
      },
      error: () => this.#end(),
      complete: () => this.#end(),
    })
    this.#cleanup.push(() => states.unsubscribe())
    if (typeof until !== 'function') {
      const emitted = actor.on(until.emitted, (event) => this.#consider(event, () => true))
      this.#cleanup.push(() => emitted.unsubscribe())
    }
    this.#cleanup.push(
      setAlarm(clock, clock.now() + timeoutMs, () => this.#fail(timedOut(actor.id, timeoutMs))),
    )
    for (const one of [signal, closing]) {
      const abort = (): void => this.#fail(one?.reason)
      one?.addEventListener('abort', abort, { once: true })
      this.#cleanup.push(() => one?.removeEventListener('abort', abort))
    }
  }

  async answer(event: AnyEventObject): Promise<unknown> {
    const { until: _until, timeoutMs: _timeoutMs, signal: _signal, ...beside } = this.#options
    try {
      // It may take as long as it likes to come to disk: the time runs from now on.
      this.#actor.send(event, beside).then(
        (receipt) => this.#sent(receipt, event.type),
        (error: unknown) => this.#fail(error),
      )
      return await this.#answered
    } finally {
      for (const clean of this.#cleanup) clean()
    }
  }

  #sent({ accepted, version, reason = '', alternatives = [] }: Receipt, type: string): void {
    if (!accepted) {
      this.#fail(refused({ id: this.#actor.id, type, reason, alternatives }))
      return
    }
    this.#version = version
    const found = this.#early.find((one) => one.version >= version)
    if (found !== undefined) this.#give(found.value)
    else if (this.#hasEnded) this.#fail(unanswered(this.#actor.id))
  }

  #consider<T>(value: T, isAnswer: (value: T) => boolean): void {
    try {
      if (!isAnswer(value)) return
    } catch (error) {
      this.#fail(error)
      return
    }
    const { version } = this.#actor
    if (this.#version === undefined) this.#early.push({ version, value })
    else if (version >= this.#version) this.#give(value)
  }

  #end(): void {
    this.#hasEnded = true
    if (this.#version !== undefined) this.#fail(unanswered(this.#actor.id))
  }
}

function refused(about: {
  readonly id: string
  readonly type: string
  readonly reason: string
  readonly alternatives: readonly string[]
}): RuntimeError {
  const { id, type, reason, alternatives } = about
  return new RuntimeError('ASK_REFUSED', {
    happened: `"${id}" did not accept "${type}": ${reason}.`,
    expected: 'An event that the actor accepts where it stands.',
    todo:
      alternatives.length > 0
        ? `Instead: ${alternatives.join('; ')}.`
        : 'Look at its state, and ask again when it can answer.',
    details: { stream_id: id, reason, alternatives },
  })
}

function timedOut(id: string, timeoutMs: number): RuntimeError {
  return new RuntimeError('ASK_TIMED_OUT', {
    happened: `"${id}" gave no answer within ${timeoutMs} ms.`,
    expected: 'A state for which `until` holds, or the emitted event, in time.',
    todo: 'The event may be on disk all the same: look at the actor before you ask again.',
    details: { stream_id: id },
  })
}

function unanswered(id: string): RuntimeError {
  return new RuntimeError('ASK_UNANSWERED', {
    happened: `"${id}" ended without an answer.`,
    expected: 'A state for which `until` holds, or the emitted event, before its end.',
    todo: 'Look at its last state; the event is on disk.',
    details: { stream_id: id },
  })
}
