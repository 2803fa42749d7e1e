/** `agentctl billing`: what it cost: booked costs, and time at work by the hour. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import type { Spending } from '../query/spending.ts'
import { SPENDING_GROUPS, type SpendingGroup } from '../query/spending-groups.ts'
import type { Spent } from '../query/spending-sheet.ts'
import { counted, dollars, duration } from './amounts.ts'
import { ROLES } from './config.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { momentOption } from './moments.ts'
import { withQuery, type LogSource } from './open-log.ts'
import { readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines } from './table.ts'

type Rates = Readonly<Record<string, number>>

export function defineBillingCommand(program: Command, shared: CliShared): void {
  program
    .command('billing')
    .description('print what it cost: booked costs and tokens, time at work and what it costs')
    .argument('[id]', 'only this session or run and all below it')
    .addOption(
      new Option('--by <group>', 'how it is summed up').choices([...SPENDING_GROUPS]).default('session'),
    )
    .option('--since <moment>', 'only from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'only before this moment', momentOption(shared.now))
    .option('--rate <role=usd>', "what an hour of a role's time costs; repeatable", rateOption)
    .addHelpText(
      'after',
      `
Costs are those that agents and sessions booked; time is that at work, without pauses, and its price the hourly rate of
the role: of --rate, of agentctl.config.js, or the default. Days are UTC. A run is a session of its own; --by tree counts
it to the session at its top. What goes on is counted until now if a process has the log open, else until the last sign
of life on record.

Examples:
  agentctl billing
  agentctl billing payment-fix --by agent
  agentctl billing --by day --since monday --json`,
    )
    .action(
      shared.action((call) =>
        withQuery(call, shared, (query, _log, source) => printBilling(call, shared, { query, source })),
      ),
    )
}

function rateOption(text: string, before: Rates = {}): Rates {
  const [role = '', usd = ''] = text.split('=')
  if (!(ROLES as readonly string[]).includes(role) || !/^\d{1,6}(\.\d{1,6})?$/.test(usd))
    throw new InvalidArgumentError(`Expected a role (${ROLES.join(', ')}) and USD per hour: supervisor=2.5.`)
  return { ...before, [role]: Number(usd) }
}

async function printBilling(
  { args, options, config, output }: CliCall,
  shared: CliShared,
  { query, source }: { readonly query: LogQuery; readonly source: LogSource },
): Promise<ExitCode> {
  const within = await streamOf(query, (args as [string | undefined])[0])
  const spending = await query.billing({
    by: options['by'] as SpendingGroup,
    within,
    since: options['since'] as string | undefined,
    until: options['until'] as string | undefined,
    rates: { ...config.rates, ...(options['rate'] as Rates | undefined) },
    live: source.owner !== undefined,
    now: new Date(shared.now()).toISOString(),
  })
  if (output.json) {
    output.record(spending)
    return EXIT.ok
  }
  const head = ['COST', 'TOKENS', 'BOOKINGS', 'AT WORK', 'TIME', spending.by.toUpperCase()]
  const rows = spending.rows.map((row) => [
    ...cells(row),
    row.name === null ? row.key : `${row.name} (${row.key})`,
  ])
  for (const line of tableLines({ head, rows, right: [0, 1, 2, 3, 4] }, output)) output.line(line)
  if (rows.length > 0) output.line()
  for (const line of totalLines(spending)) output.line(line)
  const hourly = Object.entries(spending.rates).map(([role, usd]) => `${role} $${usd}`)
  const { going_on } = spending
  if (going_on !== null)
    output.say(`${going_on.count} at work, counted until ${readableTime(going_on.counted_until)}`)
  output.say(`an hour costs: ${hourly.join(', ')}`)
  return EXIT.ok
}

function cells({ cost_micro_usd, tokens, bookings, ms, time_micro_usd }: Spent): string[] {
  return [
    dollars(cost_micro_usd),
    tokens.toLocaleString('en'),
    String(bookings),
    duration(ms),
    dollars(time_micro_usd),
  ]
}

function totalLines({ total, breakdown, sessions }: Spending): string[] {
  const { cost_micro_usd, tokens, bookings, ms, time_micro_usd } = total
  return [
    `cost      ${dollars(cost_micro_usd)}, ${counted(tokens, 'token')}, ${counted(bookings, 'booking')}`,
    `time      ${dollars(time_micro_usd)} for ${duration(ms)}: ${dollars(breakdown.foreground_micro_usd)} foreground, ${dollars(breakdown.background_micro_usd)} background`,
    `sessions  ${sessions.active_foreground} active, ${sessions.active_background} in the background, ${sessions.paused} paused, ${sessions.completed_today} completed today`,
  ]
}
