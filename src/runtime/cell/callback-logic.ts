/** Gives the rest of `src/` a leaf that runs until it is stopped, so that XState's values stay beside the fold. */
import { setMaxListeners } from 'node:events'
import { fromCallback, type AnyEventObject, type CallbackActorLogic, type NonReducibleUnknown } from 'xstate'

/**
 * A leaf that runs `start` until its signal aborts. What `start` has to say it sends to the actor through the
 * engine, so that it gets a receipt. A rejection goes to `onError`.
 */
export function leafLogic<TInput extends NonReducibleUnknown>(
  start: (input: TInput, signal: AbortSignal) => Promise<void>,
  onError: (error: unknown) => void,
): CallbackActorLogic<AnyEventObject, TInput> {
  return fromCallback<AnyEventObject, TInput>(({ input }) => {
    const controller = new AbortController()
    // Every wait and every step of a handler listens to this one signal, and each takes its listener back.
    setMaxListeners(0, controller.signal)
    start(input, controller.signal).catch((error: unknown) => {
      if (!controller.signal.aborted) onError(error)
    })
    return () => controller.abort(new Error('stopped'))
  })
}
