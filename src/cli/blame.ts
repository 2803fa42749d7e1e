/** `agentctl blame <id> [path]`: which event last wrote a place in an actor's state. */
import type { Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import type { At } from '../query/moment.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { subjectOf } from './find-subject.ts'
import { needsMachinesText } from './needs-machines.ts'
import { withQuery } from './open-log.ts'
import { collected } from './option-values.ts'
import { placeOption, PLACES } from './place-option.ts'
import { readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { tableLines } from './table.ts'

export function defineBlameCommand(program: Command, shared: CliShared): void {
  program
    .command('blame')
    .description('print which event last wrote each place of a state, or one place and its history')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .argument('[path]', 'such as value, context.items[2].name, context["a.b"]')
    .option('--at <place>', `as of then: ${PLACES}; default the last version`, placeOption(shared.now))
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
Without the code of a machine only its state value is known.

Examples:
  agentctl blame payment-fix
  agentctl blame payment-fix context.phase
  agentctl blame order-1 'context.items[0]' --machines ./dist/machines.js --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printBlame(call, query))))
}

async function printBlame({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const [typed, path] = args as [string, string | undefined]
  const { stream_id, version } = await subjectOf(query, typed)
  const at = (options['at'] as At | undefined) ?? { version }
  const blame = await query.blame({ stream_id, path, at })
  if (output.json) {
    output.record(blame)
    return EXIT.ok
  }
  const rows = blame.places.map(({ path: place, value, event }) => [
    String(event.version),
    { text: event.event_type, style: 'cyan' as const },
    readableTime(event.at),
    place,
    JSON.stringify(value),
  ])
  const head = ['VERSION', 'EVENT', 'TIME', 'PATH', 'VALUE']
  for (const line of tableLines({ head, rows, right: [0], flexible: [4, 3] }, output)) output.line(line)
  if (path !== undefined) {
    output.line()
    output.line(output.paint('bold', 'written by'))
    for (const { version: each, event_type, at: when, position } of blame.history) {
      output.line(`  ${each}  ${event_type}  ${readableTime(when)}  position ${position}`)
    }
  }
  if (blame.source === 'recorded' && blame.machine !== '') output.say(needsMachinesText(blame.machine))
  return EXIT.ok
}
