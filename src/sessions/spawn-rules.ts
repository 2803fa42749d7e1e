/** Who may start whom, how deep and how many at once: checked before anything of a new session or run is written. */
import type { Role } from '../../machines/session-record.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { SessionDirectory } from './directory.ts'
import type { RoleDefinition } from './roles.ts'

export type SpawnLimits = {
  /** How many levels may lie below a session that nobody started; default 3. */
  readonly maxDepth: number
  /** How many that one session started may be at work or waiting at once; default 100. */
  readonly maxChildren: number
}

export const DEFAULT_SPAWN_LIMITS: SpawnLimits = { maxDepth: 3, maxChildren: 100 }

/** @throws RuntimeError `SPAWN_REFUSED` */
export type AssertMayStart = (parentId: string, child: { readonly role: Role }) => Promise<void>

/** What one session has started and not told the log yet counts as well. */
export function createSpawnRules(
  roles: Readonly<Record<Role, RoleDefinition>>,
  options: { readonly directory: SessionDirectory; readonly limits: SpawnLimits },
): AssertMayStart {
  const { directory, limits } = options
  return async (parentId, child) => {
    const parent = await directory.row(parentId)
    // An unknown parent is refused by who looks it up.
    if (parent === undefined) return
    if (!roles[parent.role].mayStart.includes(child.role)) {
      throw refused(parentId, {
        why: `a ${parent.role} may not start a ${child.role}`,
        expected: `A ${parent.role} may start: ${roles[parent.role].mayStart.join(', ') || 'nobody'}.`,
        todo: `Let its parent start it, or widen the role: defineRole({ name: '${parent.role}', mayStart: […] }).`,
      })
    }
    let depth = 1
    for (let above = parent.parent_id; above !== null; depth += 1) {
      above = (await directory.row(above))?.parent_id ?? null
    }
    if (depth > limits.maxDepth) {
      throw refused(parentId, {
        why: `it would be ${depth} levels below the first session`,
        expected: `At most ${limits.maxDepth} levels.`,
        todo: 'Let a session higher up start it, or raise limits.maxDepth of createRuntime.',
      })
    }
    if (directory.liveChildren(parentId) >= limits.maxChildren) {
      throw refused(parentId, {
        why: `${directory.liveChildren(parentId)} that it started have not ended`,
        expected: `At most ${limits.maxChildren} at once.`,
        todo: 'Wait for some of them to end, or raise limits.maxChildren of createRuntime.',
      })
    }
  }
}

function refused(parentId: string, story: { why: string; expected: string; todo: string }): RuntimeError {
  return new RuntimeError('SPAWN_REFUSED', {
    happened: `"${parentId}" may not start another: ${story.why}.`,
    expected: story.expected,
    todo: `${story.todo} Nothing was written.`,
    details: { parent_id: parentId },
  })
}
