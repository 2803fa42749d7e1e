/** Names a process so that it cannot be mistaken for a later one to which the system gave the same id. */

import { processTable } from './process-table.ts'

/** Plain data, to be recorded. `started` comes from the operating system: compare it, never compute with it. */
export type ProcessIdentity = {
  readonly pid: number
  /** The process group, which a command leads: the same number as `pid`. */
  readonly group: number
  readonly started: string
}

/**
 * The environment variable in which a command and all that it starts carry the command's identity,
 * so that members of its group can be recognised after the command itself has ended.
 */
export const markVariable = 'AGENT_ORCHESTRATION_COMMAND'

/** The value of `markVariable` for this command: one line. */
export function markOf(identity: ProcessIdentity): string {
  return `${identity.pid}@${identity.started}`
}

/** The identity of a running process; `undefined` if there is none with this id, or only a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const entry = await processTable.read(pid)
  if (entry === undefined || !entry.running) return undefined
  return { pid: entry.pid, group: entry.group, started: entry.started }
}

/**
 * Whether exactly this process still runs: a zombie does not, nor does another process that got its id.
 * Its descendants are not looked at. Always `false` on Windows, where the start time is not known.
 */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const current = await identify(identity.pid)
  return current !== undefined && current.started !== '' && current.started === identity.started
}
