/** `agentctl export [stream]`: the log as NDJSON, or a stream as a test that replays it. */
import { open, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import type { EventStore } from '../../eventstore/event-store.ts'
import { exportLog } from '../../eventstore/export-log.ts'
import { queryOver } from '../query/log-query.ts'
import { counted } from './amounts.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { findSubject } from './find-subject.ts'
import { loadMachines, locateMachine } from './machine-modules.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { replayTest } from './replay-test.ts'
import { transientLine } from './transient-line.ts'

export function defineExportCommand(program: Command, shared: CliShared): void {
  program
    .command('export')
    .description('write the log as NDJSON, or a stream as a test that replays it')
    .argument('[stream...]', 'only these streams: ids, or names of sessions or agents; default all')
    .option('-o, --out <file>', 'write into this new file; default stdout')
    .option('--from <position>', 'only events from this position on', positiveInteger)
    .option(
      '--entries',
      'with what is owed beside the events: for a copy that is to go on instead of this log',
    )
    .option('--as-test', 'a vitest file that replays the stream and asserts the states it went through')
    .option('--with-secrets', 'with --as-test: keep what looks like a secret in the events')
    .option('-m, --machines <module>', 'with --as-test: the module that exports your machines', collected)
    .addHelpText(
      'after',
      `
An export has every event as it is stored, secrets included, and a checksum over all. A test has them without what
looks like a secret.

Examples:
  agentctl export --out log.ndjson
  agentctl export payment-fix > payment-fix.ndjson
  agentctl export --as-test order-1 --machines ./dist/machines.js --out test/order-1.test.ts`,
    )
    .action(
      shared.action((call) =>
        withLog(call, shared, (log) =>
          call.options['asTest'] === true ? exportTest(call, shared, log) : exportEvents(call, shared, log),
        ),
      ),
    )
}

async function exportEvents(call: CliCall, shared: CliShared, log: ReadableLog): Promise<ExitCode> {
  const { args, options, output } = call
  const streams: string[] = []
  for (const typed of (args as [readonly string[]])[0]) {
    streams.push((await findSubject(log, typed)).stream_id)
  }
  const from = options['from'] as number | undefined
  const progress = transientLine(shared.stderr, !output.quiet && !output.json)
  let events = 0
  const pieces = exportLog(log as EventStore, {
    ...(streams.length > 0 && { streams }),
    ...(from !== undefined && { fromPosition: from - 1 }),
    entries: options['entries'] === true,
    onProgress({ events: count, position, until }) {
      events = count
      progress.show(`exported ${counted(count, 'event')}, ${position} of ${until} …`)
    },
  })
  try {
    await written(call, shared, pieces)
  } finally {
    progress.clear()
  }
  output.say(`exported ${counted(events, 'event')}`)
  return EXIT.ok
}

async function exportTest(call: CliCall, shared: CliShared, log: ReadableLog): Promise<ExitCode> {
  const { args, options, output } = call
  const typed = (args as [readonly string[]])[0]
  const [only] = typed
  if (only === undefined || typed.length > 1) throw oneStream()
  const { stream_id } = await findSubject(log, only)
  const files = (options['machines'] ?? []) as readonly string[]
  const machines = await loadMachines(files, shared.cwd)
  const query = queryOver(log, () => machines)
  const { machine } = await query.about({ stream_id })
  if (machine === '') throw noMachine(stream_id)
  if (!machines.has(machine)) throw needsCode(stream_id, machine)
  const out = options['out'] as string | undefined
  const folder = out === undefined ? shared.cwd : dirname(resolve(shared.cwd, out))
  const source = await locateMachine({ files, cwd: shared.cwd, label: machine, folder })
  const text = await replayTest(log, {
    stream_id,
    machines,
    source,
    redact: options['withSecrets'] !== true,
  })
  await written(call, shared, [text])
  output.say(`the test replays ${stream_id}; run it with: npx vitest run ${out ?? '<file>'}`)
  return EXIT.ok
}

/** Into a file that is not there yet, or to stdout. */
async function written(
  { options, output }: CliCall,
  shared: CliShared,
  pieces: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
  const out = options['out'] as string | undefined
  if (out === undefined) {
    for await (const piece of pieces) {
      shared.stdout.write(piece)
      await output.ready()
    }
    return
  }
  const path = resolve(shared.cwd, out)
  const file = await open(path, 'wx').catch((cause: unknown) => {
    throw notWritable(path, cause)
  })
  try {
    for await (const piece of pieces) await file.write(piece)
    await file.sync()
  } catch (error) {
    // Half of an export is none.
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
  if (output.json) output.record({ exported: { path } })
}

function notWritable(path: string, cause: unknown): CliError {
  const exists = (cause as { code?: unknown }).code === 'EEXIST'
  return new CliError('CLI_USAGE', {
    happened: exists ? `${path} is there already.` : `${path} cannot be written: ${String(cause)}.`,
    expected: 'Expected the name of a new file in a folder that can be written.',
    todo: 'Name another one after --out, or move that one away; nothing was written.',
    details: { path },
    cause,
  })
}

function oneStream(): CliError {
  return new CliError('CLI_USAGE', {
    happened: 'A test replays one stream.',
    expected: 'Expected the id of one session, run, tool call or other actor after --as-test.',
    todo: 'Name one; agentctl ps --all lists them.',
  })
}

function noMachine(id: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" is a stream of plain facts: no machine wrote it, and there are no states to assert.`,
    expected: 'Expected the id of a session, run, tool call or other actor.',
    todo: 'Export the actor that it belongs to.',
    details: { id },
  })
}

function needsCode(id: string, machine: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" was written by machine "${machine}", whose code was not given.`,
    expected: 'Expected the code that the test is to hold against the log.',
    todo: 'Give it: --machines ./dist/machines.js.',
    details: { id, machine },
  })
}
