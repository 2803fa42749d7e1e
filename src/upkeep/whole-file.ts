/** Writes a file so that it is there whole or not at all, also after the process or the machine died in between. */
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function writeWholeFile(path: string, contents: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  // Always the same name: what a death left behind is written over.
  const unfinished = `${path}.unfinished`
  const file = await open(unfinished, 'w')
  try {
    await file.writeFile(contents)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}

/** Adds to the end of a file, and is on disk when it resolves. */
export async function appendToFile(path: string, contents: string): Promise<void> {
  const file = await open(path, 'a')
  try {
    await file.writeFile(contents)
    await file.sync()
  } finally {
    await file.close()
  }
}
