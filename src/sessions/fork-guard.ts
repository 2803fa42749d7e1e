/** Keeps sessions, runs, tool calls and approvals from being forked into the log that has them: their events carry their own ids. */
import type { EventStore } from '../../eventstore/event-store.ts'
import { OUR_MACHINES } from '../../machines/our-machines.ts'
import { readForkLink } from '../runtime/forks/fork-link.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

const OURS: ReadonlySet<string> = new Set(OUR_MACHINES.map(({ id }) => id))

/**
 * Passes for actors of a user's machine, and for ids that are not there. A fork that has the id of its original is alone
 * in its log, and may be let go.
 *
 * @throws RuntimeError `FORK_REFUSED`
 */
export async function assertForkable(
  store: Pick<EventStore, 'head' | 'readStream'>,
  id: string,
  wish: 'fork' | 'resume',
): Promise<void> {
  const machine = (await store.head(id))?.machine ?? ''
  if (!OURS.has(machine.slice(0, machine.lastIndexOf('@')))) return
  if (wish === 'resume' && (await readForkLink(store, id))?.from.stream_id === id) return
  throw new RuntimeError('FORK_REFUSED', {
    happened: `"${id}" (${machine}) cannot be ${wish === 'fork' ? 'forked in the log that has it' : 'resumed as a fork'}.`,
    expected:
      'Sessions, runs, tool calls and approvals know themselves and each other by the ids in their events: a fork beside its original would act as the original.',
    todo:
      wish === 'fork'
        ? `Fork it into a folder of its own, when no process has this one open: agentctl fork ${id} --into <folder>.`
        : 'Only a fork in a folder of its own is resumed: agentctl fork makes one.',
    details: { stream_id: id, machine },
  })
}
