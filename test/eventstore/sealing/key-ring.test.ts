/** Keys in files: whole or not there, wrapped if asked for, gone when destroyed, and shown to nobody. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { openFileKeyRing } from '../../../eventstore/index.ts'
import { readFileKeyRing } from '../../../eventstore/sealing/file-key-ring.ts'
import { inFolder } from './project.ts'

const masterKey = '0f'.repeat(32)

const textsOf = (key: Uint8Array): string[] => [
  Buffer.from(key).toString('base64'),
  Buffer.from(key).toString('hex'),
]

const thrownBy = (act: () => unknown): Error => {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('a ring of keys in files (X-10)', () => {
  test('keeps a key over openings, and forgets one that is destroyed', async () => {
    await inFolder(async (folder) => {
      const ring = await openFileKeyRing(folder)
      const [one, two] = [await ring.create('anna'), await ring.create('ben')]
      const again = await openFileKeyRing(folder)
      expect(again.find(one.key_id)).toEqual(Buffer.from(one.key))
      await again.destroy(one.key_id)
      await again.destroy(one.key_id)
      expect(again.find(one.key_id)).toBeUndefined()
      expect((await openFileKeyRing(folder)).find(one.key_id)).toBeUndefined()
      expect(again.find(two.key_id)).toEqual(Buffer.from(two.key))
      expect(await readdir(folder)).toHaveLength(1)
    })
  })

  test('takes a file that was overwritten and not yet removed for destroyed, and removes what was never finished', async () => {
    await inFolder(async (folder) => {
      const { key_id } = await (await openFileKeyRing(folder)).create('anna')
      const path = join(folder, `${key_id}.json`)
      await writeFile(path, Buffer.alloc((await readFile(path)).length))
      await writeFile(`${path}.unfinished`, 'half of a k')
      const ring = await openFileKeyRing(folder)
      expect(ring.find(key_id)).toBeUndefined()
      expect(await readdir(folder)).toEqual([`${key_id}.json`])
      await ring.destroy(key_id)
      expect(await readdir(folder)).toEqual([])
    })
  })

  test('wraps keys with a master key, without which its files are of no use', async () => {
    await inFolder(async (folder) => {
      const { key_id, key } = await (await openFileKeyRing(folder, { masterKey })).create('anna')
      const file = await readFile(join(folder, `${key_id}.json`), 'utf8')
      for (const text of textsOf(key)) expect(file).not.toContain(text)
      expect(
        (await openFileKeyRing(folder, { masterKey: Buffer.from(masterKey, 'hex') })).find(key_id),
      ).toEqual(key)
      for (const wrong of [{}, { masterKey: 'f0'.repeat(32) }]) {
        const ring = await openFileKeyRing(folder, wrong)
        const error = thrownBy(() => ring.find(key_id))
        expect(error).toMatchObject({ code: 'ES_KEY_UNREADABLE' })
        expect(inspect(error)).not.toContain('f0f0')
      }
    })
  })

  test('reads keys from before there was a master key as well', async () => {
    await inFolder(async (folder) => {
      const { key_id, key } = await (await openFileKeyRing(folder)).create('anna')
      expect((await openFileKeyRing(folder, { masterKey })).find(key_id)).toEqual(key)
    })
  })

  test.each(['', 'short', '0f'.repeat(31), new Uint8Array(16)])(
    'refuses a master key that is none: %j',
    async (wrong) => {
      await inFolder(async (folder) => {
        await expect(openFileKeyRing(folder, { masterKey: wrong })).rejects.toMatchObject({
          code: 'ES_INVALID_OPTION',
          path: 'masterKey',
        })
      })
    },
  )

  test('says that a damaged file is damaged, without showing what is in it', async () => {
    await inFolder(async (folder) => {
      const { key_id, key } = await (await openFileKeyRing(folder)).create('anna')
      const path = join(folder, `${key_id}.json`)
      const whole = await readFile(path, 'utf8')
      for (const text of [
        whole.slice(0, -5),
        whole.replace('"format":1', '"format":9'),
        whole.replace(key_id, 'key_x'),
      ]) {
        await writeFile(path, text)
        const error = thrownBy(() => readFileKeyRing(folder).find(key_id))
        expect(error).toMatchObject({ code: 'ES_KEY_UNREADABLE' })
        for (const part of textsOf(key)) expect(inspect(error)).not.toContain(part)
      }
    })
  })

  test('makes no file’s name of an id that is none of its own', async () => {
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'notes.json'), 'mine')
      const ring = await openFileKeyRing(join(folder, 'keys'))
      expect(ring.find('../notes')).toBeUndefined()
      await ring.destroy('../notes')
      expect(await readFile(join(folder, 'notes.json'), 'utf8')).toBe('mine')
    })
  })

  test('does not show its keys when it is printed', async () => {
    await inFolder(async (folder) => {
      const ring = await openFileKeyRing(folder, { masterKey })
      const { key } = await ring.create('anna')
      const shown = inspect(ring, { depth: 9, showHidden: true }) + JSON.stringify(ring)
      for (const text of [...textsOf(key), masterKey, inspect(key), inspect(Buffer.from(masterKey, 'hex'))])
        expect(shown).not.toContain(text)
    })
  })
})
