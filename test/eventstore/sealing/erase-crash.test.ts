/** A process that dies while it erases a subject: what it left undone is done when the log is opened again. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { unopenedIn, type Erased } from '../../../eventstore/index.ts'
import { collect, inFolder, openSealing } from './project.ts'

const program = fileURLToPath(new URL('../../../dist/test/faults/programs/erase-and-die.js', import.meta.url))

describe.skipIf(!existsSync(program))(
  'a process that dies while it erases (needs the build: npm run build)',
  () => {
    test.each(['before-key', 'after-key', 'beside'])(
      'at the moment "%s" leaves nothing to be read (X-10)',
      async (moment) => {
        await inFolder(async (folder) => {
          const { store } = await openSealing(folder)
          await store.appendBatch({
            appends: [{ stream_id: 'anna/visit', events: [{ event_type: 'noted', payload: 'a secret' }] }],
            entries: [{ key: 'owed/x', value: 'a secret' }],
          })
          await store.close()

          const died = spawnSync(process.execPath, [program, folder, moment], {
            encoding: 'utf8',
            timeout: 60_000,
          })
          expect(died).toMatchObject({ signal: 'SIGKILL', stdout: '' })
          expect(await readdir(join(folder, 'keys'))).toHaveLength(moment === 'before-key' ? 1 : 0)

          const beside: Erased[] = []
          const again = await openSealing(folder, { onErased: async (erased) => void beside.push(erased) })
          expect(await readdir(join(folder, 'keys'))).toEqual([])
          expect(beside).toMatchObject([{ subject_id: 'anna', streams: ['anna/visit'] }])
          expect((await collect(again.store.readStream('anna/visit'))).map(unopenedIn)).toEqual(['erased'])
          expect(await collect(again.store.entries(''))).toEqual([])
          expect(await collect(again.store.erasures())).toHaveLength(1)
          await again.store.close()

          const third = await openSealing(folder, { onErased: async (erased) => void beside.push(erased) })
          expect(beside).toHaveLength(1)
          await third.store.close()
        })
      },
    )
  },
)
