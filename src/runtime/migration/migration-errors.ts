/** What keeps an actor from going on under a newer version of its machine, said precisely. */
import type { JsonValue, RecordedEvent } from '../../../eventstore/event.ts'
import { RuntimeError } from '../runtime-error.ts'

/** From which version of its machine to which an actor goes. */
export type Boundary = { readonly id: string; readonly from: string; readonly to: string }

type Found = {
  readonly record: RecordedEvent
  readonly expected: JsonValue
  readonly got: JsonValue
  readonly reason: string
}

/** Today's machine does not replay the actor, or the old one that was given did not write it. */
export function migrationMissing(
  { id, from, to, given }: Boundary & { readonly given: boolean },
  { record, expected, got, reason }: Found,
): RuntimeError {
  const { version, event_type } = record
  const place = `event ${version} ("${event_type}"): ${reason}`
  return new RuntimeError('MIGRATION_MISSING', {
    happened: given
      ? `"${id}" was last decided by "${from}", and the machine given for that version is not the one: ${place}.`
      : `"${id}" was last decided by "${from}", and "${to}" does not replay it as recorded: ${place}.`,
    expected: `The machine that decided it, and a migration from there to "${to}".`,
    todo: 'Register it as withPolicies(machine, { versions: { [old version]: { machine, migrate } } }); until then the actor stays parked, and nothing of it is lost.',
    details: { stream_id: id, from, to, version, event_type, expected, got },
  })
}

/** What a migration gives is no state of today's machine. */
export function migrationInvalid({ id, from, to }: Boundary, reason: string, cause?: unknown): RuntimeError {
  return new RuntimeError('MIGRATION_INVALID', {
    happened: `"${id}" cannot go from "${from}" to "${to}": ${reason}.`,
    expected: `A migration whose state "${to}" could be in, with just the children and timers that it would have.`,
    todo: 'Let migrate lead to another state, or rename and drop what runs and is waited for; until then the actor stays parked, and nothing of it is lost.',
    details: { stream_id: id, from, to },
    ...(cause !== undefined && { cause }),
  })
}
