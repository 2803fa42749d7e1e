/** Reads the operating system's table of processes: which run, in which group, and since when. */

import { execFile } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { systemCode } from './command-error.ts'

type ProcessEntry = {
  readonly pid: number
  readonly group: number
  /** The start time as the system tells it, with its source in front; compare it, never compute with it. */
  readonly started: string
  /** `false` for a zombie: it has ended and only waits to be collected, which pid 1 of a container may never do. */
  readonly running: boolean
}

export type ProcessTable = {
  /** The process with this id, zombies included; `undefined` if there is none. */
  read(pid: number): Promise<ProcessEntry | undefined>
  /** All processes of a group, zombies included. */
  readGroup(group: number): Promise<readonly ProcessEntry[]>
  /** Whether this start time is of an earlier boot of the machine, so that nothing of it can still run. */
  isFromEarlierBoot(started: string): Promise<boolean>
}

/** Linux: `/proc`. Start times are clock ticks since the boot, so they carry the boot's id. */
export const procTable: ProcessTable = {
  async read(pid) {
    return readProc(pid, await bootId())
  },

  async readGroup(group) {
    const boot = await bootId()
    const entries: ProcessEntry[] = []
    // One at a time: the log's fsyncs need the thread pool that these reads would fill.
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const entry = await readProc(Number(name), boot)
      if (entry?.group === group) entries.push(entry)
    }
    return entries
  },

  async isFromEarlierBoot(started) {
    const [source, then] = started.split(':')
    const now = await bootId()
    if (source !== 'linux' || then === 'unknown' || now === 'unknown') return false
    return then !== now
  },
}

/** macOS and other Unix systems: `ps`. Start times have a resolution of one second. */
export const psTable: ProcessTable = {
  async read(pid) {
    const entries = await ps(['-p', String(pid)])
    return entries.find((entry) => entry.pid === pid)
  },

  async readGroup(group) {
    const entries = await ps(['-A'])
    return entries.filter((entry) => entry.group === group)
  },

  // A wall-clock time does not repeat after a boot, so comparing start times is enough.
  isFromEarlierBoot: () => Promise.resolve(false),
}

/** Windows: only whether a process exists. An empty start time proves nothing, so nothing is ended by it later. */
const windowsTable: ProcessTable = {
  read(pid) {
    try {
      process.kill(pid, 0)
      return Promise.resolve({ pid, group: pid, started: '', running: true })
    } catch {
      return Promise.resolve(undefined)
    }
  },

  async readGroup(group) {
    const leader = await windowsTable.read(group)
    return leader === undefined ? [] : [leader]
  },

  isFromEarlierBoot: () => Promise.resolve(false),
}

/** The table of the system that this process runs on. */
export const processTable: ProcessTable =
  process.platform === 'linux' ? procTable : process.platform === 'win32' ? windowsTable : psTable

async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch {
    // Some sandboxes hide it; the start time alone still tells processes of one boot apart.
    return 'unknown'
  }
}

async function readProc(pid: number, boot: string): Promise<ProcessEntry | undefined> {
  let stat: string
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return undefined
    throw error
  }
  // The name in field 2 may itself hold spaces and parentheses; what follows the last one is field 3 and on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = '', group = '', ticks = ''] = [fields[0], fields[2], fields[19]]
  return { pid, group: Number(group), started: `linux:${boot}:${ticks}`, running: !/[ZXx]/.test(state) }
}

async function ps(selection: readonly string[]): Promise<readonly ProcessEntry[]> {
  try {
    const { stdout } = await promisify(execFile)(
      'ps',
      [...selection, '-o', 'pid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'lstart='],
      // The same process must give the same text whatever the language and time zone of the reader.
      { env: { ...process.env, LC_ALL: 'C', TZ: 'UTC0' }, maxBuffer: 64 * 1024 * 1024 },
    )
    return stdout.split('\n').flatMap(parsePs)
  } catch (error) {
    // ps ends with 1 when it selected nothing.
    if (error instanceof Error && 'code' in error && error.code === 1) return []
    throw error
  }
}

function parsePs(line: string): readonly ProcessEntry[] {
  const [, pid, group, state = '', lstart = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line) ?? []
  if (pid === undefined) return []
  const started = `ps:${lstart.replace(/\s+/g, ' ')}`
  return [{ pid: Number(pid), group: Number(group), started, running: !state.startsWith('Z') }]
}
