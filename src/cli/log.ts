/** `agentctl log [stream]`: what happened, one line per event in the order of the log. */
import type { Command } from 'commander'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { createMatcher, type EventFilter } from '../query/event-filter.ts'
import type { LogQuery } from '../query/log-query.ts'
import { forkStream } from '../runtime/forks/fork-link.ts'
import { eventSummary } from './event-summary.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { forkText } from './fork-text.ts'
import { momentOption } from './moments.ts'
import { withQuery, type LogSource, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import { readableTime, shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineLogCommand(program: Command, shared: CliShared): void {
  program
    .command('log')
    .description('print what happened, event by event')
    .argument('[stream]', 'only this stream: its id, or the name of a session or agent')
    .option('-n, --limit <count>', 'only the last <count> events', positiveInteger)
    .option('--tail <count>', 'the same', positiveInteger)
    .option(
      '-t, --type <pattern>',
      'only events of this type; `*` stands for anything; repeatable',
      collected,
    )
    .option('--actor <id>', 'only what this session, run or actor and all below it recorded, or caused')
    .option('--role <role>', 'only what sessions, runs and calls of this role recorded')
    .option('--text <text>', 'only events with this text in their type or payload')
    .option('--verdict <verdict>', 'only what hooks or guards allowed, or denied')
    .option('--correlation <id>', 'only events of this correlation')
    .option('--since <moment>', 'only events from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'only events before this moment', momentOption(shared.now))
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
  agentctl log --verdict denied --since yesterday
  agentctl log --json --type runtime.refused --type tool.judged | jq .payload`,
    )
    .action(shared.action((call) => printOrFollow(call, shared)))
}

async function printOrFollow(call: CliCall, shared: CliShared): Promise<ExitCode> {
  let isFollowing = false
  const onFollow = (): void => void (isFollowing = true)
  try {
    return await withQuery(call, shared, (query, log, { owner }) =>
      printLog(call, { query, log, owner, onFollow }),
    )
  } catch (error) {
    // Ctrl-C is how following ends, and nothing to complain about.
    if (isFollowing && (error as { code?: unknown }).code === 'CLI_INTERRUPTED') return EXIT.interrupted
    throw error
  }
}

type Opened = Pick<LogSource, 'owner'> & {
  readonly query: LogQuery
  readonly log: ReadableLog
  readonly onFollow: () => void
}

async function printLog(call: CliCall, { query, log, owner, onFollow }: Opened): Promise<ExitCode> {
  const { output, options } = call
  // What is written from here on is followed; some of it may be read already.
  const known = log.position()
  const filter = await filterOf(call, query)
  const limit = (options['limit'] ?? options['tail']) as number | undefined
  let printed = 0
  let last = known
  for await (const event of query.events({ ...filter, limit })) {
    printEvent(event, call)
    printed += 1
    last = Math.max(last, event.position)
    await output.ready()
  }
  if (printed === 0) output.say('no events match')
  if (filter.stream_id !== undefined) await mentionSurroundings(call, query, filter.stream_id)
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

async function filterOf(call: CliCall, query: LogQuery): Promise<EventFilter> {
  const given = call.options as Readonly<Record<string, string | undefined>>
  return {
    stream_id: await streamOf(query, (call.args as [string | undefined])[0]),
    types: call.options['type'] as readonly string[] | undefined,
    actor: await streamOf(query, given['actor']),
    role: given['role'],
    text: given['text'],
    verdict: given['verdict'] as 'allowed' | 'denied' | undefined,
    correlation_id: given['correlation'],
    since: given['since'],
    until: given['until'],
  }
}

/** Prints what comes after `known` and was not printed: of what was read, nothing stands after `last`. */
async function follow(
  log: ReadableLog,
  call: CliCall,
  from: { readonly filter: EventFilter; readonly known: number; readonly last: number },
): Promise<void> {
  const matches = createMatcher(log, from.filter)
  for await (const event of log.follow({ fromPosition: from.known })) {
    if (event.position <= from.last || !(await matches(event))) continue
    printEvent(event, call)
    await call.output.ready()
  }
}

function printEvent(event: RecordedEvent, call: CliCall): void {
  if (call.output.json) call.output.record(event)
  else call.output.line(eventLine(event, call))
}

async function mentionSurroundings(
  { output, command }: CliCall,
  query: LogQuery,
  stream_id: string,
): Promise<void> {
  const { fork, refusals } = await query.about({ stream_id })
  if (fork !== null) output.say(`${forkText(fork)}: ${command} log ${forkStream(stream_id)}`)
  if (refusals !== null) output.say(`what it was refused: ${command} log ${refusals}`)
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
