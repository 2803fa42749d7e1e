/** Tells a structured logger of every event on disk, with its correlation ids; at level `debug` and not otherwise. */
import type { EventStore } from '../../eventstore/event-store.ts'

/** What the runtime asks of a logger; a pino logger has it, whatever its levels. */
export type RuntimeLogger = {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  isLevelEnabled(level: string): boolean
}

/** Follows the log from now on, if the logger listens at level `debug`; returns how to stop. */
export function logEvents(store: EventStore, logger: RuntimeLogger): () => void {
  // A line costs about as much as a transition: nobody pays for it who does not want it.
  if (!logger.isLevelEnabled('debug')) return () => {}
  const subscription = store.subscribe({ fromPosition: 'now' }).subscribe({
    next: ({ event_id, event_type, stream_id, version, position, correlation_id, causation_id, state }) =>
      logger.debug(
        { event_id, event_type, stream_id, version, position, correlation_id, causation_id, state },
        event_type,
      ),
    error: (err: unknown) => logger.error({ err }, 'the log can no longer be followed'),
  })
  return () => subscription.unsubscribe()
}
