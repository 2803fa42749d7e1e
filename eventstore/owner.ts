/** Who has a store open: `owner.json` beside the database, for messages and for those who want to attach. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { z } from 'zod'

const ownerRecord = z.object({
  pid: z.int().positive(),
  /** Tells this process from a later one with the same id; `null` where the system does not say. */
  pid_start: z.string().nullable(),
  host: z.string(),
  /** Which thread of the process; 0 is the main one. */
  thread: z.int().nonnegative().optional(),
  /** ISO 8601, when the store was opened. */
  started_at: z.string(),
  /** How often in a row an owner before this one ended without closing the store. */
  unclean_ends: z.int().nonnegative().optional(),
  /** Where the owner can be reached, if it listens. */
  socket: z.string().optional(),
  /** What a client shows at the socket; whoever can read this file may attach. */
  token: z.string().optional(),
})

export type StoreOwner = z.infer<typeof ownerRecord>

export type StoreOwnership =
  | { readonly type: 'none' }
  | { readonly type: 'live'; readonly owner: StoreOwner }
  /** The process that wrote the file is gone; it could not remove it. */
  | { readonly type: 'stale'; readonly owner: StoreOwner }

const ownerFile = (path: string): string => join(path, 'owner.json')

/** Who has the store in this folder open, as far as its owner file tells. Never throws. */
export const readStoreOwner = async (path: string): Promise<StoreOwnership> => {
  const text = await readFile(ownerFile(path), 'utf8').catch(() => undefined)
  if (text === undefined) return { type: 'none' }
  const parsed = ownerRecord.safeParse(parseJson(text))
  if (!parsed.success) return { type: 'none' }
  return { type: isAlive(parsed.data) ? 'live' : 'stale', owner: parsed.data }
}

/** How often in a row the store's owners ended without closing it, up to now. */
export const countUncleanEnds = async (path: string): Promise<number> => {
  const ownership = await readStoreOwner(path)
  return ownership.type === 'stale' ? (ownership.owner.unclean_ends ?? 0) + 1 : 0
}

/** Says that this process has the store open. */
export const writeStoreOwner = async (
  path: string,
  extra: { startedAt: string; uncleanEnds: number },
): Promise<void> =>
  replaceOwner(path, {
    pid: process.pid,
    pid_start: processStart(process.pid),
    host: hostname(),
    thread: threadId,
    started_at: extra.startedAt,
    ...(extra.uncleanEnds === 0 ? {} : { unclean_ends: extra.uncleanEnds }),
  })

/** Says where this process, which has the store open, can be reached; false if it does not have it open. */
export const announceSocket = async (
  path: string,
  address: { readonly socket: string; readonly token: string },
): Promise<boolean> => {
  const ownership = await readStoreOwner(path)
  if (ownership.type !== 'live' || ownership.owner.pid !== process.pid) return false
  await replaceOwner(path, { ...ownership.owner, ...address })
  return true
}

/** Never half a file, and never one that others can read: it may hold the token. */
const replaceOwner = async (path: string, owner: StoreOwner): Promise<void> => {
  const file = ownerFile(path)
  const draft = `${file}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, `${JSON.stringify(owner, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, file)
}

export const removeStoreOwner = async (path: string): Promise<void> => {
  await rm(ownerFile(path), { force: true })
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A process of another machine cannot be looked at and counts as alive. */
const isAlive = (owner: StoreOwner): boolean =>
  owner.host !== hostname() || isSameProcess(owner.pid, owner.pid_start)

/** Whether the process that had this id and start still runs on this machine; by its id alone where no start is known. */
export const isSameProcess = (pid: number, start: string | null): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, but belongs to somebody else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const now = processFacts(pid)
  if (now === undefined) return true
  // Killed, and nobody has asked for its exit code yet: it holds nothing any more.
  if (now.state === 'Z' || now.state === 'X') return false
  return start === null || now.start === start
}

/** When a process started, in ticks since the system did; only Linux says. */
export const processStart = (pid: number): string | null => processFacts(pid)?.start ?? null

const processFacts = (
  pid: number,
): { readonly state: string | undefined; readonly start: string | undefined } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses and may hold spaces; the state is field 3, the start 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0], start: fields[19] }
  } catch {
    return undefined
  }
}
