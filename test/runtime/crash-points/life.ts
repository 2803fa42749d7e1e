/** One life of a process: an engine over a storage that may die, and the steps that end with it. */
import { setImmediate as turn } from 'node:timers/promises'
import { fromPromise, type AnyActorLogic, type AnyStateMachine } from 'xstate'
import { EventLog } from '../../../eventstore/event-log.ts'
import { checkAtOpen } from '../../../eventstore/open-check.ts'
import { createEngine, type Engine } from '../../../src/runtime/engine.ts'
import { asRegistered, type MachineWithPolicies } from '../../../src/runtime/policies.ts'
import type { TestClock } from '../../../src/testing/test-clock.ts'
import type { FaultyStorage } from '../../eventstore/faulty-storage.ts'

/** What was done to the world, kept outside of the log; it survives every crash. */
export class Ledger {
  readonly begun = new Map<string, number>()
  readonly ended = new Map<string, number>()

  note(what: 'begun' | 'ended', step: string): void {
    this[what].set(step, (this[what].get(step) ?? 0) + 1)
  }
}

export type Machines = (life: Life) => Readonly<Record<string, AnyStateMachine | MachineWithPolicies>>

export class Life {
  readonly storage: FaultyStorage
  readonly machines: Readonly<Record<string, AnyStateMachine | MachineWithPolicies>>
  readonly errors: unknown[] = []
  readonly #ledger: Ledger
  #log: EventLog | undefined
  #engine: Engine | undefined
  #over = false
  /** The store failed to write. */
  storeFailed = false

  constructor(storage: FaultyStorage, ledger: Ledger, machines: Machines) {
    this.storage = storage
    this.#ledger = ledger
    this.machines = machines(this)
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('not open')
    return this.#engine
  }

  get isDead(): boolean {
    return this.#over || this.storage.isDead
  }

  machine(name: string): AnyStateMachine {
    const machine = this.machines[name]
    if (machine === undefined) throw new Error(`no machine ${name}`)
    return asRegistered(machine).machine
  }

  /**
   * A piece of work that takes a few turns, counted in the ledger; it goes no further than its process does. `failures`:
   * how often it ends in failure before it succeeds.
   */
  step(name: string, failures = 0): AnyActorLogic {
    return fromPromise(async ({ signal }) => {
      this.#ledger.note('begun', name)
      for (let n = 0; n < 3; n += 1) await turn()
      if (this.isDead || signal.aborted) await new Promise(() => {})
      this.#ledger.note('ended', name)
      if ((this.#ledger.ended.get(name) ?? 0) <= failures) throw new Error(`${name} failed`)
      return name
    })
  }

  get log(): EventLog {
    if (this.#log === undefined) throw new Error('not open')
    return this.#log
  }

  /** Opens the log alone. */
  async openLog(clock: TestClock): Promise<void> {
    const { storage } = this
    const end = await checkAtOpen(storage, { reached: undefined, dropped: [] })
    this.#log = new EventLog({ storage, end, clock: () => clock.now(), close: () => storage.close() })
  }

  async open(clock: TestClock): Promise<void> {
    await this.openLog(clock)
    this.#engine = await createEngine({
      store: this.log,
      clock,
      machines: Object.values(this.machines),
      onError: (error) => this.errors.push(error),
      onStoreFailure: () => (this.storeFailed = true),
      log: () => {},
    })
    await this.#engine.recover()
  }

  /** The process ends without a word. */
  end(): void {
    this.#over = true
  }
}
