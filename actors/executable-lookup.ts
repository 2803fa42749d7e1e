/** Finds the program and the folder a command asks for before anything is started, so that what is missing is named. */

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CommandError, systemCode } from './command-error.ts'

export type CommandEnvironment = Readonly<Record<string, string | undefined>>

/** Where the system looks when the environment has no PATH. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * The absolute path of the program, looked up in the PATH of the command's own environment as `execvp` does.
 * On Windows the name comes back as it is: the system's own rules (extensions, registry) apply there.
 *
 * @throws CommandError `CMD_NOT_FOUND`, or `CMD_SPAWN_FAILED` if all there is cannot be executed.
 */
export async function findExecutable(
  command: string,
  { cwd, env }: { readonly cwd: string; readonly env: CommandEnvironment },
): Promise<string> {
  if (process.platform === 'win32') return command
  const named = command.includes('/')
  const folders = named ? [''] : (env['PATH'] ?? DEFAULT_PATH).split(':')
  let denied: unknown
  for (const folder of folders) {
    const path = resolve(cwd, folder, command)
    try {
      if (!(await stat(path)).isFile()) continue
      await access(path, constants.X_OK)
      return path
    } catch (error) {
      if (systemCode(error) === 'EACCES') denied = error
    }
  }
  if (denied !== undefined) {
    throw new CommandError('CMD_SPAWN_FAILED', {
      happened: `The command "${command}" exists but may not be executed by this user.`,
      expected: 'A command is a file with execute permission, in folders that may be searched.',
      todo: 'Make it executable with "chmod +x", or name its interpreter as the command and the file as an argument.',
      cause: denied,
    })
  }
  throw new CommandError('CMD_NOT_FOUND', {
    happened: `The command "${command}" was not found${named ? ` from ${cwd}` : ' in any folder of PATH'}.`,
    expected: 'A command is the name of one program or its path; no shell reads it.',
    todo: 'Install it, give its full path, or put arguments into "args"; for shell syntax run "sh" with ["-c", text].',
  })
}

/** @throws CommandError `CMD_CWD_MISSING` if the working directory is not there or is no directory. */
export async function checkFolder(cwd: string): Promise<void> {
  let cause: unknown
  try {
    if ((await stat(cwd)).isDirectory()) return
  } catch (error) {
    cause = error
  }
  throw new CommandError('CMD_CWD_MISSING', {
    happened: `The working directory "${cwd}" ${cause === undefined ? 'is not a directory' : 'cannot be reached'}.`,
    expected: 'A command runs in a directory that exists.',
    todo: 'Create it, or give another "cwd"; without one the directory of this process is used.',
    cause,
  })
}
