/** `agentctl timeline [id]`: who talked to whom and when; also as a Mermaid sequence diagram. */
import type { Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import { mermaidSequence } from '../query/mermaid-sequence.ts'
import type { Message, Participant } from '../query/timeline.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { streamOf } from './find-subject.ts'
import { momentOption } from './moments.ts'
import { withQuery } from './open-log.ts'
import type { CliOutput } from './output.ts'
import { printable, readableTime, shortened } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineTimelineCommand(program: Command, shared: CliShared): void {
  program
    .command('timeline')
    .description('print the messages between sessions, runs, tool calls and other actors')
    .argument('[id]', 'only of this actor and all below it: its id, or the name of a session or agent')
    .option('--since <moment>', 'only from this moment on', momentOption(shared.now))
    .option('--until <moment>', 'only before this moment', momentOption(shared.now))
    .option('--mermaid', 'as a Mermaid sequence diagram')
    .addHelpText(
      'after',
      `
An arrow with a cross is a message that was refused, or that nobody took.

Examples:
  agentctl timeline payment-fix
  agentctl timeline --since yesterday
  agentctl timeline payment-fix --mermaid > sequence.mmd`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printTimeline(call, query))))
}

async function printTimeline({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const within = await streamOf(query, (args as [string | undefined])[0])
  const since = options['since'] as string | undefined
  const until = options['until'] as string | undefined
  const drawn: Message[] = []
  let count = 0
  for await (const message of query.timeline({ within, since, until })) {
    count += 1
    if (options['mermaid'] === true) drawn.push(message)
    else if (output.json) output.record(message)
    else output.line(messageLine(message, output))
    await output.ready()
  }
  if (options['mermaid'] === true) {
    const diagram = mermaidSequence(drawn)
    if (output.json) output.record({ mermaid: diagram })
    else output.line(diagram.trimEnd())
  }
  if (count === 0) output.say('nobody said anything')
  return EXIT.ok
}

function messageLine({ from, to, type, at, position, fate, note }: Message, output: CliOutput): string {
  const place = `${String(position).padStart(6)}  ${readableTime(at)}  `
  const arrow = fate === 'taken' ? '→' : '⨯'
  const mark = fate === 'taken' ? '' : ` (${fate === 'dead' ? 'nobody took it' : 'refused'})`
  const said = `${nameOf(from)} ${arrow} ${nameOf(to)}: ${type}${mark}${note === null || note === '' ? '' : `, ${note}`}`
  const room = output.isTerminal ? Math.max(20, output.columns - place.length) : Number.POSITIVE_INFINITY
  const text = shortened(printable(said), room)
  return `${output.paint('dim', place)}${fate === 'taken' ? text : output.paint('yellow', text)}`
}

function nameOf({ label }: Participant): string {
  return label
}
