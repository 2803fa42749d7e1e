/** Ends what is left of a command whose parent was killed, and touches nothing that is not provably that command. */

import { readFile } from 'node:fs/promises'
import { CommandError } from './command-error.ts'
import { endGroup } from './process-group.ts'
import { markOf, markVariable, type ProcessIdentity } from './process-identity.ts'
import { processTable } from './process-table.ts'

/**
 * Ends the process group that was recorded before the command started (see `runCommand`'s `onStart`):
 * SIGTERM, after `graceMs` (default 2,000 ms) SIGKILL, and waits until nothing of it runs.
 *
 * - `'ended'`: something of it ran, and has been ended.
 * - `'gone'`: nothing of it runs.
 * - `'not_ours'`: the id now belongs to another process, or what is there cannot be proved to be the command;
 *   nothing was touched.
 *
 * How it knows:
 * 1. Same id and same start time: it is the command itself, running or a zombie, so its group is its group.
 * 2. Same id, another start time: the id was given away again. The system does not reuse an id while a group of
 *    that number has members, so nothing of the old group is left, and what is there is a stranger.
 * 3. The id is free but the group has members: the command's own descendants, or those of a stranger that got the
 *    id and died in its turn. Start times do not tell these apart (both are later), the mark in the environment
 *    does: one marked member proves the whole group.
 *
 * Limits: in case 3, members that all emptied their environment (`env -i`) or run as another user are `'not_ours'`,
 * and so is everything on systems without `/proc`. Descendants that left the group (`setsid`) are never touched.
 * On Windows it is always `'gone'` or `'not_ours'`. Between the proof and the signal lie microseconds in which the
 * last member could die and the number be reused; no Unix system can close that gap for groups.
 *
 * @throws CommandError `CMD_STILL_RUNNING` if it outlives SIGKILL by 5,000 ms: do not start it again yet.
 */
export async function endLeftover(
  identity: ProcessIdentity,
  { graceMs = 2_000 }: { readonly graceMs?: number } = {},
): Promise<'ended' | 'gone' | 'not_ours'> {
  const { pid, group, started } = identity
  // A record that names no group of its own cannot come from a command; signalling it could hit anything.
  if (!Number.isSafeInteger(pid) || pid <= 1 || group !== pid) return 'not_ours'
  if (await processTable.isFromEarlierBoot(started)) return 'gone'

  const leader = await processTable.read(pid)
  if (leader !== undefined && (started === '' || leader.started !== started || leader.group !== group)) {
    return 'not_ours'
  }
  const members = (await processTable.readGroup(group)).filter((member) => member.running)
  if (members.length === 0) return 'gone'
  if (leader === undefined && !(await someCarry(markOf(identity), members))) return 'not_ours'

  if (await endGroup(group, { graceMs })) return 'ended'
  throw new CommandError('CMD_STILL_RUNNING', {
    happened: `Process group ${group}, left over from an earlier run, still runs after SIGKILL.`,
    expected: 'A killed process group vanishes within 5,000 ms and belongs to the user of this process.',
    todo: `Look at it with "ps -o pid,user,stat,args -g ${group}", end it by hand, then try again.`,
  })
}

async function someCarry(mark: string, members: readonly { readonly pid: number }[]): Promise<boolean> {
  for (const { pid } of members) {
    try {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
      if (environment.split('\0').includes(`${markVariable}=${mark}`)) return true
    } catch {
      // Gone meanwhile, of another user, or no /proc here: this one proves nothing.
    }
  }
  return false
}
