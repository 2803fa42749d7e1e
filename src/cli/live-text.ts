/** What a live runtime knows of an actor just now, as a few words: only there while a process has the log open. */
import type { Attached } from '../attach/attach.ts'
import type { CallUnderWay, LiveActor } from '../attach/live-facts.ts'
import { span } from './amounts.ts'

/** As many as one question takes. */
const AT_ONCE = 1000

/** By id; `undefined` if nobody has the log open. */
export async function liveFactsOf(
  owner: Attached | undefined,
  ids: readonly string[],
): Promise<ReadonlyMap<string, LiveActor> | undefined> {
  if (owner === undefined) return undefined
  const known = new Map<string, LiveActor>()
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const { actors } = await owner.live(ids.slice(from, from + AT_ONCE))
    for (const actor of actors) known.set(actor.id, actor)
  }
  // An owner of another version may tell nothing of actors.
  return known.size === 0 ? undefined : known
}

/** `attempt 2 for 5s: tool remove, a person's approval (3s)`; `place 3 in line`; `at rest`. */
export function liveText(actor: LiveActor | undefined, now: number): string {
  if (actor === undefined) return ''
  const since = (iso: string): string => span(now - Date.parse(iso))
  const { attempt, calls, effects, queue_place, mailbox, resident } = actor
  const parts = [
    queue_place === null ? '' : `place ${queue_place} in line`,
    attempt === null ? '' : `attempt ${attempt.number} for ${since(attempt.since)}`,
    calls.map((call) => `${callText(call)} (${since(call.since)})`).join(', '),
    effects.map(({ action, state }) => `${action} ${state}`).join(', '),
    mailbox === 0 ? '' : `${mailbox} in its mailbox`,
  ].filter((part) => part !== '')
  if (parts.length > 0) return parts.join(': ')
  return resident ? 'in memory' : 'at rest'
}

const WAITS: Readonly<Record<NonNullable<CallUnderWay['waits_for']>, string>> = {
  hooks: ', its hooks',
  approval: ", a person's approval",
  turn: ', to begin',
  execution: ', at work',
}

function callText({ kind, name, waits_for }: CallUnderWay): string {
  return `${kind} ${name}${waits_for === null ? '' : WAITS[waits_for]}`
}
