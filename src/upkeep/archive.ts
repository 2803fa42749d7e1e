/**
 * Copies sessions that have ended into `.project/archive/` and archives them: their events, and a summary.
 *
 * Owns: at most one alarm per ended session.
 * Never: takes anything out of the log; the folder can be deleted and comes back.
 *
 * I1. `session.archived` is recorded after its files are on disk, and says what they must hold.
 * I2. A session is not archived while something that it started is at work: it could still report.
 */
import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonValue } from '../../eventstore/event.ts'
import type { SealedStore } from '../../eventstore/sealing/sealed-store.ts'
import type { ArchiveCopy } from '../../machines/session-record.ts'
import { setAlarm } from '../runtime/alarm.ts'
import { isoTime } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { SessionDirectory, SessionRow } from '../sessions/directory.ts'
import { writeWholeFile } from './whole-file.ts'

export type ArchiveOptions = {
  readonly engine: Engine
  /** The store, if it seals: what is copied is sealed as well. */
  readonly sealing: SealedStore | undefined
  readonly directory: SessionDirectory
  /** `null` in memory: sessions are archived when asked to, without a copy. */
  readonly folder: string | null
  /** How long after its end a session is archived, in ms. */
  readonly afterMs: number
  /** What the summary says beside what is in the events; must follow from the log. */
  readonly summaryOf: (id: string) => Promise<Readonly<Record<string, unknown>>>
}

export type Archive = {
  /** Archives a session that has ended, now. Resolves with where its copy is. */
  archive(id: string): Promise<ArchiveCopy | undefined>
  close(): Promise<void>
}

export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const { engine, sealing, directory, folder, afterMs } = options
  const alarms = new Map<string, () => void>()
  const atWork = new Map<string, Promise<ArchiveCopy | undefined>>()
  let closed = false

  const write = async (id: string, into: string): Promise<ArchiveCopy> => {
    const lines: string[] = []
    for await (const event of (sealing?.stored ?? engine.store).readStream(id)) {
      if (event.event_type === 'session.archived') break
      lines.push(`${JSON.stringify(event)}\n`)
    }
    const text = lines.join('')
    const sha256 = createHash('sha256').update(text).digest('hex')
    const file = `${encodeURIComponent(id)}.jsonl`
    const copy = { file, sha256, events: lines.length }
    await writeWholeFile(join(into, file), text)
    const summary = sealedSummary(sealing, id, await options.summaryOf(id))
    await writeWholeFile(
      join(into, `${encodeURIComponent(id)}.json`),
      `${JSON.stringify({ ...summary, archive: copy }, undefined, 2)}\n`,
    )
    return copy
  }
  const archiveNow = async (id: string): Promise<ArchiveCopy | undefined> => {
    const copy = folder === null ? undefined : await write(id, folder)
    const fact = { type: 'session.archived', at: isoTime(engine.clock), ...(copy && { archive: copy }) }
    await engine.send(id, fact, { source: id })
    return copy
  }
  const archive = (id: string): Promise<ArchiveCopy | undefined> => {
    const under = atWork.get(id)
    if (under !== undefined) return under
    const work = archiveNow(id).finally(() => atWork.delete(id))
    atWork.set(id, work)
    return work
  }
  const isRipe = (row: SessionRow): boolean =>
    row.machine === 'session' && row.status === 'completed' && directory.liveChildren(row.id) === 0
  const consider = (row: SessionRow | undefined): void => {
    if (closed || folder === null || row === undefined || !isRipe(row) || alarms.has(row.id)) return
    const dueAt = Date.parse(row.completion_time ?? row.last_activity) + afterMs
    const cancel = setAlarm(engine.clock, dueAt, () => {
      alarms.delete(row.id)
      directory
        .row(row.id)
        .then((now) => (closed || now === undefined || !isRipe(now) ? undefined : archive(row.id)))
        .catch((error: unknown) => {
          if (!closed) engine.onError(error)
        })
    })
    alarms.set(row.id, cancel)
  }
  const rows = new Map(directory.current().map((row) => [row.id, row]))
  const unsubscribe = directory.subscribe((row) => {
    rows.set(row.id, row)
    consider(row)
    // Its parent may have waited for this end.
    if (row.parent_id !== null) consider(rows.get(row.parent_id))
  })
  for (const row of rows.values()) consider(row)
  if (folder !== null) {
    const there = new Set(await readdir(folder).catch(() => []))
    for (const { id, machine, status } of rows.values()) {
      if (machine !== 'session' || status !== 'archived') continue
      if (!there.has(`${encodeURIComponent(id)}.jsonl`) || !there.has(`${encodeURIComponent(id)}.json`))
        await write(id, folder)
    }
  }
  return {
    archive,
    async close() {
      closed = true
      unsubscribe()
      for (const cancel of alarms.values()) cancel()
      alarms.clear()
      await Promise.allSettled(atWork.values())
    },
  }
}

type Summary = Readonly<Record<string, unknown>>

/** What may be written of a summary: all of it, or what is sealed for the session's subject. */
function sealedSummary(sealing: SealedStore | undefined, id: string, summary: Summary): Summary {
  if (sealing?.subjectOf(id) === undefined) return summary
  const plain = JSON.parse(JSON.stringify(summary)) as JsonValue
  return {
    session: { session_id: id },
    sealed: sealing.sealBeside({ stream_id: id, what: ['summary'] }, plain),
  }
}

/** Removes the copies of these sessions: their subject was erased. */
export async function forgetArchived(folder: string, session_ids: readonly string[]): Promise<void> {
  for (const id of session_ids)
    for (const ending of ['jsonl', 'json'])
      for (const unfinished of ['', '.unfinished'])
        await rm(join(folder, `${encodeURIComponent(id)}.${ending}${unfinished}`), { force: true })
}
