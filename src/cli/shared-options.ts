/** What every command has in common: the project's folder, the streams, `--json`, `--quiet`, colour, errors, Ctrl-C. */
import { join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfig, type CliConfig } from './config.ts'
import type { ExitCode } from './exit-codes.ts'
import { createOutput, type CliOutput, type CliStream } from './output.ts'

/** The process around a command; a test brings its own. */
export type CliProcess = {
  /** Read only where a person is asked, or where `-` stands for it. */
  readonly stdin: { readonly isTTY?: boolean } & Partial<AsyncIterable<string | Uint8Array>>
  readonly stdout: CliStream
  readonly stderr: CliStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  /** Calls `listener` at each Ctrl-C instead of ending the process; returns how to stop that. */
  onInterrupt(listener: () => void): () => void
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: () => number
}

/** One call of a command, with its command line understood. */
export type CliCall = {
  /** The command's arguments, as commander gives them: a string, `undefined`, or a list for a variadic one. */
  readonly args: readonly unknown[]
  /** The command's own options. */
  readonly options: Readonly<Record<string, unknown>>
  /** What agentctl.config.js says, if there is one. */
  readonly config: CliConfig
  /** `--project`, absolute; default what the configuration says, or `.project` beside it or in the cwd. It need not exist. */
  readonly projectPath: string
  /** The folder of the log: `<project>/log`. */
  readonly logPath: string
  /** `--in-place`: read the folder itself, not a copy. */
  readonly inPlace: boolean
  /** How the next command about this project begins: `agentctl`, or `agentctl --project <folder>`. */
  readonly command: string
  readonly output: CliOutput
}

/** What a command returns: its exit code; nothing means 0. An error that it throws is reported by the program. */
export type CliAction = (call: CliCall) => Promise<ExitCode | void>

/** What a command is defined with: `program.command('log').action(shared.action(async ({ output }) => …))`. */
export type CliShared = Omit<CliProcess, 'now'> & {
  /** The package's version. */
  readonly version: string
  readonly now: () => number
  /** Turns an action of ours into one of commander's. */
  action(run: CliAction): (...commanderArguments: unknown[]) => Promise<void>
  /** What the action returned; 0 before. */
  exitCode(): ExitCode
}

const DEFAULT_PROJECT = '.project'

/** The options of every command, defined on the program and recognised before and after the command's name. */
export function addSharedOptions(program: Command): Command {
  return program
    .option('-p, --project <folder>', 'the project folder', DEFAULT_PROJECT)
    .option('--json', 'print JSON, one object per line; errors as one JSON line on stderr')
    .option('-q, --quiet', 'print only data and errors')
    .option('--in-place', 'read the folder itself, not a copy: faster, and its files are rewritten')
    .option('--no-color', 'print without colour')
}

export function createShared(host: CliProcess, version: string): CliShared {
  let exitCode: ExitCode = 0
  return {
    ...host,
    version,
    now: host.now ?? Date.now,
    exitCode: () => exitCode,
    action:
      (run) =>
      async (...given) => {
        // Commander calls with the arguments, then the options, then the command itself.
        const command = given.at(-1) as Command
        const flags = command.optsWithGlobals<{
          project: string
          json?: boolean
          quiet?: boolean
          color: boolean
          inPlace?: boolean
        }>()
        const config = await loadConfig(host.cwd, DEFAULT_PROJECT)
        const isNamed = command.getOptionValueSourceWithGlobals('project') === 'cli'
        const projectPath = isNamed ? resolve(host.cwd, flags.project) : config.path
        const result = await run({
          args: given.slice(0, -2),
          options: withMachines(command, config.machines),
          config,
          projectPath,
          logPath: join(projectPath, 'log'),
          inPlace: flags.inPlace === true,
          command: projectPath === config.path ? 'agentctl' : commandFor(projectPath, host.cwd),
          output: createOutput(host, flags),
        })
        exitCode = result ?? 0
      },
  }
}

/** The command's options; machines of the configuration count where the command line names none. */
function withMachines(command: Command, machines: readonly string[]): Readonly<Record<string, unknown>> {
  const options = command.opts()
  const takesThem = command.options.some(({ long }) => long === '--machines')
  return takesThem && machines.length > 0 && options['machines'] === undefined
    ? { ...options, machines }
    : options
}

function commandFor(projectPath: string, cwd: string): string {
  const below = relative(cwd, projectPath)
  const folder = below.startsWith('..') || below === '' ? projectPath : below
  return `agentctl --project ${/^[\w./@:-]+$/.test(folder) ? folder : JSON.stringify(folder)}`
}
