/** The errors of one actor, in the words of whoever meets them. */
import type { RecordedEvent } from '../../../eventstore/event.ts'
import type { Divergence } from '../fold/replay.ts'
import { RuntimeError } from '../runtime-error.ts'

export function bornDead(
  about: { readonly id: string; readonly machine: string },
  cause: unknown,
): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `Machine "${about.machine}" failed on its input for "${about.id}": ${textOf(cause)}.`,
    expected: 'The context factory and the initial actions accept the input.',
    todo: 'Check the input; nothing was written.',
    cause,
  })
}

export function actorErased(about: Partial<RecordedEvent> & Pick<RecordedEvent, 'stream_id'>): RuntimeError {
  const { stream_id, version, machine, subject_id, key_id } = about
  return new RuntimeError('ACTOR_ERASED', {
    happened: `"${stream_id}" is no more: its subject was erased, and with it what its events say.`,
    expected: 'An actor whose events can be read.',
    todo: 'Begin a new one under another id; that it was erased, when, by whom and why is on record.',
    details: { stream_id, version, machine, subject_id, key_id },
  })
}

/** What was found, or `undefined` for an actor whose subject was erased: for those who go through all that there are. */
export async function unlessErased<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if ((error as { code?: string }).code === 'ACTOR_ERASED') return undefined
    throw error
  }
}

/** Why an actor cannot be woken whose events do not replay. */
export function doesNotWake({ record, now, reason, cause }: Divergence): RuntimeError {
  const { stream_id, version, machine, subject_id, key_id } = record
  if (now === 'erased') return actorErased(record)
  if (now === 'locked')
    return new RuntimeError('ACTOR_LOCKED', {
      happened: `"${stream_id}" cannot be read: what its events say is sealed for "${subject_id}", and the key is not here.`,
      expected: 'The key ring that the log was written with.',
      todo: 'Restore the folder of keys, or give createRuntime the `sealing` it had; nothing of the actor is lost.',
      details: { stream_id, version, machine, subject_id, key_id },
    })
  return diverged(record, reason, cause)
}

type At = Pick<RecordedEvent, 'machine' | 'stream_id' | 'version'> & { readonly event_type?: string }

export function diverged(record: At, how: string, cause?: unknown): RuntimeError {
  const { stream_id, version, event_type = '', machine } = record
  return new RuntimeError('ACTOR_DIVERGED', {
    happened: `Event ${version} ("${event_type}") of "${stream_id}" does not replay: ${how}.`,
    expected: 'A recorded event replays as it was recorded.',
    todo: `Run it with the code that wrote it (${machine}), or give the machine a new version; nothing of the actor is lost.`,
    details: { stream_id, version, event_type, machine },
    ...(cause !== undefined && { cause }),
  })
}

export function actorFailed(id: string, version: number, cause: unknown): RuntimeError {
  return new RuntimeError('ACTOR_FAILED', {
    happened: `"${id}" has ended in error at version ${version}: ${textOf(cause)}.`,
    expected: 'Guards, assigns and leaves without an onError do not throw.',
    todo: `Look at what led there (agentctl show ${id} --at ${version - 1}); the error is on the record.`,
    cause,
    details: { stream_id: id, version },
  })
}

export function actionFailed(
  about: { readonly id: string; readonly key: string; readonly type: string },
  cause: unknown,
): RuntimeError {
  return new RuntimeError('ACTION_FAILED', {
    happened: `Action "${about.type}" of "${about.id}" threw: ${textOf(cause)}.`,
    expected: 'Actions do not throw: they run after their event is on disk, at most once.',
    todo: 'Put what can fail into an invoked promise, whose failure is an event.',
    cause,
    details: { stream_id: about.id, key: about.key, action: about.type },
  })
}

export function closedUnder(id: string): RuntimeError {
  return new RuntimeError('RUNTIME_CLOSED', {
    happened: `"${id}" was sent an event after the runtime was closed.`,
    expected: 'An open runtime.',
    todo: 'Open the runtime again; what is on disk is intact.',
  })
}

export function stoppedByParent(id: string, parent: string): RuntimeError {
  return new RuntimeError('EVENT_RESERVED', {
    happened: `"${id}" was to be stopped, and it is a child of "${parent}".`,
    expected:
      'As in XState, a child is stopped by its parent: when it leaves the invoking state, or by stopChild.',
    todo: 'Send the parent an event on which it does so; nothing was written.',
    details: { stream_id: id, parent },
  })
}

export function stateless(id: string): RuntimeError {
  return new RuntimeError('ACTOR_NOT_FOUND', {
    happened: `"${id}" has no state yet.`,
    expected: 'Its first event is on disk.',
    todo: 'Await spawn() before you use the actor.',
  })
}

function textOf(cause: unknown): string {
  return String((cause as Error | undefined)?.message ?? cause)
}
