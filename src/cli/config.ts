/** `agentctl.config.js`: what a project says once instead of on each command line; looked for upwards from the cwd. */
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { LOG_LEVELS, type LogLevel } from '../embedding/log-level.ts'
import { CliError } from './cli-error.ts'

/** Whose time has a price. */
export const ROLES = ['orchestrator', 'supervisor', 'workagent'] as const

/** What the file exports as default. Paths in it are relative to the file. */
const schema = z.strictObject({
  path: z.string().min(1).optional(),
  machines: z.array(z.string().min(1)).optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  rates: z.partialRecord(z.enum(ROLES), z.number().nonnegative()).optional(),
})

/** What the file says, with absolute paths. */
export type CliConfig = {
  /** The project's folder. */
  readonly path: string
  /** Modules that export the user's machines. */
  readonly machines: readonly string[]
  readonly logLevel: LogLevel | undefined
  /** USD per hour by role. */
  readonly rates: Readonly<Record<string, number>>
}

const NAMES = ['agentctl.config.js', 'agentctl.config.mjs'] as const

/**
 * The nearest configuration; without one, the defaults for `cwd`. Loading it runs its code.
 *
 * @throws CliError `CLI_USAGE` naming the file, and the field if it is one
 */
export async function loadConfig(cwd: string, defaultPath: string): Promise<CliConfig> {
  const file = await nearest(cwd)
  if (file === undefined)
    return { path: resolve(cwd, defaultPath), machines: [], logLevel: undefined, rates: {} }
  const folder = dirname(file)
  const parsed = schema.safeParse(await defaultExport(file))
  if (!parsed.success) throw unusable(file, parsed.error)
  const { path = defaultPath, machines = [], logLevel, rates = {} } = parsed.data
  return {
    path: resolve(folder, path),
    machines: machines.map((each) => resolve(folder, each)),
    logLevel,
    rates: { ...rates },
  }
}

async function nearest(cwd: string): Promise<string | undefined> {
  for (let folder = cwd; ; folder = dirname(folder)) {
    for (const name of NAMES) {
      const file = join(folder, name)
      if ((await stat(file).catch(() => undefined))?.isFile() === true) return file
    }
    if (dirname(folder) === folder) return undefined
  }
}

async function defaultExport(file: string): Promise<unknown> {
  try {
    return ((await import(pathToFileURL(file).href)) as { default?: unknown }).default
  } catch (cause) {
    throw new CliError('CLI_USAGE', {
      happened: `${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}.`,
      expected: 'Expected a JavaScript module that loads without an error.',
      todo: 'Correct or remove it; nothing was done.',
      cause,
      details: { path: file },
    })
  }
}

function unusable(file: string, cause: z.ZodError): CliError {
  const [issue] = cause.issues
  const field = issue?.path.join('.') ?? ''
  return new CliError('CLI_USAGE', {
    happened: `${file} says what is not understood${field === '' ? '' : ` at ${field}`}: ${issue?.message ?? ''}.`,
    expected: `Expected export default { path?: string, machines?: string[], logLevel?: ${LOG_LEVELS.join(' | ')}, rates?: { ${ROLES.join('?, ')}?: number } }.`,
    todo: 'Correct or remove it; nothing was done.',
    cause,
    details: { path: file, field },
  })
}
