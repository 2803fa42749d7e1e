/** The program: its commands, each loaded only when it is called, and what happens to whatever they throw. */
import { Command, CommanderError } from 'commander'
import { CliError } from './cli-error.ts'
import { COMMANDS } from './commands.ts'
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts'
import { createOutput } from './output.ts'
import { packageVersion } from '../embedding/package-version.ts'
import { addSharedOptions, createShared, type CliProcess, type CliShared } from './shared-options.ts'

const EXAMPLES = `
Examples:
  agentctl run examples/repo-review -- .    review a git repository, durably
  agentctl log --limit 20                   what happened last
  agentctl show <id> --at 7                 the state after version 7, by replay
  agentctl why <id>                         who refused it, why, and what to do instead
  agentctl why --failed --since yesterday   what went wrong

Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 unexpected, 2 usage, 3 permission denied,
4 not found, 5 log in use, 6 version conflict, 7 replay diverged or log damaged, 130 interrupted.`

/** Runs a command line (without node and script). Never throws; the exit code is for the caller to use. */
export async function runCli(argv: readonly string[], host: CliProcess): Promise<ExitCode> {
  const shared = createShared(host, await packageVersion())
  // Until the command line is understood, this is all that is known of how to speak.
  const output = createOutput(host, flagsIn(argv))
  try {
    const program = await programFor(argv, shared)
    await program.parseAsync(askedFor(argv), { from: 'user' })
    return shared.exitCode()
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    const told = error instanceof CommanderError ? usageError(error, commandIn(argv)) : error
    output.fail(told)
    // The error speaks of the library's functions.
    if (exitCodeOf(told) === EXIT.integrity && codeOf(told) === 'ES_CORRUPT')
      output.say('copy what verifies into a new folder: agentctl salvage --into <folder>')
    return exitCodeOf(told)
  }
}

async function programFor(argv: readonly string[], shared: CliShared): Promise<Command> {
  const program = addSharedOptions(new Command('agentctl'))
  program
    .description('Runs agents durably, and answers questions about what they did from the event log.')
    .version(shared.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shared.stdout.write(text),
      writeErr: (text) => void shared.stderr.write(text),
      // Told by `runCli`, in three parts or as JSON.
      outputError: () => {},
      getOutHelpWidth: () => shared.stdout.columns ?? 100,
      getErrHelpWidth: () => shared.stderr.columns ?? 100,
    })
  const called = commandIn(argv)
  for (const entry of COMMANDS) {
    // What completes command lines has to know them all.
    if (entry.name === called || called === 'completion') (await entry.load())(program, shared)
    else program.command(entry.name).description(entry.summary)
  }
  return program
}

/** The options of the program that take a value, which is not the command's name. */
const WITH_VALUE = new Set(['-p', '--project'])

/** Help for a command that there is not is asked as that command, which says what it may have been meant to be. */
function askedFor(argv: readonly string[]): string[] {
  const called = commandIn(argv)
  const isHelp = argv[0] === 'help' && called !== undefined
  return isHelp && !COMMANDS.some(({ name }) => name === called) ? [called] : [...argv]
}

/** The command that a command line calls, or asks help for. */
function commandIn(argv: readonly string[]): string | undefined {
  const words: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ''
    if (word === '--') break
    if (WITH_VALUE.has(word)) index += 1
    else if (!word.startsWith('-')) words.push(word)
  }
  return words[0] === 'help' ? words[1] : words[0]
}

function flagsIn(argv: readonly string[]): { json: boolean; quiet: boolean; color: boolean } {
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  return {
    json: own.includes('--json'),
    quiet: own.includes('--quiet') || own.includes('-q'),
    color: !own.includes('--no-color'),
  }
}

/** Commander's complaint in three parts: "error: unknown command 'lgo'\n(Did you mean log?)". */
function usageError(error: CommanderError, called: string | undefined): CliError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join(' '))?.[1]
  const known = COMMANDS.some(({ name }) => name === called)
  const happened = first.charAt(0).toUpperCase() + first.slice(1)
  return new CliError('CLI_USAGE', {
    happened: /[.!?]$/.test(happened) ? happened : `${happened}.`,
    expected: 'Expected a command line as the help describes it.',
    todo:
      suggestion === undefined
        ? `See agentctl ${known ? `${called} ` : ''}--help.`
        : `Did you mean ${suggestion}?`,
    cause: error,
    details: { reason: error.code, ...(suggestion !== undefined && { did_you_mean: suggestion }) },
  })
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code
}
