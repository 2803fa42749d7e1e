/**
 * Starts a command's process so that it waits, and runs the command only once it is told to.
 *
 * A command must be on record before it acts, or a killed parent would leave a process that nobody knows. So the
 * process that is started is a few words of `sh` that wait for one line on descriptor 3 and then turn themselves
 * into the command (`exec` keeps the process id, the group and the start time). If this process dies first, the
 * descriptor closes, `sh` reads the end of the file and exits: the command never runs.
 *
 * On Windows there is no such gate: the command starts at once, and opening the gate does nothing.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { CommandError } from './command-error.ts'
import { checkFolder, type CommandEnvironment, findExecutable } from './executable-lookup.ts'
import { identify, markOf, markVariable, type ProcessIdentity } from './process-identity.ts'

export type GatedCommand = {
  readonly child: ChildProcess
  readonly identity: ProcessIdentity
  /** Settles when the process itself has ended; its output may still be on the way. */
  readonly exited: Promise<CommandExit>
  /** Lets the command run. */
  open(): void
  /** The command will never run: the process ends by itself. Nothing happens if the gate was opened before. */
  close(): void
}

type CommandExit = { readonly exit_code: number | null; readonly signal: NodeJS.Signals | null }

type GatedOptions = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: CommandEnvironment
  readonly hasInput: boolean
}

/** @throws CommandError `CMD_NOT_FOUND`, `CMD_CWD_MISSING`, `CMD_SPAWN_FAILED`; then nothing has run. */
export async function startGated(options: GatedOptions): Promise<GatedCommand> {
  const { command, args, cwd, env, hasInput } = options
  await checkFolder(cwd)
  const path = await findExecutable(command, { cwd, env })
  const gated = process.platform === 'win32' ? { file: path, args, env } : gate(path, { args, env })

  const started = async (): Promise<ChildProcess> => {
    const child = spawn(gated.file, gated.args, {
      cwd,
      env: gated.env,
      // A group (and session) of its own, to be signalled as a whole.
      detached: process.platform !== 'win32',
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    })
    // Without a process id, node tells the reason in an event: waiting for 'spawn' rejects with it.
    if (child.pid === undefined) await once(child, 'spawn')
    return child
  }
  const child = await started().catch((error: unknown) => {
    throw spawnFailed(`The command "${command}" could not be started`, error)
  })
  // Kept alive for what may come later, such as a failed kill; how a process ended comes through 'exit'.
  child.on('error', () => undefined)
  const exited = new Promise<CommandExit>((resolve) => {
    child.once('exit', (exit_code, signal) => resolve({ exit_code, signal }))
  })
  const pipe = child.stdio[3]
  if (pipe instanceof Duplex) pipe.on('error', () => undefined)
  const close = (): void => {
    if (pipe instanceof Duplex) pipe.destroy()
  }

  const identity = await identify(child.pid ?? 0).catch(() => undefined)
  if (identity === undefined) {
    close()
    child.kill('SIGKILL')
    await exited
    throw spawnFailed(`The start time of the process for "${command}" could not be read, so it was ended`)
  }
  const open = (): void => {
    // Closing our end does not take back what was written.
    if (pipe instanceof Duplex) pipe.end(`${markOf(identity)}\n`, close)
  }
  return { child, identity, exited, open, close }
}

/** The `sh` that waits, then becomes the command. */
function gate(
  path: string,
  { args, env }: { readonly args: readonly string[]; readonly env: CommandEnvironment },
): { file: string; args: string[]; env: NodeJS.ProcessEnv } {
  // Read into the mark itself, so that no variable of the caller is overwritten.
  const wait = `IFS= read -r ${markVariable} <&3 && export ${markVariable} && exec 3<&-`
  const carried = carryOddNames(path, env)
  return {
    file: '/bin/sh',
    args: ['-c', `${wait} ${carried.script} && exec "$@"`, 'sh', path, ...args],
    env: carried.env,
  }
}

/**
 * Some shells drop variables whose names are no shell names (`a.b`, `npm_config_//host/:_authToken`). They travel
 * under a name of ours and get their own back from `env`; not as arguments of `sh`, which every user could read.
 */
function carryOddNames(path: string, env: CommandEnvironment): { script: string; env: NodeJS.ProcessEnv } {
  const carried: NodeJS.ProcessEnv = {}
  const names: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || /^[A-Za-z_]\w*$/.test(name)) {
      carried[name] = value
    } else if (name !== '') {
      const carrier = `${markVariable}_ENV_${names.length}`
      carried[carrier] = `${name}=${value}`
      names.push(carrier)
    }
  }
  if (names.length === 0) return { script: '', env: carried }
  if (path.includes('=')) {
    throw new CommandError('CMD_SPAWN_FAILED', {
      happened: `The path of the command, "${path}", has a "=" in it, and its environment has names no shell allows.`,
      expected: 'With both, "env" would take the path for a variable.',
      todo: 'Call the command through a path without "=", or leave those variables out of "env".',
    })
  }
  const words = names.map((name) => `"$${name}"`).join(' ')
  return { script: `&& set -- /usr/bin/env ${words} "$@" && unset ${names.join(' ')}`, env: carried }
}

function spawnFailed(happened: string, cause?: unknown): CommandError {
  const why = cause instanceof Error ? ` (${cause.message})` : ''
  return new CommandError('CMD_SPAWN_FAILED', {
    happened: `${happened}${why}.`,
    expected: 'The system lets this process start "sh" and read the table of processes ("/proc" or "ps").',
    todo: 'Look at the limits on processes, open files and the length of arguments, then run it again.',
    cause,
  })
}
