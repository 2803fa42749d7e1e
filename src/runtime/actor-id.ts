/** Which names actors can have: those that are neither children's nor those of streams beside actors. */
import { isRecordableName } from './fold/canonical.ts'
import { isChildAddress } from './fold/child-address.ts'
import { DEAD_SUFFIX } from './delivery/dead-letters.ts'
import { DEFINITION_PREFIX } from './definition.ts'
import { invalidId } from './engine-errors.ts'
import { FORK_SUFFIX } from './forks/fork-link.ts'
import { EFFECTS_SUFFIX } from './effects/owed-effect.ts'
import { REFUSED_SUFFIX } from './refusal-log.ts'

/** Leaves room in the store's keys for what is owed. */
const LONGEST_ID = 400

/** @throws RuntimeError `INPUT_INVALID` for what cannot be the id of a root. */
export function assertId(id: unknown): void {
  if (!isRootId(id)) throw invalidId(id, LONGEST_ID)
}

function isRootId(id: unknown): id is string {
  return (
    isRecordableName(id, LONGEST_ID) &&
    !id.startsWith(DEFINITION_PREFIX) &&
    !id.endsWith(REFUSED_SUFFIX) &&
    !id.endsWith(FORK_SUFFIX) &&
    !id.endsWith(DEAD_SUFFIX) &&
    !id.endsWith(EFFECTS_SUFFIX) &&
    !isChildAddress(id)
  )
}

/** Children have longer names than roots. */
export function isRecordedId(id: unknown): id is string {
  return isRecordableName(id) && (isRootId(id) || isChildAddress(id))
}
