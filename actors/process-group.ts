/** Ends a process group and waits until nothing of it runs any more. */

import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { systemCode } from './command-error.ts'
import { processTable } from './process-table.ts'

/** How long a group may take to vanish after SIGKILL; longer means a process is stuck inside the kernel. */
const KILL_WAIT_MS = 5_000
const FIRST_POLL_MS = 5
const LAST_POLL_MS = 100

/**
 * SIGTERM to the group, SIGKILL after `graceMs` if something of it still runs, and again until nothing does.
 * Returns `false` if something outlives that by 5,000 ms, or may not be signalled by this user.
 * The caller has made sure that the group is the one it means.
 */
export async function endGroup(group: number, { graceMs }: { readonly graceMs: number }): Promise<boolean> {
  signalGroup(group, 'SIGTERM')
  // A stopped process acts on SIGTERM only once it is continued.
  signalGroup(group, 'SIGCONT')
  if (await waitForGroup(group, { withinMs: graceMs })) return true
  return waitForGroup(group, { withinMs: KILL_WAIT_MS, meanwhile: () => signalGroup(group, 'SIGKILL') })
}

/** Waits until nothing of the group runs; `false` if something still does after `withinMs`. Zombies do not count. */
export async function waitForGroup(
  group: number,
  { withinMs, meanwhile }: { readonly withinMs: number; readonly meanwhile?: () => void },
): Promise<boolean> {
  const deadline = performance.now() + withinMs
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LAST_POLL_MS)) {
    meanwhile?.()
    if (await isGone(group)) return true
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) return false
    await delay(Math.min(pollMs, leftMs))
  }
}

async function isGone(group: number): Promise<boolean> {
  if (!exists(group)) return true
  // Only zombies may be left. A scan can miss a process that is born while its parent ends, two hardly do.
  for (let scan = 0; scan < 2; scan += 1) {
    const members = await processTable.readGroup(group)
    if (members.some((member) => member.running)) return false
  }
  return true
}

function exists(group: number): boolean {
  try {
    process.kill(process.platform === 'win32' ? group : -group, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  // -0 would be our own group and -1 every process of this user.
  if (!Number.isSafeInteger(group) || group <= 1) throw new RangeError(`${group} is not a process group.`)
  if (process.platform === 'win32') {
    // Windows has no signals to a tree; /F ends it at once, and a tree that is gone already is what was wanted.
    if (signal !== 'SIGCONT') execFile('taskkill', ['/pid', String(group), '/T', '/F'], () => undefined)
    return
  }
  try {
    process.kill(-group, signal)
  } catch (error) {
    // ESRCH: gone already. EPERM: nothing in it is ours to signal; the wait that follows reports it.
    const code = systemCode(error)
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}
