/** How a live cell answers the `self` of its machine. One object with methods: there is one of them for each actor. */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate'
import type { RecordedRef } from '../fold/actor-refs.ts'
import type { LiveSelf } from '../fold/fold-scope.ts'

/** What is needed of the cell. */
type Own = {
  readonly id: string
  readonly shown: AnyMachineSnapshot | undefined
  relay(target: AnyActorRef, event: AnyEventObject): void
}

/** What is needed of its family. */
type OwnKin<TOwn> = {
  post(from: TOwn, to: string, event: AnyEventObject): void
  lookUp(systemId: string): RecordedRef | undefined
}

export class CellSelf<TOwn extends Own> implements LiveSelf {
  readonly #cell: TOwn
  readonly #kin: OwnKin<TOwn>

  constructor(cell: TOwn, kin: OwnKin<TOwn>) {
    this.#cell = cell
    this.#kin = kin
  }

  send(event: AnyEventObject): void {
    this.#kin.post(this.#cell, this.#cell.id, event)
  }
  getSnapshot(): AnyMachineSnapshot | undefined {
    return this.#cell.shown
  }
  relay(target: AnyActorRef, event: AnyEventObject): void {
    this.#cell.relay(target, event)
  }
  lookUp(systemId: string): RecordedRef | undefined {
    return this.#kin.lookUp(systemId)
  }
}
