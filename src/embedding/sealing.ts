/** Seals a runtime's log: whose data an actor's events are, where the keys lie, and what lies beside the log. */
import { join } from 'node:path'
import { isEventStoreError } from '../../eventstore/errors.ts'
import type { EventStore } from '../../eventstore/event-store.ts'
import type { Erased } from '../../eventstore/sealing/eraser.ts'
import { openFileKeyRing, readFileKeyRing } from '../../eventstore/sealing/file-key-ring.ts'
import { createMemoryKeyRing, type KeyRing } from '../../eventstore/sealing/key-ring.ts'
import type { MasterKey } from '../../eventstore/sealing/master-key.ts'
import type { SubjectOf } from '../../eventstore/sealing/seal-batch.ts'
import {
  hasSealed,
  openSealedStore,
  readSealedStore,
  type SealedStore,
} from '../../eventstore/sealing/sealed-store.ts'
import { DEAD_SUFFIX } from '../runtime/delivery/dead-letters.ts'
import { EFFECTS_SUFFIX } from '../runtime/effects/owed-effect.ts'
import { rootOf } from '../runtime/fold/child-address.ts'
import { FORK_SUFFIX } from '../runtime/forks/fork-link.ts'
import { REFUSED_SUFFIX } from '../runtime/refusal-log.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** An actor that begins, as `subjectOf` is shown it. */
export type NewActor = {
  readonly id: string
  /** `name@version`. */
  readonly machine: string
  readonly input: Readonly<Record<string, unknown>>
}

export type SealingOption = {
  /** Where the keys are; default files in `keys/` of the project's folder, and in memory without one. */
  readonly keys?: KeyRing
  /** Wraps the keys in files: 32 bytes, as hex or base64; default what AGENTCTL_MASTER_KEY says in the environment. */
  readonly masterKey?: MasterKey
  /**
   * Whose data an actor is; asked once for each that begins. Without it, or where it says `undefined`: what its input
   * says as `subject_id`, a tag `subject:<id>`, and then the subject of who started it. Pure and fast.
   */
  readonly subjectOf?: (actor: NewActor) => string | undefined
}

/** The folder of the keys, in the project's. */
const KEYS_FOLDER = 'keys'
const TAG = 'subject:'
const BESIDE = [REFUSED_SUFFIX, FORK_SUFFIX, DEAD_SUFFIX, EFFECTS_SUFFIX]
/** Where the inputs of our machines say who started them, or whom they are for. */
const STARTERS = ['parent_id', 'owner_id', 'run_id', 'session_id'] as const

/** What is needed to read a log that seals, or to write it. */
const sealingRules = { familyOf, aboutOf }

/** The actor at the top of what a stream belongs to. */
function familyOf(stream_id: string): string {
  const suffix = BESIDE.find((end) => stream_id.endsWith(end))
  return rootOf(suffix === undefined ? stream_id : stream_id.slice(0, -suffix.length))
}

/** The actors that an entry is about; what is sent is its sender's before it is its receiver's. */
function aboutOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  const { stream_id, from, root, to, fork } = value as Readonly<Record<string, unknown>>
  return [stream_id, from, root, to, fork].filter((id) => typeof id === 'string')
}

/**
 * The store, sealed if that is asked for.
 *
 * @throws RuntimeError `LOG_SEALED` for a log that is sealed where nothing is said of sealing; what the key ring throws
 */
export async function sealStore(
  stored: EventStore,
  options: {
    readonly sealing: SealingOption | undefined
    /** The project's folder; `null` in memory. */
    readonly path: string | null
    readonly newEventId: (() => string) | undefined
    readonly onErased: (erased: Erased) => Promise<void>
  },
): Promise<SealedStore | undefined> {
  const { sealing, path, newEventId, onErased } = options
  if (sealing === undefined) {
    if (await hasSealed(stored)) throw logSealed(path)
    return undefined
  }
  const { masterKey = process.env['AGENTCTL_MASTER_KEY'] } = sealing
  const ring =
    sealing.keys ??
    (path === null
      ? createMemoryKeyRing()
      : await openFileKeyRing(join(path, KEYS_FOLDER), {
          masterKey: masterKey === '' ? undefined : masterKey,
        }))
  return openSealedStore(stored, {
    ...sealingRules,
    keys: ring,
    subjectOf: subjectBy(sealing.subjectOf),
    onErased,
    ...(newEventId && { newId: newEventId }),
  })
}

/** A log that is read without a runtime: opened with the keys in the project's folder, as far as they are there. */
export async function openForReading(
  stored: EventStore,
  projectPath: string,
  masterKey: string | undefined,
): Promise<EventStore> {
  if (!(await hasSealed(stored))) return stored
  const ring = readFileKeyRing(join(projectPath, KEYS_FOLDER), {
    masterKey: masterKey === '' ? undefined : masterKey,
  })
  const keys: KeyRing = {
    create: (subject_id) => ring.create(subject_id),
    destroy: (key_id) => ring.destroy(key_id),
    find(key_id) {
      try {
        return ring.find(key_id)
      } catch (error) {
        // What is not sealed can be read all the same.
        if (isEventStoreError(error, 'ES_KEY_UNREADABLE')) return undefined
        throw error
      }
    },
  }
  return readSealedStore(stored, { ...sealingRules, keys })
}

function subjectBy(given: SealingOption['subjectOf']): SubjectOf {
  return ({ stream_id, machine = '', payload, correlation_id = '' }, known) => {
    const { input } = (payload ?? {}) as { readonly input?: unknown }
    if (machine === '' || typeof input !== 'object' || input === null) return known(correlation_id)
    const facts = input as Readonly<Record<string, unknown>>
    return (
      given?.({ id: stream_id, machine, input: facts }) ??
      named(facts) ??
      startedBy(facts, known) ??
      known(correlation_id)
    )
  }
}

function named(input: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof input['subject_id'] === 'string') return input['subject_id']
  const { tags } = input
  if (Array.isArray(tags)) {
    const tag: unknown = tags.find((one) => typeof one === 'string' && one.startsWith(TAG))
    if (typeof tag === 'string') return tag.slice(TAG.length)
  }
  // What an agent is given is in the input of its run.
  const own = input['input']
  return typeof own === 'object' && own !== null && !Array.isArray(own)
    ? named(own as Readonly<Record<string, unknown>>)
    : undefined
}

function startedBy(
  input: Readonly<Record<string, unknown>>,
  known: (stream_id: string) => string | undefined,
): string | undefined {
  for (const name of STARTERS) {
    const id = input[name]
    const subject = typeof id === 'string' ? known(id) : undefined
    if (subject !== undefined) return subject
  }
  return undefined
}

function logSealed(path: string | null): RuntimeError {
  return new RuntimeError('LOG_SEALED', {
    happened: `The log${path === null ? '' : ` in ${path}`} has events that are sealed, or were.`,
    expected:
      'A runtime that can open them: without their keys it would go on from something else than what was.',
    todo: 'Give createRuntime `sealing`, with the keys that the log was written with; `sealing: {}` has them in the folder.',
    details: { path },
  })
}
