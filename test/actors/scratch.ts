/** A folder of its own for each test, and a way to read what a command left in it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export type Scratch = {
  readonly folder: string
  path(name: string): string
  /** The text of a file, `undefined` while it is missing or empty. */
  read(name: string): string | undefined
}

export function createScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'command-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = (name: string): string => join(folder, name)
  return {
    folder,
    path,
    read(name) {
      try {
        return readFileSync(path(name), 'utf8') || undefined
      } catch {
        return undefined
      }
    },
  }
}
