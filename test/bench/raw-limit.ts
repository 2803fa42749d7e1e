/** What the disk itself can do: an append of 400 bytes and an fdatasync, both asynchronous, as the store makes them. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { measure, type Measurement } from './measure.ts'

/** About one small event as it is stored. */
const BYTES = 400

export async function measureRawLimit(folder: string): Promise<Measurement> {
  const file = await open(join(folder, 'raw-limit'), 'a')
  const bytes = Buffer.alloc(BYTES, 'x')
  try {
    return await measure(
      { name: `raw: append ${BYTES} B + fdatasync`, unit: 'syncs', forMs: 500 },
      async () => {
        await file.write(bytes)
        await file.datasync()
      },
    )
  } finally {
    await file.close()
  }
}
