/** Finds and loads the module of a job: a file, a folder with an index, or TypeScript that was compiled beside it. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CliError } from './cli-error.ts'
import type { Job } from './job.ts'

/** @throws CliError `CLI_NOT_FOUND` if there is no such module, `CLI_USAGE` if it is not a job. */
export async function loadJob(path: string, cwd: string): Promise<Job> {
  const asked = resolve(cwd, path)
  const file = await entryOf(asked)
  if (file === undefined) throw noJob(asked)
  const module = (await import(pathToFileURL(file).href)) as { default?: Partial<Job> }
  const job = module.default
  if (typeof job?.name !== 'string' || typeof job.plan !== 'function' || job.main === undefined)
    throw notAJob(file)
  return job as Job
}

async function entryOf(asked: string): Promise<string | undefined> {
  const folder = await isFolder(asked)
  const sources = folder ? ['index.js', 'index.mjs', 'index.ts'].map((name) => join(asked, name)) : [asked]
  for (const source of sources) {
    if (!(await isFile(source))) continue
    if (extname(source) !== '.ts') return source
    const compiled = await compiledFrom(source)
    if (compiled !== undefined) return compiled
    if ('typescript' in process.features && process.features.typescript !== false) return source
    throw notCompiled(source)
  }
  return undefined
}

/** Where the nearest tsconfig.json puts what it compiles from this source, if it is there. */
async function compiledFrom(source: string): Promise<string | undefined> {
  for (let folder = dirname(source); ; folder = dirname(folder)) {
    const config = await readFile(join(folder, 'tsconfig.json'), 'utf8').catch(() => undefined)
    if (config !== undefined) {
      const outDir = /"outDir"\s*:\s*"([^"]+)"/.exec(config)?.[1] ?? 'dist'
      const compiled = join(folder, outDir, relative(folder, source)).replace(/\.ts$/, '.js')
      return (await isFile(compiled)) ? compiled : undefined
    }
    if (folder === dirname(folder)) return undefined
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

function noJob(path: string): CliError {
  return new CliError('CLI_NOT_FOUND', {
    happened: `There is no job at ${path}.`,
    expected: 'A module, or a folder with an index.js, whose default export is made with defineJob.',
    todo: 'Check the path.',
  })
}

function notAJob(file: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `${file} is not a job.`,
    expected: 'A default export made with defineJob({ name, main, plan, … }).',
    todo: 'Export the job as default.',
  })
}

function notCompiled(source: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `${source} is TypeScript that has not been compiled, and this Node cannot run it as it is.`,
    expected: 'Compiled JavaScript where its tsconfig.json says, or Node 22.18 and later.',
    todo: 'Compile it (npm run build), then run the same command.',
  })
}
