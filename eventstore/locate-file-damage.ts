/** Names the events that were in damaged stretches of LevelDB's files, from what is whole around them. */
import { damage, type Damage } from './damage.ts'
import { fileDamage } from './file-check.ts'
import { eventKey, isEventKey, isStreamKey, positionOfKey, streamOfKey } from './keys.ts'
import { readDatabaseFiles, type FileDamage } from './leveldb/database-files.ts'

/** A longer stretch is named as a whole. */
const MAX_NAMED = 100_000

type Lost = Map<number, { readonly found: FileDamage; stream_id: string; version: number }>

/** Each damaged stretch of the files, and each event that was in one; empty if there is none. */
export const locateFileDamage = async (
  folder: string,
  options: { readonly last: number; readonly signal?: AbortSignal | undefined },
): Promise<Damage[]> => {
  const { last, signal } = options
  const damages: FileDamage[] = []
  for await (const item of readDatabaseFiles(folder)) {
    signal?.throwIfAborted()
    if (item.type === 'damage') damages.push(item.damage)
  }
  if (damages.length === 0) return []
  const lost = lostPositions(damages, last)
  for await (const item of readDatabaseFiles(folder)) {
    signal?.throwIfAborted()
    if (item.type !== 'entries') continue
    for (const { key, value } of item.entries()) {
      if (isEventKey(key)) lost.delete(positionOfKey(key))
      else if (isStreamKey(key)) {
        const event = lost.get(Number(value))
        if (event !== undefined) Object.assign(event, streamOfKey(key))
      }
    }
  }
  const events = Array.from(lost, ([position, { found, stream_id, version }]) =>
    damage('unreadable', `it was in ${found.file} at byte ${found.offset}`, { position, stream_id, version }),
  )
  return [...damages.map(fileDamage), ...events]
}

/** Positions that may have been in damaged stretches: those between the keys around each. */
const lostPositions = (damages: readonly FileDamage[], last: number): Lost => {
  const lost: Lost = new Map()
  for (const found of damages) {
    if (found.keys === undefined) continue
    const { after, upTo } = found.keys
    const from = isEventKey(after) ? positionNear(after) : after < 'e' ? 0 : last
    const to = isEventKey(upTo) ? positionNear(upTo) : upTo > 'e' ? last : 0
    const end = Math.min(to, last, from + MAX_NAMED)
    for (let position = from; position <= end; position += 1) {
      if (position > 0) lost.set(position, { found, stream_id: '', version: 0 })
    }
  }
  return lost
}

/** LevelDB shortens the keys between blocks where it can. */
const positionNear = (key: string): number => positionOfKey(key.padEnd(eventKey(0).length, '0'))
