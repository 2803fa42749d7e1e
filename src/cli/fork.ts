/** `agentctl fork <id> --into <folder>`: the first events of an actor in a log of their own, paused, to ask what if. */
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { prepareProjectFolder, projectFormat } from '../embedding/project-folder.ts'
import { noVersion, type KnownMachines } from '../query/state-at.ts'
import { planFork, writeFork, type ForkPlan } from '../runtime/forks/fork-copy.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { findSubject, type Subject } from './find-subject.ts'
import { loadMachines } from './machine-modules.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineForkCommand(program: Command, shared: CliShared): void {
  program
    .command('fork')
    .description('begin a new log with the first events of an actor, to ask what if from there')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .option(
      '--at <version>',
      'the last version to take over; default the last, or that of the event',
      positiveInteger,
    )
    .requiredOption('--into <folder>', 'the project folder that gets the fork; made if it is not there')
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .option('--live', 'hold nothing back: what the fork inherits begins when its folder is opened')
    .addHelpText(
      'after',
      `
The fork keeps its id, and its child actors come with it. Nothing of the folder that it comes from changes, and nothing
that it inherits is run: it is paused, unless --live is given. Open the new folder with createRuntime({ path, machines }): what you send there is decided and recorded, and
what it would do is held back until runtime.resumeFork(id).

Examples:
  agentctl fork order-1 --at 7 --into ./what-if --machines ./dist/machines.js
  agentctl show order-1 --project ./what-if --machines ./dist/machines.js`,
    )
    .action(shared.action(async (call) => fork(call, shared)))
}

async function fork(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const { options, output, logPath } = call
  const paused = options['live'] !== true
  const into = resolve(shared.cwd, options['into'] as string)
  const target = join(into, 'log')
  if (target === logPath) throw sameFolder(into)
  await projectFormat(into)
  const machines = await loadMachines((options['machines'] ?? []) as readonly string[], shared.cwd)
  const plan = await withLog(call, shared, async (log) => {
    const subject = await findSubject(log, (call.args as [string])[0])
    return planned(log, { subject, at: options['at'] as number | undefined, machines, paused })
  })
  // Only now: what cannot be forked leaves no folder behind.
  await using store = await openLevelEventStore({ path: target })
  const made = await writeFork(store, plan)
  await prepareProjectFolder(into)
  if (output.json) output.record({ fork: { ...made, project: into } })
  else {
    const { stream_id, version } = made.from
    const what = paused
      ? 'paused: nothing that it owes is run'
      : 'live: what it owes begins when the folder is opened'
    output.line(`${stream_id} at version ${version} is forked into ${into}, ${what}`)
    output.say(`look at it: agentctl show ${made.id} --project ${into}`)
  }
  return EXIT.ok
}

type Wanted = {
  readonly subject: Subject
  readonly at: number | undefined
  readonly machines: KnownMachines
  readonly paused: boolean
}

async function planned(log: ReadableLog, { subject, at, machines, paused }: Wanted): Promise<ForkPlan> {
  const id = subject.stream_id
  const head = await log.head(id)
  if (head === undefined || head.machine === '') throw noActor(id)
  if (!machines.has(head.machine)) throw needsMachines(id, head.machine)
  const version = at ?? subject.version
  if (version !== undefined && version > head.version) throw noVersion(id, version, head.version)
  const plan = await planFork(log, { id, at: version ?? 'last', newId: id, paused, machines })
  // There are no keys in the new folder, and nothing of what is sealed here is to be in the clear there.
  if (plan.streams.some(({ events }) => events.some(({ key_id = '' }) => key_id !== '')))
    throw sealedActor(id)
  return plan
}

function sealedActor(id: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" is sealed, and the fork would be in the clear.`,
    expected: 'Expected an actor that is nobody’s data.',
    todo: 'Fork it in its own log, where it stays sealed: runtime.fork(id).',
    details: { id },
  })
}

function sameFolder(into: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `${into} is the folder that the fork comes from.`,
    expected: 'Expected another folder: what was recorded is evidence, and is not added to.',
    todo: 'Name another one after --into; in its own log an actor is forked with runtime.fork(id).',
    details: { path: into },
  })
}

function noActor(id: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" is a stream of plain facts: no machine wrote it.`,
    expected: 'Expected the id of a session, run, tool call or other actor.',
    todo: 'Fork the actor that it belongs to.',
    details: { id },
  })
}

function needsMachines(id: string, machine: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" was written by machine "${machine}", whose code was not given.`,
    expected: 'Expected the code, to find out what the actor owes at that version.',
    todo: 'Give it: --machines ./dist/machines.js.',
    details: { id, machine },
  })
}
