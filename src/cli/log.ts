/** `agentctl log [stream]`: what happened, one line per event in the order of the log. */
import type { Command } from 'commander'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { eventMatcher, readEvents, type EventFilter } from '../query/events.ts'
import { refusalsHead } from '../query/refusals.ts'
import { forkStream, readForkLink } from '../runtime/fork-link.ts'
import { eventSummary } from './event-summary.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { findSubject } from './find-subject.ts'
import { forkText } from './fork-text.ts'
import { withLog, type LogSource, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import { readableTime, shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineLogCommand(program: Command, shared: CliShared): void {
  program
    .command('log')
    .description('print what happened, event by event')
    .argument('[stream]', 'only this stream: its id, or the name of a session or agent')
    .option('-n, --limit <count>', 'only the last <count> events', positiveInteger)
    .option(
      '-t, --type <pattern>',
      'only events of this type; `*` stands for anything; repeatable',
      collected,
    )
    .option('-f, --follow', 'go on with what is written from now on')
    .addHelpText(
      'after',
      `
Each line: position, time (UTC), stream, version, type, and what the event says.
With --json each line is the event as the log has it. --follow goes on until Ctrl-C, or until the process that has the
log open closes it.

Examples:
  agentctl log --limit 20
  agentctl log payment-fix --type 'step.*'
  agentctl log --json --type runtime.refused --type tool.judged | jq .payload`,
    )
    .action(shared.action((call) => printOrFollow(call, shared)))
}

async function printOrFollow(call: CliCall, shared: CliShared): Promise<ExitCode> {
  let isFollowing = false
  const onFollow = (): void => void (isFollowing = true)
  try {
    return await withLog(call, shared, (log, { owner }) => printLog(call, log, { owner, onFollow }))
  } catch (error) {
    // Ctrl-C is how following ends, and nothing to complain about.
    if (isFollowing && (error as { code?: unknown }).code === 'CLI_INTERRUPTED') return EXIT.interrupted
    throw error
  }
}

async function printLog(
  call: CliCall,
  log: ReadableLog,
  { owner, onFollow }: LogSource & { readonly onFollow: () => void },
): Promise<ExitCode> {
  const { output, options } = call
  // What is written from here on is followed; some of it may be read already.
  const known = log.position()
  const [wanted] = call.args as [string | undefined]
  const stream_id = wanted === undefined ? undefined : (await findSubject(log, wanted)).stream_id
  const filter = {
    stream_id,
    limit: options['limit'] as number | undefined,
    types: options['type'] as readonly string[] | undefined,
  }
  let printed = 0
  let last = known
  for await (const event of readEvents(log, filter)) {
    printEvent(event, call)
    printed += 1
    last = Math.max(last, event.position)
    await output.ready()
  }
  if (printed === 0) output.say('no events match')
  if (stream_id !== undefined) {
    await mentionOrigin(call, log, stream_id)
    await mentionRefusals(call, log, stream_id)
  }
  if (options['follow'] !== true) return EXIT.ok
  if (owner === undefined) {
    output.say('Nobody writes to this log: no process has it open. This is all there is to follow.')
    return EXIT.ok
  }
  onFollow()
  await follow(log, call, { filter, known, last })
  output.say(`process ${owner.owner.pid} has closed the log`)
  return EXIT.ok
}

/** Prints what comes after `known` and was not printed: of what was read, nothing stands after `last`. */
async function follow(
  log: ReadableLog,
  call: CliCall,
  from: { readonly filter: EventFilter; readonly known: number; readonly last: number },
): Promise<void> {
  const matches = eventMatcher(from.filter)
  for await (const event of log.follow({ fromPosition: from.known })) {
    if (event.position <= from.last || !matches(event)) continue
    printEvent(event, call)
    await call.output.ready()
  }
}

function printEvent(event: RecordedEvent, call: CliCall): void {
  if (call.output.json) call.output.record(event)
  else call.output.line(eventLine(event, call))
}

async function mentionOrigin(
  { output, command }: CliCall,
  log: ReadableLog,
  streamId: string,
): Promise<void> {
  const link = await readForkLink(log, streamId)
  if (link !== undefined) output.say(`${forkText(link)}: ${command} log ${forkStream(streamId)}`)
}

async function mentionRefusals(
  { output, command }: CliCall,
  log: ReadableLog,
  streamId: string,
): Promise<void> {
  const refused = await refusalsHead(log, streamId)
  if (refused === undefined) return
  output.say(`what it was refused: ${command} log ${refused.stream_id}`)
}

function eventLine(event: RecordedEvent, { output }: CliCall): string {
  const place = String(event.position).padStart(6)
  const fixed = `${place}  ${readableTime(event.timestamp)}  ${event.stream_id}  ${event.version}  ${event.event_type}`
  const room = output.isTerminal ? Math.max(20, output.columns - fixed.length - 2) : Number.POSITIVE_INFINITY
  const says = shortened(eventSummary(event), room)
  const painted = [
    output.paint('dim', `${place}  ${readableTime(event.timestamp)}`),
    event.stream_id,
    output.paint('dim', String(event.version)),
    output.paint(styleOf(event), event.event_type),
    says,
  ]
  return painted.join('  ').trimEnd()
}

function styleOf(event: RecordedEvent): 'cyan' | 'red' | 'yellow' {
  if (event.event_type.endsWith('.failed')) return 'red'
  const denied = event.event_type === 'tool.judged' && event.state === 'settled'
  return denied || event.event_type === 'runtime.refused' || event.event_type === 'agent.parked'
    ? 'yellow'
    : 'cyan'
}
