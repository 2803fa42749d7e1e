/** `agentctl ps`: what is there and what does it wait for: sessions and runs as a tree, then other actors. */
import type { Command } from 'commander'
import type { Attached } from '../attach/attach.ts'
import type { ActorRow, ActorsQuestion } from '../query/actors.ts'
import type { LogQuery } from '../query/log-query.ts'
import { counted, dollars, span } from './amounts.ts'
import type { ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { liveFactsOf, liveText } from './live-text.ts'
import { withQuery, type LogSource, type ReadableLog } from './open-log.ts'
import type { Style } from './output.ts'
import { pendingLines } from './pending-text.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines, type Cell } from './table.ts'
import { watch } from './watch.ts'

export function definePsCommand(program: Command, shared: CliShared): void {
  program
    .command('ps')
    .description('list sessions, runs and other actors: what each is doing and waits for')
    .argument('[id]', 'only this session or run and all below it')
    .option('-a, --all', 'also what has ended')
    .option('--state <state>', 'only in this state: running, paused, parked, failed, …')
    .option('--role <role>', 'only of this role')
    .option('--agent <agent>', 'only runs of this agent')
    .option('--tag <tag>', 'only sessions and runs with this tag')
    .option('--pending', 'list what is owed as well: effects, timers, calls, handoffs, mail, dead letters')
    .option('-w, --watch', 'show it again whenever the log has changed, until Ctrl-C')
    .addHelpText(
      'after',
      `
While a process has the log open, LIVE says what only that process knows, and no log: which attempt is under way and what
it waits for just now, its place in line, what is in memory and what is at rest.

With --json each line is an actor; with --pending the last line is {"pending":{…}}.

Examples:
  agentctl ps
  agentctl ps --all --agent reviewer
  agentctl ps --state paused --json
  agentctl ps --watch`,
    )
    .action(
      shared.action((call) =>
        call.options['watch'] === true
          ? watch(call, shared, () =>
              withQuery(call, shared, (...from) => readLines(call, shared, asking(from))),
            )
          : withQuery(call, shared, (...from) => printActors(call, shared, asking(from))),
      ),
    )
}

/** Where the answers come from. */
type Asking = { readonly query: LogQuery; readonly owner: Attached | undefined }

function asking([query, _log, { owner }]: readonly [LogQuery, ReadableLog, LogSource]): Asking {
  return { query, owner }
}

async function asked({ args, options }: CliCall, query: LogQuery): Promise<ActorsQuestion> {
  const given = options as Readonly<Record<string, string | undefined>>
  return {
    within: await streamOf(query, (args as [string | undefined])[0]),
    all: options['all'] === true,
    state: given['state'],
    role: given['role'],
    agent: given['agent'],
    tag: given['tag'],
  }
}

async function printActors(call: CliCall, shared: CliShared, from: Asking): Promise<ExitCode> {
  const { output, options } = call
  const { query } = from
  if (output.json) {
    const { rows, live } = await readRows(call, from)
    for (const row of rows) {
      const now = live?.get(row.id)
      output.record(now === undefined ? row : { ...row, live: now })
    }
    if (options['pending'] === true) output.record({ pending: await query.pending() })
    return 0
  }
  const lines = await readLines(call, shared, from)
  for (const line of lines) output.line(line)
  if (lines.length === 0) output.say(isFiltered(call) ? 'nobody matches' : 'nobody is at work')
  output.say(await summary(call, query))
  return 0
}

async function readRows(call: CliCall, { query, owner }: Asking) {
  const rows = await query.actors(await asked(call, query))
  const live = await liveFactsOf(
    owner,
    rows.map(({ id }) => id),
  )
  return { rows, live }
}

async function readLines(call: CliCall, shared: CliShared, from: Asking): Promise<string[]> {
  const { output, options } = call
  const { rows, live } = await readRows(call, from)
  const now = shared.now()
  const head = ['WHO', 'STATE', 'LAST', 'COST', 'ID', 'WAITS FOR', ...(live === undefined ? [] : ['LIVE'])]
  const cells = rows.map((row) => [
    ...actorCells(row, now),
    ...(live === undefined ? [] : [liveText(live.get(row.id), now)]),
  ])
  const lines = tableLines({ head, rows: cells, flexible: [4, 5, 0], right: [2, 3], ids: [4] }, output)
  if (options['pending'] !== true) return lines
  return [...lines, '', ...pendingLines(await from.query.pending(), output)]
}

function actorCells(row: ActorRow, now: number): Cell[] {
  const label = row.name ?? row.agent_id ?? row.role ?? row.machine ?? ''
  const last = row.last_activity === null ? '' : span(now - Date.parse(row.last_activity))
  return [
    `${'  '.repeat(row.depth)}${label}`,
    { text: row.state, style: STYLES[row.state] ?? 'reset' },
    last,
    row.cost_micro_usd === 0 ? '' : dollars(row.cost_micro_usd),
    { text: row.id, style: 'dim' },
    row.waits_for ?? '',
  ]
}

const STYLES: Readonly<Record<string, Style>> = {
  active: 'green',
  running: 'green',
  paused: 'yellow',
  parked: 'yellow',
  queued: 'cyan',
  failed: 'red',
  timed_out: 'red',
  cancelled: 'red',
  completed: 'dim',
  archived: 'dim',
}

function isFiltered({ args, options }: CliCall): boolean {
  return (
    args[0] !== undefined || ['state', 'role', 'agent', 'tag'].some((name) => options[name] !== undefined)
  )
}

async function summary({ options, command }: CliCall, query: LogQuery): Promise<string> {
  const owed = await query.pending()
  const { effects, approvals, timers, tool_calls, handoffs, mail, dead_letters, parked, paused_forks } = owed
  const parts = [
    counted(effects.length, 'effect'),
    counted(approvals.length, 'approval'),
    counted(timers.length, 'timer'),
    counted(tool_calls.length, 'open tool call'),
    counted(handoffs.length, 'handoff'),
    counted(mail.length, 'message'),
    counted(parked.length, 'parked run'),
    counted(paused_forks.length, 'paused fork'),
    counted(dead_letters.length, 'dead letter'),
  ].filter((text) => !text.startsWith('0 '))
  const all = options['all'] === true ? '' : `; what has ended: ${command} ps --all`
  if (parts.length === 0) return `nothing is owed${all}`
  return `owed: ${parts.join(', ')}${options['pending'] === true ? '' : ` (${command} ps --pending)`}${all}`
}
