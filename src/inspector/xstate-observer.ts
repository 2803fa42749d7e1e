/** Shows actors to an observer made for XState's own `inspect`: those of `@statelyai/inspect`, or one of the user's. */
import type { InspectionEvent } from 'xstate'
import type { Inspected, InspectedActor } from './inspected.ts'

/** As `createActor(machine, { inspect })` takes it. */
export type XStateObserver =
  | ((event: InspectionEvent) => void)
  | { readonly next?: ((event: InspectionEvent) => void) | undefined }

/** What observers look at of an actor: who it is, its machine, its parent, where it stands. */
type ShownRef = {
  readonly id: string
  readonly sessionId: string
  readonly logic: { readonly config: unknown }
  readonly _parent: ShownRef | undefined
  getSnapshot(): unknown
}

/** A function that shows to `observer` what it is given. */
export function observed(observer: XStateObserver): (shown: Inspected) => void {
  const next = (event: object): void => {
    if (typeof observer === 'function') observer(event as InspectionEvent)
    else observer.next?.(event as InspectionEvent)
  }
  const refs = new Map<string, { readonly ref: ShownRef; snapshot: unknown }>()
  const refOf = (actor: InspectedActor): { readonly ref: ShownRef; snapshot: unknown } => {
    const known = refs.get(actor.id)
    if (known !== undefined) return known
    const made = {
      snapshot: undefined as unknown,
      ref: {
        id: actor.name,
        sessionId: actor.id,
        logic: { config: actor.definition },
        _parent: actor.parent === undefined ? undefined : refs.get(actor.parent)?.ref,
        getSnapshot: () => made.snapshot,
      },
    }
    refs.set(actor.id, made)
    return made
  }
  return (shown) => {
    const one = refOf(shown.actor)
    const about = { rootId: shown.actor.root, actorRef: one.ref }
    if (shown.kind === 'event') {
      const sourceRef = shown.source === undefined ? undefined : refs.get(shown.source)?.ref
      return next({ type: '@xstate.event', ...about, event: shown.event, sourceRef })
    }
    one.snapshot = shown.snapshot
    if (shown.kind === 'actor') return next({ type: '@xstate.actor', ...about })
    // It will move no more.
    if (shown.snapshot.status !== 'active') refs.delete(shown.actor.id)
    next({ type: '@xstate.snapshot', ...about, event: shown.event, snapshot: shown.snapshot })
  }
}
