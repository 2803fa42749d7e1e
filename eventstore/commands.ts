/**
 * Appends that must happen once however often they are asked for: each command id finds its first result.
 *
 * Owns the commands whose append is under way; those that are on disk are looked up there. Never appends.
 *
 * I1  From the moment a command is taken until it is on disk or failed, a second one with its id shares its
 *     fate.
 */
import { corruptError, damage } from './damage.ts'
import { EventStoreError } from './errors.ts'
import type { RecordedEvent } from './event.ts'
import type { BatchResult } from './event-store.ts'
import { commandKey, eventKey } from './keys.ts'
import type { LogBatch } from './plan.ts'
import { decodeRecord } from './record.ts'
import { unseal, type CommandRecord } from './sealed.ts'
import type { Storage } from './storage.ts'

export type RunningCommand = {
  readonly versions: ReadonlyMap<string, number>
  readonly result: Promise<BatchResult>
}

export class Commands {
  readonly #storage: Storage
  readonly #running = new Map<string, RunningCommand>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /**
   * The result of the command's first append: under way, on disk, or made by `start` now.
   * @throws {EventStoreError} `ES_COMMAND_REUSED`, `ES_CORRUPT`, and what `start` throws.
   */
  async run(commandId: string, batch: LogBatch, start: () => RunningCommand): Promise<BatchResult> {
    const running = this.#running.get(commandId)
    if (running !== undefined) {
      assertSameStreams(commandId, batch, running.versions)
      return { ...(await running.result), duplicate: true }
    }
    const first = this.#recorded(commandId)
    if (first !== undefined) {
      const versions = new Map(first.versions)
      assertSameStreams(commandId, batch, versions)
      return this.#readResult(first, versions)
    }
    const started = start()
    this.#running.set(commandId, started)
    try {
      return await started.result
    } finally {
      this.#running.delete(commandId)
    }
  }

  #recorded(commandId: string): CommandRecord | undefined {
    const key = commandKey(commandId)
    const stored = this.#storage.getSync(key)
    if (stored === undefined) return undefined
    const command = unseal<CommandRecord>(key, stored)
    if (command.type === 'value') return command.value
    throw corruptError(damage('command', `command '${commandId}': ${command.detail}`, {}))
  }

  async #readResult(
    { first, count }: CommandRecord,
    versions: ReadonlyMap<string, number>,
  ): Promise<BatchResult> {
    const positions = Array.from({ length: count }, (_, index) => first + index)
    const records = await this.#storage.getMany(positions.map(eventKey))
    const events = records.flatMap((stored, index): RecordedEvent[] => {
      const position = first + index
      const decoded = decodeRecord(stored ?? '')
      if (decoded.type === 'record' && decoded.record.event.position === position) {
        return decoded.record.isStub ? [] : [decoded.record.event]
      }
      const detail = decoded.type === 'unreadable' ? decoded.detail : 'another record is there'
      throw corruptError(damage('unreadable', detail, { position }))
    })
    return { position: first + count - 1, events, versions, durability: 'fsync', duplicate: true }
  }
}

/** One id for two different commands would give the second the first one's result. */
const assertSameStreams = (
  commandId: string,
  batch: LogBatch,
  versions: ReadonlyMap<string, number>,
): void => {
  const streams = new Set(batch.appends.map((append) => append.stream_id))
  if (streams.size === versions.size && Array.from(streams).every((stream_id) => versions.has(stream_id)))
    return
  throw new EventStoreError('ES_COMMAND_REUSED', {
    happened: `Command '${commandId}' was already used for ${Array.from(versions.keys(), (id) => `'${id}'`).join(', ')}`,
    expected: 'Expected a retry to name the same streams as the first try',
    remedy: 'Give each command an id of its own; nothing was written',
  })
}
