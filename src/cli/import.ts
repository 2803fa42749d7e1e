/** `agentctl import <file> --into <folder>`: an export becomes a log again, verified line by line. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { importLog } from '../../eventstore/import-log.ts'
import { prepareProjectFolder, projectFormat } from '../embedding/project-folder.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { counted } from './amounts.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { transientLine } from './transient-line.ts'

export function defineImportCommand(program: Command, shared: CliShared): void {
  program
    .command('import')
    .description('put what was exported into the log of a project folder, verified line by line')
    .argument('<file>', 'what `agentctl export` wrote; - reads stdin')
    .requiredOption('--into <folder>', 'the project folder; made if it is not there')
    .addHelpText(
      'after',
      `
Into a new folder, events keep their positions and hashes. A stream that is there already is refused, unless the same
import was interrupted: then it goes on.

Examples:
  agentctl import log.ndjson --into ./copy
  agentctl export payment-fix | agentctl import - --into ./one-session`,
    )
    .action(shared.action((call) => importFile(call, shared)))
}

async function importFile(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const { args, options, output } = call
  const [file] = args as [string]
  const into = resolve(shared.cwd, options['into'] as string)
  const pieces = await piecesOf(file, shared)
  await projectFormat(into)
  const progress = transientLine(shared.stderr, !output.quiet && !output.json)
  const interrupted = new AbortController()
  const stop = shared.onInterrupt(() => interrupted.abort(interruption()))
  try {
    await using store = await openLevelEventStore({ path: join(into, 'log') })
    const report = await importLog(store, pieces, {
      signal: interrupted.signal,
      onProgress: ({ lines }) => progress.show(`read ${counted(lines, 'line')} …`),
    })
    progress.clear()
    await prepareProjectFolder(into)
    if (output.json) output.record({ imported: { project: into, ...report } })
    else {
      const there = report.skipped > 0 ? `, ${counted(report.skipped, 'event')} were there already` : ''
      output.line(`imported ${counted(report.imported, 'event')} into ${into}${there}`)
      if (!report.samePositions) output.say('they have other positions than they had')
    }
    return EXIT.ok
  } finally {
    progress.clear()
    stop()
  }
}

async function piecesOf(
  file: string,
  { cwd, stdin }: CliShared,
): Promise<AsyncIterable<string | Uint8Array>> {
  if (file === '-') {
    if (stdin.isTTY === true || stdin[Symbol.asyncIterator] === undefined) throw noInput()
    return stdin as AsyncIterable<string | Uint8Array>
  }
  const path = resolve(cwd, file)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() === true) return createReadStream(path)
  throw new CliError('CLI_NOT_FOUND', {
    happened: `There is no file ${path}.`,
    expected: 'Expected what `agentctl export` wrote.',
    todo: 'Correct the name; nothing was imported.',
    details: { path },
  })
}

function noInput(): CliError {
  return new CliError('CLI_USAGE', {
    happened: 'Nothing comes in on stdin.',
    expected: 'Expected an export through a pipe, or a file.',
    todo: 'Pipe it: agentctl export | agentctl import - --into <folder>.',
  })
}

function interruption(): CliError {
  return new CliError('CLI_INTERRUPTED', {
    happened: 'Interrupted.',
    expected: 'Expected to import to the end.',
    todo: 'Run the same command again: it goes on where it ended.',
  })
}
