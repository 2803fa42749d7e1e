/** `agentctl billing`: what it cost, by session, role, agent, day or purpose. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import { SPENDING_GROUPS, type SpendingGroup, type Spent } from '../query/spending.ts'
import { counted, dollars } from './amounts.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { momentOption } from './moments.ts'
import { withQuery } from './open-log.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines } from './table.ts'

export function defineBillingCommand(program: Command, shared: CliShared): void {
  program
    .command('billing')
    .description('print what it cost: recorded costs and tokens')
    .argument('[id]', 'only this session or run and all below it')
    .addOption(
      new Option('--by <group>', 'how it is summed up').choices([...SPENDING_GROUPS]).default('session'),
    )
    .option('--since <moment>', 'only from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'only before this moment', momentOption(shared.now))
    .addHelpText(
      'after',
      `
Costs are those that agents booked (ctx.spend). Days are UTC.

Examples:
  agentctl billing
  agentctl billing payment-fix --by agent
  agentctl billing --by day --since monday --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printBilling(call, query))))
}

async function printBilling({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const within = await streamOf(query, (args as [string | undefined])[0])
  const by = options['by'] as SpendingGroup
  const since = options['since'] as string | undefined
  const until = options['until'] as string | undefined
  const spending = await query.billing({ by, within, since, until })
  if (output.json) {
    output.record(spending)
    return EXIT.ok
  }
  const head = ['COST', 'TOKENS', 'BOOKINGS', by.toUpperCase()]
  const cells = ({ cost_micro_usd, tokens, bookings }: Spent): string[] => [
    dollars(cost_micro_usd),
    tokens.toLocaleString('en'),
    String(bookings),
  ]
  const rows = spending.rows.map((row) => [
    ...cells(row),
    row.name === null ? row.key : `${row.name} (${row.key})`,
  ])
  for (const line of tableLines({ head, rows, right: [0, 1, 2] }, output)) output.line(line)
  const { cost_micro_usd, tokens, bookings } = spending.total
  output.line(
    `${rows.length === 0 ? '' : 'total '}${dollars(cost_micro_usd)}, ${counted(tokens, 'token')}, ${counted(bookings, 'booking')}`,
  )
  return EXIT.ok
}
