/**
 * Erases a subject in the log of a folder and dies on the way: `erase-and-die <folder> <moment>`.
 * The moment is `before-key` (it is recorded, the key is there), `after-key`, or `beside` (what lies beside is there).
 */
import { join } from 'node:path'
import { openLevelEventStore } from '../../../eventstore/level-event-store.ts'
import { openFileKeyRing } from '../../../eventstore/sealing/file-key-ring.ts'
import { openSealedStore } from '../../../eventstore/sealing/sealed-store.ts'

const [folder = '', moment = ''] = process.argv.slice(2)

const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

const ring = await openFileKeyRing(join(folder, 'keys'))
const keys = {
  create: (subject_id: string) => ring.create(subject_id),
  find: (key_id: string) => ring.find(key_id),
  destroy: async (key_id: string) => {
    if (moment === 'before-key') await die()
    await ring.destroy(key_id)
    if (moment === 'after-key') await die()
  },
}
const store = await openSealedStore(await openLevelEventStore({ path: join(folder, 'log') }), {
  keys,
  onErased: async () => {
    if (moment === 'beside') await die()
  },
})
await store.eraseSubject('anna', { by: 'clerk', reason: 'asked for' })
console.log('it should have died')
