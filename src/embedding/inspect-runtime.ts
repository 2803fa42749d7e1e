/** Joins a runtime to an inspector: Stately's, by a local server; or an observer of the user's. */
import type { AnyStateMachine } from 'xstate'
import type { EventStore } from '../../eventstore/event-store.ts'
import { watchActors } from '../inspector/actor-watch.ts'
import { feedLive } from '../inspector/live-feed.ts'
import { sanitizer, type Sanitize } from '../inspector/sanitize.ts'
import { openStatelyServer } from '../inspector/stately-server.ts'
import { observed, type XStateObserver } from '../inspector/xstate-observer.ts'
import type { Inspected } from '../inspector/inspected.ts'
import { knownMachines } from '../query/state-at.ts'

export type InspectServerOptions = {
  /** Of 127.0.0.1; default one that is free. */
  readonly port?: number
  /** What may leave; default everything but what looks like a secret. `true`: no contents at all. */
  readonly sanitize?: Sanitize
}

/** `true`: a local server for Stately's Inspector. An observer is given what XState's own `inspect` would give it. */
export type InspectOption = boolean | InspectServerOptions | XStateObserver

export type Inspection = {
  /** Where a person opens the inspector; `null` for an observer. */
  readonly url: string | null
  close(): Promise<void>
}

export type InspectedRuntime = {
  readonly store: EventStore
  readonly machines: readonly AnyStateMachine[]
  readonly onError: (error: unknown) => void
  /** Is told where the inspector is, and what leaves the machine there. */
  readonly announce: (inspector: { readonly url: string; readonly leaves: string }) => void
}

/** @throws InspectorError `INSPECTOR_UNAVAILABLE` */
export async function openInspection(
  option: Exclude<InspectOption, false>,
  runtime: InspectedRuntime,
): Promise<Inspection> {
  if (isObserver(option)) return showTo(option, runtime)
  const options = option === true ? {} : option
  let showing: Showing | undefined
  const server = await openStatelyServer({
    ...options,
    current: () => showing?.watch.current() ?? [],
    // Without anybody who looks, nothing is read and nothing is folded.
    onAudience(isThere) {
      showing?.stop()
      showing = isThere ? show(runtime, (shown) => server.give(shown)) : undefined
    },
  })
  runtime.announce(server)
  return {
    url: server.url,
    async close() {
      showing?.stop()
      await server.close()
    },
  }
}

async function showTo(observer: XStateObserver, runtime: InspectedRuntime): Promise<Inspection> {
  const clean = sanitizer()
  const next = observed(observer)
  const showing = show(runtime, async (shown) => {
    for (const one of shown) next(clean(one))
  })
  return { url: null, close: async () => showing.stop() }
}

type Showing = { readonly watch: ReturnType<typeof watchActors>; readonly stop: () => void }

function show(
  { store, machines, onError }: InspectedRuntime,
  give: (shown: readonly Inspected[]) => Promise<void>,
): Showing {
  const stopped = new AbortController()
  const watch = watchActors(store, knownMachines(machines))
  const look = async (): Promise<number> => store.position()
  feedLive({ log: store, look, watch, give, signal: stopped.signal }).catch(onError)
  return { watch, stop: () => stopped.abort() }
}

function isObserver(option: Exclude<InspectOption, false>): option is XStateObserver {
  return typeof option === 'function' || (typeof option === 'object' && 'next' in option)
}
