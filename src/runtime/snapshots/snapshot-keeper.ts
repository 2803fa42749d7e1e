/**
 * Keeps snapshots of actors beside the log, so that one with a long stream wakes fast.
 *
 * Owns: the store of the snapshots, opened when the first one is needed, and which machines cannot be kept.
 * Never: is believed before it was checked; keeps an actor waiting for what is being saved; touches the log.
 *
 * I1. What `load` gives was packed by this very code of this machine.
 * I2. At most a bounded number of snapshots wait to be saved; what comes beyond that is left for later.
 */
import { hash as digest } from 'node:crypto'
import type { Snapshots } from '../../../eventstore/snapshots.ts'
import type { CellState } from '../fold/cell-state.ts'
import type { DurableMachine } from '../fold/durable-machine.ts'
import type { Folder } from '../fold/fold.ts'
import { PACKED_FORMAT, packState, type PackedState } from './packed-state.ts'
import { Unpackable } from './packed-value.ts'

/** What is saved of an actor. */
type Kept = {
  readonly packed: PackedState
  /** Of its last event, in ms since the epoch. */
  readonly time: number
  readonly correlation_id: string
}

/** An actor as far as it is restored. */
export type Restored = {
  readonly state: CellState
  readonly time: number
  readonly correlationId: string
  /** Of the event that it was made after; only the log can tell whether there is such an event. */
  readonly hash: string
}

/** An actor as the keeper sees it. */
export type Keepable = {
  readonly id: string
  readonly machine: DurableMachine
  readonly folder: Folder
  readonly correlationId: string
}

/** The event that led to a state: its hash, and its time in ms since the epoch. */
type Last = { readonly hash: string; readonly time: number }

export type KeeperOptions = {
  open(): Promise<Snapshots>
  /** A snapshot is saved after that many events; default 100. */
  readonly every?: number | undefined
  onError(error: unknown): void
  onWarning(message: string): void
}

const EVERY = 100
/** Shorter tails are not worth a snapshot, not even of an actor that leaves memory. */
const WORTH_KEEPING = 16
const MAX_WAITING = 64

export class SnapshotKeeper {
  readonly every: number
  readonly #options: KeeperOptions
  readonly #fingerprints = new Map<DurableMachine, string | undefined>()
  readonly #unkeepable = new Set<string>()
  #opening: Promise<Snapshots> | undefined
  #waiting = 0
  #failed = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.every = options.every ?? EVERY
  }

  /** Whether an actor that is at `version`, and of which there is a snapshot at `kept` (0: none), should be saved. */
  isDue(version: number, kept: number, leaving = false): boolean {
    return version - kept >= (leaving ? Math.min(WORTH_KEEPING, this.every) : this.every)
  }

  /** The latest snapshot that was saved like this, of an actor whose stream is at `version`. */
  async load(cell: Keepable, version: number): Promise<Restored | undefined> {
    if (version < Math.min(WORTH_KEEPING, this.every)) return undefined
    const machine = this.#nameOf(cell.machine)
    if (machine === undefined || this.#failed) return undefined
    try {
      const snapshots = await this.#snapshots()
      const candidates = await snapshots.candidates(cell.id, machine)
      // One that is ahead of the log was saved from a log that lost its end.
      const found = candidates.find((snapshot) => snapshot.version <= version)
      if (found === undefined) return undefined
      const { packed, time, correlation_id: correlationId } = found.state as unknown as Kept
      return { state: cell.folder.restore(packed, found.version), time, correlationId, hash: found.hash }
    } catch (error) {
      // The log has it all.
      this.#options.onError(error)
      return undefined
    }
  }

  /** Saves in its own time; `last`: the event that led to `state`. Returns whether it is taken on. */
  save(cell: Keepable, state: CellState, last: Last): boolean {
    // What a crashed actor goes on from is not packed.
    if (state.before !== undefined) return true
    const machine = this.#nameOf(cell.machine)
    if (machine === undefined || this.#failed || this.#waiting >= MAX_WAITING) return false
    const packed = this.#packed(cell, state)
    if (packed === undefined) return true
    const { id, correlationId: correlation_id } = cell
    const { hash, time } = last
    const kept: Kept = { packed, time, correlation_id }
    this.#waiting += 1
    void this.#write({ stream_id: id, version: state.version, hash, machine, state: kept })
    return true
  }

  /** Drops what is kept of a stream. */
  async drop(stream_id: string): Promise<void> {
    await (await this.#snapshots()).drop(stream_id)
  }

  async close(): Promise<void> {
    const snapshots = await this.#opening?.catch(() => undefined)
    await snapshots?.close()
  }

  async #write(snapshot: Parameters<Snapshots['save']>[0]): Promise<void> {
    try {
      const snapshots = await this.#snapshots()
      await snapshots.save(snapshot)
    } catch (error) {
      if (!this.#failed) this.#options.onError(error)
      this.#failed = true
    } finally {
      this.#waiting -= 1
    }
  }

  #packed(cell: Keepable, state: CellState): PackedState | undefined {
    try {
      return packState(state)
    } catch (error) {
      if (!(error instanceof Unpackable)) throw error
      const { label } = cell.machine
      if (!this.#unkeepable.has(label)) {
        const what = `the state of "${cell.id}" ${error.message}, which a snapshot cannot keep`
        this.#options.onWarning(`${label}: ${what}; it wakes by folding its whole stream`)
      }
      this.#unkeepable.add(label)
      return undefined
    }
  }

  #snapshots(): Promise<Snapshots> {
    this.#opening ??= this.#options.open()
    return this.#opening
  }

  /** A machine that was changed without a new version is another one as well. */
  #nameOf(machine: DurableMachine): string | undefined {
    if (!this.#fingerprints.has(machine)) this.#fingerprints.set(machine, fingerprintOf(machine))
    return this.#fingerprints.get(machine)
  }
}

function fingerprintOf({ label, original, kind }: DurableMachine): string | undefined {
  const { implementations, config } = original
  const { guards, actions, delays } = implementations ?? {}
  const code = kind === 'machine' ? { config, guards, actions, delays } : original
  try {
    const text = JSON.stringify([PACKED_FORMAT, code], (_key, value: unknown) =>
      typeof value === 'function' ? { code: String(value), ...(value as object) } : value,
    )
    return `${label}#${digest('sha256', text).slice(0, 16)}`
  } catch {
    // Something in it that is no JSON either: there is no telling whether it is the same.
    return undefined
  }
}
