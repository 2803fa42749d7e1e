/** `agentctl why <id>`: why something was refused, failed, waits or ended, from the recorded testimony and events. */
import type { Command } from 'commander'
import type { Failure } from '../query/failures.ts'
import type { LogQuery } from '../query/log-query.ts'
import { CliError } from './cli-error.ts'
import type { ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { momentOption } from './moments.ts'
import { withQuery } from './open-log.ts'
import { readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines, type Cell } from './table.ts'
import { followUps, whyLines } from './why-text.ts'

export function defineWhyCommand(program: Command, shared: CliShared): void {
  program
    .command('why')
    .description('explain a refusal, a failure, a pause or an end: who, which hook, why, what instead')
    .argument('[id]', 'an event (id or position), a tool call, a run, or a session (id or name)')
    .option('--failed', 'list all that failed, was refused, is parked or in doubt; <id> and all below it')
    .option('--since <moment>', 'with --failed: from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'with --failed: before this moment', momentOption(shared.now))
    .addHelpText(
      'after',
      `
Examples:
  agentctl why call_0198c2a4-…
  agentctl why payment-fix
  agentctl why 57 --json
  agentctl why --failed --since yesterday`,
    )
    .action(
      shared.action(async (call) => {
        const { options } = call
        const [typed] = call.args as [string | undefined]
        const isList = options['failed'] === true
        if (!isList && typed === undefined) throw nothingNamed()
        if (!isList && (options['since'] ?? options['until']) !== undefined) throw onlyWithFailed()
        return withQuery(call, shared, (query) =>
          isList ? printFailures(call, query) : printWhy(call, query, typed ?? ''),
        )
      }),
    )
}

async function printWhy({ output, command }: CliCall, query: LogQuery, text: string): Promise<ExitCode> {
  const explanation = await query.why({ text })
  if (output.json) {
    output.record(explanation)
    return 0
  }
  for (const line of whyLines(explanation, output)) output.line(line)
  for (const next of followUps(explanation, command)) output.say(output.paintTalk('dim', next))
  return 0
}

async function printFailures(
  { args, options, output, command }: CliCall,
  query: LogQuery,
): Promise<ExitCode> {
  const since = options['since'] as string | undefined
  const until = options['until'] as string | undefined
  const within = await streamOf(query, (args as [string | undefined])[0])
  const failures = await query.failures({ within, since, until })
  if (output.json) {
    for (const failure of failures) output.record(failure)
    return 0
  }
  const head = ['POSITION', 'TIME', 'WHAT', 'WHO', 'WHY']
  const table = { head, rows: failures.map(failureRow), flexible: [4, 3], right: [0] }
  for (const line of tableLines(table, output)) output.line(line)
  if (since !== undefined) output.say(`since ${readableTime(since)} UTC`)
  const last = failures.at(-1)
  output.say(last === undefined ? 'nothing failed' : `more about one: ${command} why ${last.event.position}`)
  return 0
}

function failureRow({ kind, event, who, agent_id, what, reason }: Failure): Cell[] {
  const style = kind === 'refused' || kind === 'parked' || kind === 'in_doubt' ? 'yellow' : 'red'
  return [
    String(event.position),
    readableTime(event.at).slice(0, -4),
    { text: what === null ? kind : `${kind} ${what}`, style },
    agent_id ?? who,
    reason,
  ]
}

function nothingNamed(): CliError {
  return new CliError('CLI_USAGE', {
    happened: "Missing required argument 'id'.",
    expected: 'Expected an event, a tool call, a run, a session, or --failed.',
    todo: 'Name one, or list what failed: agentctl why --failed.',
  })
}

function onlyWithFailed(): CliError {
  return new CliError('CLI_USAGE', {
    happened: '--since and --until go with --failed.',
    expected: 'Expected them where a list is asked for.',
    todo: 'Add --failed, or leave them away.',
  })
}
