/** `agentctl permissions`: what hooks and guards decided; `explain`: may this agent do that, and why not. */
import type { Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import type { RecordedDecision } from '../query/permission-ledger.ts'
import { counted } from './amounts.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { fieldLines } from './fields.ts'
import { streamOf } from './find-subject.ts'
import { momentOption } from './moments.ts'
import { withQuery } from './open-log.ts'
import { readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines, type Cell } from './table.ts'

export function definePermissionsCommand(program: Command, shared: CliShared): void {
  const permissions = program
    .command('permissions')
    .description('list what hooks and guards decided, or explain whether an agent may do something')
    .argument('[id]', 'only of this session, run or actor and all below it')
    .option('--agent <agent>', 'only of runs of this agent')
    .option('--role <role>', 'only of this role')
    .option('--action <action>', 'only about this tool, event type or capability: execute:file:*')
    .option('--verdict <verdict>', 'only what was allowed, or denied')
    .option('--since <moment>', 'only from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'only before this moment', momentOption(shared.now))
    .addHelpText(
      'after',
      `
Examples:
  agentctl permissions --verdict denied --since yesterday
  agentctl permissions payment-fix --json
  agentctl permissions explain cleaner execute:file:delete`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printDecisions(call, query))))
  permissions
    .command('explain')
    .description('whether an agent may do something, and why not, from what was decided before')
    .argument('<who>', "an agent's id, a run, a session, or a role")
    .argument('<action>', 'a tool, a capability or an event type: remove, execute:file:delete')
    .addHelpText(
      'after',
      `
No hook is asked: a folder has none. What was never decided is "unknown".

Examples:
  agentctl permissions explain cleaner remove
  agentctl permissions explain workagent execute:file:delete --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printExplained(call, query))))
}

async function printDecisions(
  { args, options, output, command }: CliCall,
  query: LogQuery,
): Promise<ExitCode> {
  const given = options as Readonly<Record<string, string | undefined>>
  const question = {
    actor: await streamOf(query, (args as [string | undefined])[0]),
    agent: given['agent'],
    role: given['role'],
    action: given['action'],
    verdict: given['verdict'] as 'allowed' | 'denied' | undefined,
    since: given['since'],
    until: given['until'],
  }
  const rows: Cell[][] = []
  let last: RecordedDecision | undefined
  for await (const decision of query.permissions(question)) {
    if (output.json) output.record(decision)
    else rows.push(decisionRow(decision))
    if (decision.verdict === 'denied') last = decision
    await output.ready()
  }
  if (output.json) return EXIT.ok
  const head = ['POSITION', 'TIME', 'WHO', 'WANTED', 'VERDICT', 'WHY']
  for (const line of tableLines({ head, rows, right: [0], flexible: [5, 2] }, output)) output.line(line)
  if (rows.length === 0) output.say('nothing was decided')
  if (last !== undefined) output.say(`more about the last denial: ${command} why ${last.event.position}`)
  return EXIT.ok
}

function decisionRow({
  event,
  who,
  agent_id,
  action,
  verdict,
  by,
  reason,
  hooks,
  count,
}: RecordedDecision): Cell[] {
  const often = count > 1 ? ` (${count} times)` : ''
  const why =
    by === null
      ? hooks.length === 0
        ? 'no hook was asked'
        : hooks.map(({ hook }) => hook).join(', ')
      : [by, reason].filter((part) => part !== null).join(': ')
  return [
    String(event.position),
    readableTime(event.at).slice(0, -4),
    agent_id ?? who,
    action,
    { text: verdict, style: verdict === 'denied' ? 'yellow' : 'green' },
    `${why}${often}`,
  ]
}

const ANSWERS = {
  allowed: 'yes, so far',
  denied: 'no',
  varies: 'it depends: it was allowed and denied',
  unknown: 'unknown: it never asked',
} as const

async function printExplained({ args, output, command }: CliCall, query: LogQuery): Promise<ExitCode> {
  const [who, action] = args as [string, string]
  const explained = await query.explainPermission({ who, action })
  if (output.json) {
    output.record(explained)
    return EXIT.ok
  }
  const { answer, allowed_count, denied_count, last_allowed, last_denied, others } = explained
  output.line(output.paint(answer === 'denied' ? 'yellow' : 'bold', `${who}, ${action}: ${ANSWERS[answer]}`))
  const fields = fieldLines(
    [
      [
        'allowed',
        allowed_count === 0 ? null : `${counted(allowed_count, 'time')}, last ${whenText(last_allowed)}`,
      ],
      [
        'denied',
        denied_count === 0 ? null : `${counted(denied_count, 'time')}, last ${whenText(last_denied)}`,
      ],
      ['by', last_denied?.by],
      ['why', last_denied?.reason],
      ['instead', last_denied?.alternatives],
      ['capabilities', (last_denied ?? last_allowed)?.capabilities.join(', ')],
      [
        'others',
        others.map((other) => `${other.agent_id ?? other.who}: ${other.verdict} ${whenText(other)}`),
      ],
    ],
    output,
  )
  for (const line of fields) output.line(line)
  if (last_denied !== null) output.say(`the denial in full: ${command} why ${last_denied.event.position}`)
  return EXIT.ok
}

function whenText(decision: RecordedDecision | null): string {
  return decision === null ? '' : `${readableTime(decision.event.at)} (position ${decision.event.position})`
}
