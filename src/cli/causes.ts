/** `agentctl causes <event>`: what led to an event, and what it led to. */
import type { Command } from 'commander'
import type { CausalLink } from '../query/causal-links.ts'
import type { EventBrief } from '../query/events.ts'
import type { LogQuery } from '../query/log-query.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withQuery } from './open-log.ts'
import { positiveInteger } from './option-values.ts'
import { printable, shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineCausesCommand(program: Command, shared: CliShared): void {
  program
    .command('causes')
    .description('print what led to an event and what it led to, over all streams')
    .argument('<event>', 'its id or its position; of a stream or a name, its last event')
    .option('-n, --limit <count>', 'at most so many of what it led to; default 1000', positiveInteger)
    .addHelpText(
      'after',
      `
How each is known stands in brackets: the event names its cause (causation), a step made the call (call), it is the
outcome of a step (outcome), the same handoff (handoff), the same attempt of a handler (attempt), the same tool call
(order), or where the actor stood when it was refused (refused).

Examples:
  agentctl causes 57
  agentctl causes 0198c2a4-… --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printCauses(call, query))))
}

async function printCauses({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const [typed] = args as [string]
  const found = await query.find({ text: typed })
  const event = found.event_id ?? (await lastEventOf(query, found.stream_id))
  const limit = options['limit'] as number | undefined
  const causes = await query.causes({ event, ...(limit !== undefined && { limit }) })
  if (output.json) {
    output.record(causes)
    return EXIT.ok
  }
  const room = output.isTerminal ? output.columns : Number.POSITIVE_INFINITY
  const line = (text: string): void => output.line(shortened(printable(text), room))
  causes.ancestors.toReversed().forEach((cause, index) => {
    line(`${'  '.repeat(index)}${briefText(cause, cause.link)}`)
  })
  const depth = causes.ancestors.length
  output.line(
    output.paint('bold', shortened(printable(`${'  '.repeat(depth)}${briefText(causes.event)}`), room)),
  )
  for (const descendant of causes.descendants) {
    line(`${'  '.repeat(depth + descendant.depth)}${briefText(descendant, descendant.link)}`)
  }
  const more = causes.descendant_count - causes.descendants.length
  if (more > 0) output.say(`and ${more} more; see them with --limit ${causes.descendant_count}`)
  if (depth === 0) output.say('nothing in the log led to it')
  return EXIT.ok
}

function briefText({ position, stream_id, version, event_type }: EventBrief, link?: CausalLink): string {
  const how = link === undefined ? '' : ` [${link}]`
  return `${position}  ${event_type}  version ${version} of ${stream_id}${how}`
}

async function lastEventOf(query: LogQuery, stream_id: string): Promise<string> {
  for await (const { event_id } of query.events({ stream_id, limit: 1 })) return event_id
  throw new CliError('CLI_NOT_FOUND', {
    happened: `"${stream_id}" has no events.`,
    expected: 'Expected an event, or a stream with one.',
    todo: 'List what is there: agentctl log.',
  })
}
