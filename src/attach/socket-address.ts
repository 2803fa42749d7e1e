/**
 * Where an owner's socket is: in a folder below the system's temporary one that only its user can enter; on Windows a
 * named pipe. Takes away what owners that were killed have left there.
 */
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isSameProcess, processStart } from '../../eventstore/owner.ts'
import { AttachError } from './attach-error.ts'

const NAME = 'agent-orchestration'
/** What systems have room for in a socket's address, with the zero at its end: 104 bytes on macOS, 108 on Linux. */
const LONGEST_ADDRESS = 103

export type SocketAddress = {
  readonly path: string
  /** Takes away what was made for this address alone, once nobody listens there. */
  readonly remove: () => Promise<void>
}

/** A new address. @throws AttachError `ATTACH_UNAVAILABLE` */
export async function newSocketAddress(): Promise<SocketAddress> {
  if (process.platform === 'win32') {
    const path = `\\\\.\\pipe\\${NAME}-${process.pid}-${randomBytes(8).toString('hex')}`
    return { path, remove: async () => {} }
  }
  const name = `${process.pid}-${processStart(process.pid) ?? 0}-${randomBytes(4).toString('hex')}.sock`
  for (const parent of [tmpdir(), '/tmp']) {
    // The longest of the two folders that may be used.
    if (Buffer.byteLength(join(parent, `${NAME}-${userId()}-XXXXXX`, name)) > LONGEST_ADDRESS) continue
    const { folder, own } = await privateFolder(parent)
    await sweep(folder)
    const path = join(folder, name)
    return {
      path,
      remove: () => (own ? rm(folder, { recursive: true, force: true }) : rm(path, { force: true })),
    }
  }
  throw new AttachError('ATTACH_UNAVAILABLE', {
    happened: `The temporary folder ${tmpdir()} has too long a name for a socket.`,
    expected: `Expected an address of at most ${LONGEST_ADDRESS} bytes.`,
    todo: 'Set TMPDIR to a folder with a shorter name.',
  })
}

/** @throws AttachError `ATTACH_FAILED` unless the socket is one that a process of this user made where owners do. */
export async function assertOwnersSocket(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = dirname(path)
  const [socket, around] = await Promise.all([lstat(path), lstat(folder)]).catch((error: unknown) => {
    throw notReachable(path, 'is not there', error)
  })
  const isOurs =
    socket.isSocket() &&
    socket.uid === userId() &&
    basename(folder).startsWith(`${NAME}-`) &&
    isPrivate(around)
  if (!isOurs) throw notReachable(path, 'is not one that this user has made for a log')
}

function notReachable(path: string, what: string, cause?: unknown): AttachError {
  return new AttachError('ATTACH_FAILED', {
    happened: `The socket ${path}, which owner.json names, ${what}.`,
    expected: 'Expected a socket of the process that has the log open, run by the same user.',
    todo: 'Run the command as the user whose process it is, on its machine; or end that process, and ask again.',
    cause,
  })
}

function userId(): number {
  return process.getuid?.() ?? 0
}

type Found = { isDirectory(): boolean; readonly uid: number; readonly mode: number }

/** Whether only this user can enter the folder. A link is no folder. */
function isPrivate(found: Found): boolean {
  return found.isDirectory() && found.uid === userId() && (found.mode & 0o077) === 0
}

/** The user's folder for sockets; a folder of its own for this one where somebody else has taken that name. */
async function privateFolder(parent: string): Promise<{ folder: string; own: boolean }> {
  const folder = join(parent, `${NAME}-${userId()}`)
  try {
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    if (isPrivate(await lstat(folder))) return { folder, own: false }
    return { folder: await mkdtemp(`${folder}-`), own: true }
  } catch (error) {
    throw new AttachError('ATTACH_UNAVAILABLE', {
      happened: `No folder for a socket can be made in ${parent}.`,
      expected: 'Expected a temporary folder that this process can write.',
      todo: 'Set TMPDIR to one that it can.',
      cause: error,
    })
  }
}

/** Removes the sockets of processes that are gone. Two signs are asked for, so that no live one is taken. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const [, pid = '', start = ''] = /^(\d+)-(\d+)-[0-9a-f]+\.sock$/.exec(name) ?? []
    if (pid === '' || isSameProcess(Number(pid), start === '0' ? null : start)) continue
    const path = join(folder, name)
    if (await isRefused(path)) await unlink(path).catch(() => {})
  }
}

/** Whether nobody listens at a socket. */
function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
