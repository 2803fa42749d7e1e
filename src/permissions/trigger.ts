/**
 * Triggers: which names a hook watches.
 *
 * One dialect, by colon segments: `*` is exactly one segment, a trailing `*` is the rest (one or more segments),
 * `*` alone is everything, and a trigger also matches what lies below it (`execute:database` matches
 * `execute:database:delete`). Case counts.
 */
import { PermissionError } from './permission-error.ts'

export type Trigger = {
  readonly text: string
  readonly segments: readonly string[]
}

/** Reads a trigger; `path` says where it stands. Throws `PM_INVALID_TRIGGER`. */
export function parseTrigger(text: unknown, path: string): Trigger {
  const flaw =
    flawOf(text) ?? (/[^:]\*|\*[^:]/.test(text as string) ? 'has a "*" inside a segment' : undefined)
  if (flaw !== undefined) {
    throw new PermissionError('PM_INVALID_TRIGGER', {
      happened: `The trigger at ${path} ${flaw}: ${quote(text)}.`,
      expected: 'Expected colon-separated segments without spaces, like "execute:database" or "execute:*".',
      todo: 'Correct the trigger and register the hook again; the hook was not registered.',
      path,
    })
  }
  const trigger = text as string
  return { text: trigger, segments: trigger.split(':') }
}

/**
 * Refuses a name that no trigger could be meant for, because a mistyped name would slip past every hook.
 * A capability is concrete: it has no `*`. Throws `PM_INVALID_CAPABILITY`.
 */
export function assertCapability(name: unknown, path: string): asserts name is string {
  const flaw = flawOf(name) ?? ((name as string).includes('*') ? 'has a "*"' : undefined)
  if (flaw === undefined) return
  throw new PermissionError('PM_INVALID_CAPABILITY', {
    happened: `The name at ${path} ${flaw}: ${quote(name)}.`,
    expected:
      'Expected a concrete name of colon-separated segments without spaces, like "execute:database:index".',
    todo: 'Correct the name of the tool or its capability; nothing was executed.',
    path,
  })
}

/**
 * Whether a trigger watches a name.
 * Descendants and a trailing `*` need no case of their own: both mean that what the trigger leaves open may follow.
 */
export function triggerMatches(trigger: Trigger, name: string): boolean {
  const segments = name.split(':')
  return (
    segments.length >= trigger.segments.length &&
    trigger.segments.every((segment, index) => segment === '*' || segment === segments[index])
  )
}

function flawOf(text: unknown): string | undefined {
  if (typeof text !== 'string') return 'is not a string'
  if (text === '') return 'is empty'
  if (/[\s\p{Cc}]/u.test(text)) return 'has a space or a control character'
  if (text.split(':').includes('')) return 'has an empty segment'
  return undefined
}

function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : value === null ? 'null' : typeof value
}
