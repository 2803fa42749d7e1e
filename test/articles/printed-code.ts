/** The article's code as printed (`NN-name.txt`), with each necessary edit (`NN-name.patch`), made into modules. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../architecture/source-file.ts'
import { applyPatch } from './apply-patch.ts'

const printed = join(root, 'test/articles/orchestration')
export const generated = join(root, 'test/articles/.generated')

/** The names of all snippets, in the order of the article. */
export const snippets: readonly string[] = readdirSync(printed)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.slice(0, -'.txt'.length))
  .toSorted()

export function sourceOf(name: string): string {
  const read = (ending: string): string => readFileSync(join(printed, `${name}.${ending}`), 'utf8')
  return applyPatch(read('txt'), read('patch'))
}

/** Writes every snippet as a module. */
export function generateAll(): void {
  mkdirSync(generated, { recursive: true })
  for (const name of snippets) writeFileSync(join(generated, `${name}.ts`), sourceOf(name))
}

/** The module of one snippet; its exports are the article's. */
// oxlint-disable-next-line typescript/no-explicit-any -- each snippet exports something else
export async function load(name: string): Promise<any> {
  generateAll()
  return import(pathToFileURL(join(generated, `${name}.ts`)).href)
}
