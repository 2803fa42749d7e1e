/** `agentctl compliance`: how well the protocol was kept, what breaks it and in which events that shows, and what to do. */
import { InvalidArgumentError, type Command } from 'commander'
import type { Compliance } from '../query/compliance.ts'
import type { LogQuery } from '../query/log-query.ts'
import { counted, span } from './amounts.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withQuery } from './open-log.ts'
import { positiveInteger } from './option-values.ts'
import type { CliOutput } from './output.ts'
import { shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines, type Cell } from './table.ts'

export function defineComplianceCommand(program: Command, shared: CliShared): void {
  program
    .command('compliance')
    .description('score how well the protocol was kept, with the events that show what broke it')
    .argument('[name]', 'only this project of the log')
    .option(
      '--trend [days]',
      'the score at the end of each of the last days as well (default 30)',
      daysOption,
    )
    .addHelpText(
      'after',
      `
A score is from 0 to 100: each rule costs its weight times the share of those that break it. #12 is an event: see
agentctl why 12. Days are UTC. Rules about code cannot be checked in a log; they are named.

Examples:
  agentctl compliance
  agentctl compliance shop --trend 14
  agentctl compliance --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printCompliance(call, shared, query))))
}

function daysOption(text: string): number {
  const days = positiveInteger(text)
  if (days > 3660) throw new InvalidArgumentError('Expected at most 3660 days.')
  return days
}

async function printCompliance(
  { args, options, output, command }: CliCall,
  shared: CliShared,
  query: LogQuery,
): Promise<ExitCode> {
  const [project] = args as [string | undefined]
  const trend = options['trend'] as number | true | undefined
  const days = trend === true ? 30 : trend
  const now = shared.now()
  const told = await query.compliance({ project, days, now: new Date(now).toISOString() })
  if (output.json) {
    output.record(told)
    return EXIT.ok
  }
  const blocks = [issueLines(told, output), adviceLines(told, output), staleLines(told, now, output)]
  blocks.push(trendLines(told, output))
  output.line(output.paint('bold', `score ${told.score} of 100`))
  for (const block of blocks) {
    if (block.length > 0) output.line()
    for (const line of block) output.line(line)
  }
  for (const { rule, because } of told.not_checked) output.say(`not checked: ${rule}: ${because}`)
  const [issue] = told.issues
  const [event] = issue?.events ?? []
  if (event !== undefined) output.say(`what an event is: ${command} why ${event.position}`)
  return EXIT.ok
}

function issueLines({ issues }: Compliance, output: CliOutput): string[] {
  const rows = issues.map(({ rule, subject, message, events }): Cell[] => [
    { text: rule, style: 'yellow' },
    events.map(({ position }) => `#${position}`).join(' '),
    { text: subject, style: 'dim' },
    message.replace(` (${subject})`, ''),
  ])
  const head = ['BROKEN', 'SHOWN BY', 'ID', 'HOW']
  return tableLines({ head, rows, flexible: [2, 1], ids: [2] }, output)
}

function adviceLines({ recommendations }: Compliance, output: CliOutput): string[] {
  if (recommendations.length === 0) return []
  const room = output.isTerminal ? output.columns : Number.POSITIVE_INFINITY
  const lines = recommendations.map(({ text, rule, count }) =>
    shortened(`  ${text} (${rule}: ${counted(count, 'issue')})`, room),
  )
  return [output.paint('dim', 'what to do, the most costly first'), ...lines]
}

function staleLines({ stale_projects }: Compliance, now: number, output: CliOutput): string[] {
  const rows = stale_projects.map(({ project, last_activity, sessions }) => [
    project,
    `${span(now - Date.parse(last_activity))} ago`,
    sessions.map(({ id, name }) => name ?? id).join(', '),
  ])
  return tableLines({ head: ['STALE PROJECT', 'LAST EVENT', 'OPEN SESSIONS'], rows }, output)
}

function trendLines({ trends }: Compliance, output: CliOutput): string[] {
  if (trends === null) return []
  const { samples, average, highest, lowest, improving } = trends
  if (samples.length === 0) return ['no trend: nothing was recorded in these days']
  const rows = samples.map(({ date, score }) => [date, String(score)])
  return [
    ...tableLines({ head: ['DAY', 'SCORE'], rows, right: [1] }, output),
    `average ${Math.round(average * 10) / 10}, highest ${highest}, lowest ${lowest}${samples.length < 2 ? '' : improving ? ', improving' : ', not improving'}`,
  ]
}
