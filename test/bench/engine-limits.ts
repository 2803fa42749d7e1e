/** The engine beside its raw limits: all rows with a goal. */
import type { Comparison } from './alternate.ts'
import { measureMemory } from './engine-memory.ts'
import { measureTransitions } from './engine-transitions.ts'
import { measureReplays, measureWakes } from './engine-waking.ts'

/** `events`: how many the rows on replaying and on actors at rest are measured with. */
export async function measureEngineLimits(folder: string, events: number): Promise<Comparison[]> {
  return [
    ...(await measureTransitions(folder)),
    ...(await measureReplays(folder, events)),
    ...(await measureWakes(folder)),
    ...(await measureMemory(folder, events)),
  ]
}
