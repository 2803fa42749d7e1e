/** `agentctl salvage --into <folder>`: copies what verifies out of a damaged log, and names what is lost. */
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { IntegrityProblem } from '../../eventstore/event-store.ts'
import { prepareProjectFolder, projectFormat } from '../embedding/project-folder.ts'
import { salvage } from '../../eventstore/level-event-store.ts'
import { counted } from './amounts.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { printable } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { transientLine } from './transient-line.ts'

export function defineSalvageCommand(program: Command, shared: CliShared): void {
  program
    .command('salvage')
    .description('copy what verifies out of a damaged log into a new folder, and name what is lost')
    .requiredOption('--into <folder>', 'the project folder for what is saved; its log must not be there yet')
    .addHelpText(
      'after',
      `
The damaged folder is read file by file and not changed. Of each stream the events up to its first loss are kept; what
follows a loss is put beside the new log, in cut-off.ndjson. Exits with 7 if anything is lost.

Examples:
  agentctl verify                             what is damaged
  agentctl salvage --into ./saved
  agentctl log --project ./saved`,
    )
    .action(shared.action((call) => salvageLog(call, shared)))
}

async function salvageLog(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const { options, output, logPath } = call
  const into = resolve(shared.cwd, options['into'] as string)
  const target = join(into, 'log')
  if (target === logPath) throw sameFolder(into)
  await projectFormat(into)
  const progress = transientLine(shared.stderr, !output.quiet && !output.json)
  const interrupted = new AbortController()
  const stop = shared.onInterrupt(() => interrupted.abort(interruption(into)))
  try {
    const report = await salvage({
      from: logPath,
      into: target,
      signal: interrupted.signal,
      onProgress: ({ events }) => progress.show(`saved ${counted(events, 'event')} …`),
    })
    progress.clear()
    await prepareProjectFolder(into)
    const isWhole = report.lost.length === 0 && report.cutOff === 0
    if (output.json) output.record({ salvage: { project: into, ...report } })
    else {
      for (const lost of report.lost) output.line(`${output.paint('red', 'lost')}  ${lossText(lost)}`)
      const { events, streams, cutOff } = report
      output.line(`saved ${counted(events, 'event')} of ${counted(streams, 'stream')} into ${into}`)
      if (cutOff > 0)
        output.line(`${counted(cutOff, 'event')} after a loss: ${join(target, 'cut-off.ndjson')}`)
      if (isWhole) output.say('nothing is lost')
    }
    return isWhole ? EXIT.ok : EXIT.integrity
  } finally {
    progress.clear()
    stop()
  }
}

function lossText({ kind, position, stream_id, version, detail }: IntegrityProblem): string {
  const places = [
    position > 0 && `position ${position}`,
    stream_id !== '' && stream_id,
    version > 0 && `version ${version}`,
  ].filter((place) => place !== false)
  return printable([...places, kind, detail].join(', '))
}

function sameFolder(into: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `${into} is the damaged folder itself.`,
    expected: 'Expected another folder: what is damaged is evidence, and the only copy.',
    todo: 'Name another one after --into.',
    details: { path: into },
  })
}

function interruption(into: string): CliError {
  return new CliError('CLI_INTERRUPTED', {
    happened: 'Interrupted.',
    expected: 'Expected to read the damaged folder to the end.',
    todo: `The damaged folder is as it was; delete ${into} and run it again.`,
  })
}
