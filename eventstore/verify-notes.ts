/**
 * Compares what is kept beside the events with what the chain over batches says was written.
 *
 * Owns the fold of all notes: each entry's last checksum and each command id. Entries are replaced and
 * deleted, so nothing in them could tell that one is missing; the links can.
 */
import { damage, type Damage, type DamageKind } from './damage.ts'
import { commandKey, entriesRange, entryKey, nameOfKey, wholeCommands, type KeyRange } from './keys.ts'
import { checksumOf, unseal, type BatchRecord } from './sealed.ts'
import type { StorageView } from './storage.ts'

export class NotedValues {
  readonly #entries = new Map<string, string>()
  readonly #commands = new Map<string, undefined>()
  readonly #archived = new Map<string, number>()

  /** The next link of the chain. */
  add(link: BatchRecord): void {
    for (const note of link.notes ?? []) {
      const [type, name] = note
      if (type === 'put') this.#entries.set(name, note[2])
      else if (type === 'del') this.#entries.delete(name)
      else if (type === 'command') this.#commands.set(name, undefined)
      else this.#archived.set(name, Number(note[2]))
    }
  }

  /** Streams of which more events are only stubs than were archived. */
  compareStubs(stubs: ReadonlyMap<string, number>): Damage[] {
    return Array.from(stubs).flatMap(([stream_id, version]) => {
      const upTo = this.#archived.get(stream_id) ?? 0
      if (version <= upTo) return []
      return damage('chain', 'the event is gone, but its stream was not archived so far', {
        stream_id,
        version,
      })
    })
  }

  /** What is damaged, missing, stale, or there although nothing wrote it. */
  async compare(view: StorageView, options: CompareOptions): Promise<Damage[]> {
    const entries = {
      kind: 'entry',
      range: entriesRange(''),
      keyOf: entryKey,
      expected: this.#entries,
    } as const
    const commands = {
      kind: 'command',
      range: wholeCommands,
      keyOf: commandKey,
      expected: this.#commands,
    } as const
    return [
      ...(await compareFamily(view, { ...entries, ...options })),
      ...(await compareFamily(view, { ...commands, ...options })),
    ]
  }
}

export type CompareOptions = {
  /** Whether every link was seen; if not, only what is there can be checked. */
  readonly complete: boolean
  readonly signal: AbortSignal | undefined
}

type Family = CompareOptions & {
  readonly kind: DamageKind
  readonly range: KeyRange
  readonly keyOf: (name: string) => string
  /** Names, with the checksum where there is one to compare. */
  readonly expected: ReadonlyMap<string, string | undefined>
}

const compareFamily = async (view: StorageView, family: Family): Promise<Damage[]> => {
  const { kind, range, keyOf, expected, complete, signal } = family
  const found: Damage[] = []
  const unseen = new Set(expected.keys())
  for await (const page of view.scan(range)) {
    signal?.throwIfAborted()
    for (const [key, stored] of page) {
      const name = nameOfKey(key)
      const opened = unseal(keyOf(name), stored)
      const last = expected.get(name)
      if (opened.type === 'damaged') found.push(damage(kind, `'${name}': ${opened.detail}`, {}))
      else if (complete && !unseen.has(name))
        found.push(damage(kind, `'${name}' is there, but nothing wrote it`, {}))
      else if (complete && last !== undefined && last !== checksumOf(stored)) {
        found.push(damage(kind, `'${name}' is not what was last written`, {}))
      }
      unseen.delete(name)
    }
  }
  if (complete) for (const name of unseen) found.push(damage(kind, `'${name}' is missing`, {}))
  return found
}
