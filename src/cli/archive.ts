/** `agentctl archive --into <folder>`: moves what has ended out of the log into files; says what it would do unless told to. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { archiveStreams } from '../../eventstore/archive.ts'
import type { StreamHead } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { queryOver } from '../query/log-query.ts'
import { counted } from './amounts.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { momentOption } from './moments.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { transientLine } from './transient-line.ts'

export function defineArchiveCommand(program: Command, shared: CliShared): void {
  program
    .command('archive')
    .description('move sessions, runs and actors that have ended out of the log into files')
    .requiredOption('--into <folder>', 'where the files go, one per stream')
    .option('--before <moment>', 'only what ended before this moment', momentOption(shared.now))
    .option('-y, --yes', 'do it; without it, what would be moved is listed and nothing changes')
    .addHelpText(
      'after',
      `
Archived are sessions and runs in state "archived", tool calls of such runs, and other actors in a final state. Each is
exported, read back, verified, and only then taken out; its hashes stay, so that the log still verifies. It is no longer
listed or replayed from then on; to have it back, import its file.

Examples:
  agentctl archive --into ./archive --before 2026-01-01
  agentctl archive --into ./archive --before 2026-01-01 --yes`,
    )
    .action(shared.action((call) => archive(call, shared)))
}

async function archive(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const { options, output, logPath, command } = call
  const before = options['before'] as string | undefined
  const closed = await withLog(call, shared, (log) => closedStreams(log, before))
  if (options['yes'] !== true) {
    for (const id of closed) {
      if (output.json) output.record({ would_archive: id })
      else output.line(id)
    }
    const when = before === undefined ? '' : ` that ended before ${readableTime(before)} UTC`
    output.say(`${counted(closed.length, 'stream')}${when} would be moved; do it: ${command} archive … --yes`)
    return EXIT.ok
  }
  const ids = new Set(closed)
  const progress = transientLine(shared.stderr, !output.quiet && !output.json)
  // Changes the log: it is the folder itself that is opened, and its owner, if there is one, refuses.
  await using store = await openLevelEventStore({ path: logPath, create: false })
  let count = 0
  const archived = await archiveStreams(store, {
    folder: resolve(shared.cwd, options['into'] as string),
    isClosed: ({ stream_id }: StreamHead) => ids.has(stream_id),
    onProgress: () => progress.show(`archived ${(count += 1)} of ${ids.size} …`),
  })
  progress.clear()
  for (const each of archived) {
    if (output.json) output.record({ archived: each })
    else output.line(`${each.stream_id}  ${each.file}`)
  }
  output.say(`${counted(archived.length, 'stream')} moved to ${String(options['into'])}`)
  return EXIT.ok
}

/** Streams that will get no further event. */
async function closedStreams(log: ReadableLog, before: string | undefined): Promise<string[]> {
  const query = queryOver(log, () => new Map())
  const ended = new Set<string>()
  for (const { id, kind, state, ended: isOver } of await query.actors({ all: true })) {
    if (kind === 'actor' ? isOver : state === 'archived') ended.add(id)
  }
  for await (const { stream_id, payload } of query.events({ types: ['tool.requested'] })) {
    const { input } = payload as { input?: { run_id?: string } }
    const head = await log.head(stream_id)
    if (head?.state === 'settled' && ended.has(input?.run_id ?? '')) ended.add(stream_id)
  }
  const closed: string[] = []
  for (const id of ended) {
    for await (const last of log.readStream(id, { direction: 'backwards' })) {
      const isOld = before === undefined || Date.parse(last.timestamp) < Date.parse(before)
      if (isOld && last.event_type !== 'stream.archived') closed.push(id)
      break
    }
  }
  return closed
}
