/** A world outside of the log: leaves that a test settles by hand, and a trace of everything that was done. */
import { Subject } from 'rxjs'
import {
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  type AnyActorLogic,
  type AnyEventObject,
} from 'xstate'

type Control = {
  readonly succeed: (value: unknown) => void
  readonly fail: (message: string) => void
  readonly say: (value: number) => void
}

/** How a test settles a leaf. */
export type Settlement = { readonly leaf: string; readonly how: keyof Control; readonly value: number }

export class LeafWorld {
  /** Custom actions, emitted events and states, in the order in which they were seen. */
  readonly trace: string[] = []
  /** How often each leaf was started. */
  readonly starts = new Map<string, number>()
  /** What each leaf was sent. */
  readonly received: string[] = []
  readonly #running = new Map<string, Control>()

  get running(): string[] {
    return [...this.#running.keys()].sort()
  }

  startsOf(leaf: string): number {
    return this.starts.get(leaf) ?? 0
  }

  /** Does nothing if the leaf does not run. */
  settle({ leaf, how, value }: Settlement): void {
    this.#running.get(leaf)?.[how](how === 'fail' ? (`failed ${value}` as never) : (value as never))
  }

  /** What the action `log` says. */
  log(values: readonly unknown[]): void {
    this.trace.push(`log ${JSON.stringify(values)}`)
  }

  /** A custom action that leaves a trace. */
  act(name: string): (args: { event: AnyEventObject }, params?: unknown) => void {
    return ({ event }, params) => {
      this.trace.push(
        `action ${name} on ${event.type}${params === undefined ? '' : ` ${JSON.stringify(params)}`}`,
      )
    }
  }

  /** Settles with a number or an error; `input.name`, if there is one, is what the test calls it by. */
  promise(name: string): AnyActorLogic {
    return fromPromise<unknown, { name?: string } | undefined>(({ input, signal }) => {
      const as = input?.name ?? name
      return new Promise((resolve, reject) => {
        const forget = this.#run(as, {
          succeed: (value) => (forget(), resolve(value)),
          fail: (message) => (forget(), reject(new Error(message))),
          say: () => {},
        })
        signal.addEventListener('abort', forget)
      })
    })
  }

  /** Says `child.said`, echoes what it receives, and fails only while it is being started. */
  callback(name: string): AnyActorLogic {
    return fromCallback<AnyEventObject, { name?: string } | undefined>(({ input, sendBack, receive }) => {
      const as = input?.name ?? name
      receive((event) => {
        this.received.push(`${as} ${JSON.stringify(event)}`)
        sendBack({ type: 'child.heard', what: event.type })
      })
      return this.#run(as, {
        succeed: (value) => sendBack({ type: 'child.said', value }),
        fail: (message) => sendBack({ type: 'child.complained', message }),
        say: (value) => sendBack({ type: 'child.said', value }),
      })
    })
  }

  /** Says numbers, ends, or fails. */
  observable(name: string): AnyActorLogic {
    return fromObservable(() => this.#subject(name, (value) => value))
  }

  /** The same, with events instead of numbers. */
  eventObservable(name: string): AnyActorLogic {
    return fromEventObservable(() =>
      this.#subject(name, (value): AnyEventObject => ({ type: 'child.said', value })),
    )
  }

  #subject<T>(name: string, wrap: (value: number) => T): Subject<T> {
    const subject = new Subject<T>()
    const forget = this.#run(name, {
      succeed: () => (forget(), subject.complete()),
      fail: (message) => (forget(), subject.error(new Error(message))),
      say: (value) => subject.next(wrap(value)),
    })
    const subscribe = subject.subscribe.bind(subject)
    subject.subscribe = ((...args: Parameters<typeof subscribe>) => {
      const subscription = subscribe(...args)
      subscription.add(forget)
      return subscription
    }) as typeof subject.subscribe
    return subject
  }

  #run(name: string, control: Control): () => void {
    this.starts.set(name, this.startsOf(name) + 1)
    this.#running.set(name, control)
    return () => {
      if (this.#running.get(name) === control) this.#running.delete(name)
    }
  }
}
