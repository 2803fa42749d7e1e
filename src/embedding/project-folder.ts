/**
 * The project's folder: whether it is ours to write into, which format it has, and that git leaves it alone.
 *
 * A new or an older folder gets `format` (a number) and a `.gitignore` of its own. Whatever is in it, to uninstall is to
 * delete it.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { RuntimeError } from '../runtime/runtime-error.ts'

/** The format that this version writes; it reads this one and all before. A folder without a number is of format 0. */
export const PROJECT_FORMAT = 1

/** What may stand in a folder that has no log yet; anything else is somebody else's. */
const OURS: ReadonlySet<string> = new Set([
  'archive',
  'billing',
  'format',
  'keys',
  '.gitignore',
  'log',
  'memory',
  'reports',
  'snapshots',
])

/**
 * Makes the folder if it is not there, and marks it as ours if it is not marked.
 *
 * @throws RuntimeError `PROJECT_FOLDER_TAKEN` when it is a file, or holds what is not ours; `PROJECT_FORMAT` when a later
 * version wrote it. Nothing is written then.
 */
export async function prepareProjectFolder(path: string): Promise<void> {
  if ((await projectFormat(path)) === PROJECT_FORMAT) return
  await mkdir(path, { recursive: true })
  await writeFile(join(path, '.gitignore'), '*\n', { flag: 'wx' }).catch(ignoreExisting)
  const draft = join(path, `format.${randomBytes(4).toString('hex')}`)
  await writeFile(draft, `${PROJECT_FORMAT}\n`)
  await rename(draft, join(path, 'format'))
}

/**
 * The format of a project's folder; `undefined` if there is nothing, 0 if it is empty or was made before there were numbers.
 *
 * @throws RuntimeError `PROJECT_FOLDER_TAKEN`, `PROJECT_FORMAT`
 */
export async function projectFormat(path: string): Promise<number | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw codeOf(error) === 'ENOTDIR' ? taken(path, 'lies below a file') : error
  })
  if (found === undefined) return undefined
  if (!found.isDirectory()) throw taken(path, 'is a file')
  const names = await readdir(path)
  const text = names.includes('format') ? await readFile(join(path, 'format'), 'utf8').catch(() => '') : '0'
  const format = /^\d{1,9}\s*$/.test(text) ? Number(text) : undefined
  if (format === undefined) throw taken(path, 'has a file "format" that holds no number')
  if (format > PROJECT_FORMAT) throw tooNew(path, format)
  if (format === 0 && !(await holdsLog(path))) {
    const foreign = names.find((name) => !OURS.has(name) && !name.startsWith('format.'))
    if (foreign !== undefined)
      throw taken(path, `holds ${JSON.stringify(foreign)} and no log of this package`)
    if (names.includes('log') && (await readdir(join(path, 'log')).catch(() => ['?'])).length > 0)
      throw taken(path, 'holds a "log" that is not of this package')
  }
  return format
}

async function holdsLog(path: string): Promise<boolean> {
  const names = await readdir(join(path, 'log')).catch((): string[] => [])
  return names.includes('store.json') || names.includes('db')
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

const ignoreExisting = (error: unknown): void => {
  if (codeOf(error) !== 'EEXIST') throw error
}

function taken(path: string, how: string): RuntimeError {
  return new RuntimeError('PROJECT_FOLDER_TAKEN', {
    happened: `${path} ${how}.`,
    expected: 'A folder of the project’s own, an empty one, or a path at which there is nothing yet.',
    todo: 'Name another folder: path of createRuntime, --project of agentctl, or path in agentctl.config.js.',
    details: { path },
  })
}

function tooNew(path: string, format: number): RuntimeError {
  return new RuntimeError('PROJECT_FORMAT', {
    happened: `The project in ${path} has format ${format}.`,
    expected: `This version reads formats up to ${PROJECT_FORMAT}.`,
    todo: 'Open it with the version of the package that wrote it, or a later one.',
    details: { path, format },
  })
}
