/** Erases a subject from a project that no runtime has open: from its log, and from the files beside the log. */
import { join } from 'node:path'
import { openLevelEventStore } from '../eventstore/level-event-store.ts'
import { createErasing, type RecordedErasure } from './embedding/erasing.ts'
import { sealStore } from './embedding/sealing.ts'
import { forgetFiles } from './project-services.ts'

/**
 * @param path - The project's folder, e.g. `.project`. No key is needed to destroy one.
 * @throws RuntimeError `SUBJECT_UNKNOWN`, `INPUT_INVALID`; EventStoreError `ES_LOCKED` while a process has the log open, and
 * what opening it throws
 */
export async function eraseOffline(
  path: string,
  subject_id: string,
  by: { readonly by: string; readonly reason: string },
): Promise<readonly RecordedErasure[]> {
  const stored = await openLevelEventStore({ path: join(path, 'log'), create: false })
  try {
    const sealing = await sealStore(stored, {
      sealing: {},
      path,
      newEventId: undefined,
      onErased: ({ streams }) => forgetFiles(path, streams),
    })
    return await createErasing(sealing, { now: Date.now }).eraseSubject(subject_id, by)
  } finally {
    await stored.close()
  }
}
