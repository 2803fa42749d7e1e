/** The messages of `@statelyai/inspect` 0.7, made from what is shown of actors. */
import type { Inspected, InspectedActor, InspectedEvent, InspectedSnapshot } from './inspected.ts'

/** The version of `@statelyai/inspect` whose messages these are. */
const VERSION = '0.7.2'
/** Characters of a context above which it is left out: a page would choke on it. */
const LARGEST = 256 * 1024

type Base = {
  readonly sessionId: string
  readonly rootId: string
  /** ms since 1970, as text. */
  readonly createdAt: string
  readonly id: string
  readonly _version: string
}

/** What goes over the wire; the receivers of the package take it. */
export type StatelyMessage =
  | (Base & {
      readonly type: '@xstate.actor'
      readonly name: string
      readonly parentId: string | undefined
      /** JSON of the machine's config. */
      readonly definition: string
      readonly snapshot: InspectedSnapshot
    })
  | (Base & {
      readonly type: '@xstate.event'
      readonly event: InspectedEvent
      readonly sourceId: string | undefined
    })
  | (Base & {
      readonly type: '@xstate.snapshot'
      readonly event: InspectedEvent
      readonly snapshot: InspectedSnapshot
    })

export function statelyMessage(shown: Inspected): StatelyMessage {
  const { actor, at } = shown
  const base = {
    sessionId: actor.id,
    rootId: actor.root,
    createdAt: String(Date.parse(at)),
    _version: VERSION,
  }
  switch (shown.kind) {
    case 'actor':
      return {
        ...base,
        type: '@xstate.actor',
        id: `${actor.id}:actor`,
        name: actor.name,
        parentId: actor.parent,
        definition: definitionText(actor),
        snapshot: bounded(shown.snapshot),
      }
    case 'event':
      return { ...base, type: '@xstate.event', id: shown.id, event: shown.event, sourceId: shown.source }
    case 'snapshot':
      return {
        ...base,
        type: '@xstate.snapshot',
        id: `${actor.id}:${at}`,
        event: shown.event,
        snapshot: bounded(shown.snapshot),
      }
  }
}

const texts = new WeakMap<object, string>()

/** The same for all actors of a machine, and long: made once. */
function definitionText({ definition, machine }: InspectedActor): string {
  if (typeof definition !== 'object' || definition === null) return JSON.stringify({ id: machine })
  const known = texts.get(definition)
  if (known !== undefined) return known
  const text = JSON.stringify(definition)
  texts.set(definition, text)
  return text
}

function bounded(snapshot: InspectedSnapshot): InspectedSnapshot {
  if (snapshot.context === undefined) return snapshot
  const size = JSON.stringify(snapshot.context)?.length ?? 0
  return size <= LARGEST ? snapshot : { ...snapshot, context: { 'left out': `${size} characters` } }
}
