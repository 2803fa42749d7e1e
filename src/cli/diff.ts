/** `agentctl diff <id>`: what changed in an actor between two versions, changed paths only. */
import type { Command } from 'commander'
import type { JsonChange } from '../query/json-diff.ts'
import type { LogQuery } from '../query/log-query.ts'
import type { At } from '../query/moment.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { subjectOf } from './find-subject.ts'
import { needsMachinesText } from './needs-machines.ts'
import { withQuery } from './open-log.ts'
import { collected } from './option-values.ts'
import type { CliOutput } from './output.ts'
import { placeOption, PLACES } from './place-option.ts'
import { printable, readableTime, shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineDiffCommand(program: Command, shared: CliShared): void {
  program
    .command('diff')
    .description('print what changed in an actor between two versions')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .option(
      '--from <place>',
      `from there: ${PLACES}; 0 is before its first event; default one before --to`,
      placeOption(shared.now, true),
    )
    .option(
      '--to <place>',
      'up to there; default the last version, or that of the event',
      placeOption(shared.now),
    )
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
Without the code of a machine only its state value is compared.

Examples:
  agentctl diff payment-fix --from 3 --to 7
  agentctl diff order-1 --from yesterday --machines ./dist/machines.js
  agentctl diff 57                          what the event at position 57 changed`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printDiff(call, query))))
}

async function printDiff({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const { stream_id, version } = await subjectOf(query, (args as [string])[0])
  const from = options['from'] as At | undefined
  const to = (options['to'] as At | undefined) ?? { version }
  const diff = await query.diff({ stream_id, to, ...(from && { from }) })
  if (output.json) {
    output.record(diff)
    return EXIT.ok
  }
  output.line(output.paint('bold', stream_id))
  const when = diff.from.at === null ? 'before its first event' : readableTime(diff.from.at)
  output.line(`  version ${diff.from.version} → ${diff.to.version}, ${when} → ${readableTime(diff.to.at)}`)
  for (const line of changeLines(diff.changes, output)) output.line(`  ${line}`)
  if (diff.changes.length === 0) output.line('  nothing changed')
  if (diff.source === 'recorded' && diff.machine !== '') output.say(needsMachinesText(diff.machine))
  return EXIT.ok
}

const MARKS = { added: '+', removed: '-', changed: '~' } as const
const STYLES = { added: 'green', removed: 'red', changed: 'yellow' } as const

/** One line for each changed place. */
export function changeLines(changes: readonly JsonChange[], output: CliOutput): string[] {
  const room = output.isTerminal ? Math.max(24, output.columns - 4) : Number.POSITIVE_INFINITY
  return changes.map(({ kind, path, before, after }) => {
    const told =
      kind === 'changed' ? `${text(before)} → ${text(after)}` : text(kind === 'added' ? after : before)
    return output.paint(STYLES[kind], shortened(printable(`${MARKS[kind]} ${path}: ${told}`), room))
  })
}

function text(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}
