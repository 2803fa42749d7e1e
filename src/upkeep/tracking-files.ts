/**
 * Keeps `.project/billing/.tracking-{date}.jsonl` as the log says: one file a UTC day, one line for each end of a session.
 *
 * Owns: the lines of each day, and which days have to be written.
 * Never: takes anything from the files; they can be deleted and come back.
 *
 * I1. After `settled`, each file of a day that was marked holds the day's lines, in the order of the log, and no others.
 * I2. One write is under way at a time.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SessionEnd } from '../billing/ledger.ts'
import { trackingDate, trackingLine } from '../billing/tracking-line.ts'
import { appendToFile, writeWholeFile } from './whole-file.ts'

type Line = { readonly session_id: string; readonly line: string }

export type TrackingFiles = {
  /** Takes one end in; writes begin with `open`. */
  add(end: SessionEnd): void
  /** Writes what the files lack, and from now on what is added. */
  open(): void
  /** Takes the lines of these sessions out of all files that there are, and resolves when that is on disk. */
  forget(session_ids: ReadonlySet<string>): Promise<void>
  /** Resolves when nothing is left to write. */
  settled(): Promise<void>
}

export function createTrackingFiles(folder: string, onError: (error: unknown) => void): TrackingFiles {
  const days = new Map<string, Line[]>()
  const marked = new Set<string>()
  let isOpen = false
  const state: { writing?: Promise<void> | undefined } = {}

  const write = async (date: string): Promise<void> => {
    const path = join(folder, `.tracking-${date}.jsonl`)
    const wanted = (days.get(date) ?? []).map(({ line }) => `${line}\n`).join('')
    const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found === wanted) return
    if (found !== undefined && wanted.startsWith(found)) await appendToFile(path, wanted.slice(found.length))
    else await writeWholeFile(path, wanted)
  }
  const writeAll = async (): Promise<void> => {
    for (const date of marked) {
      marked.delete(date)
      await write(date).catch(onError)
    }
    state.writing = undefined
    if (marked.size > 0) start()
  }
  const start = (): void => {
    if (isOpen && marked.size > 0) state.writing ??= writeAll()
  }
  return {
    add(end) {
      const date = trackingDate(end)
      const lines = days.get(date) ?? []
      lines.push({ session_id: end.session_id, line: trackingLine(end) })
      days.set(date, lines)
      marked.add(date)
      start()
    },
    open() {
      isOpen = true
      start()
    },
    async forget(session_ids) {
      for (const [date, lines] of days) {
        const kept = lines.filter(({ session_id }) => !session_ids.has(session_id))
        if (kept.length === lines.length) continue
        days.set(date, kept)
        marked.add(date)
      }
      start()
      while (state.writing !== undefined) await state.writing
      await forgetOnDisk(folder, { session_ids, known: days })
    },
    async settled() {
      while (state.writing !== undefined) await state.writing
    },
  }
}

/** Of days that the log says nothing of any more. */
async function forgetOnDisk(
  folder: string,
  {
    session_ids,
    known,
  }: { readonly session_ids: ReadonlySet<string>; readonly known: ReadonlyMap<string, unknown> },
): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const [, date] = /^\.tracking-(.+)\.jsonl$/.exec(name) ?? []
    if (date === undefined || known.has(date)) continue
    const path = join(folder, name)
    const lines = (await readFile(path, 'utf8')).split('\n')
    const kept = lines.filter((line) => !session_ids.has(sessionOf(line)))
    if (kept.length < lines.length) await writeWholeFile(path, kept.join('\n'))
  }
}

function sessionOf(line: string): string {
  try {
    return String((JSON.parse(line) as { session_id?: unknown } | null)?.session_id)
  } catch {
    return ''
  }
}
