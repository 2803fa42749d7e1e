/** `agentctl why <id>`: why something was refused, failed, waits or ended, from the recorded testimony and events. */
import type { Command } from 'commander'
import { explain } from '../query/explain.ts'
import { readSurroundings } from '../query/surroundings.ts'
import type { ExitCode } from './exit-codes.ts'
import { suggesting } from './find-subject.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { followUps, whyLines } from './why-text.ts'

export function defineWhyCommand(program: Command, shared: CliShared): void {
  program
    .command('why')
    .description('explain a refusal, a failure, a pause or an end: who, which hook, why, what instead')
    .argument('<id>', 'an event (id or position), a tool call, a run, or a session (id or name)')
    .addHelpText(
      'after',
      `
Examples:
  agentctl why call_0198c2a4-…
  agentctl why payment-fix
  agentctl why 57 --json`,
    )
    .action(shared.action((call) => withLog(call, shared, (log) => printWhy(call, log))))
}

async function printWhy({ args, output, command }: CliCall, log: ReadableLog): Promise<ExitCode> {
  const [typed] = args as [string]
  const around = await readSurroundings(log, typed)
  const explanation = await suggesting(typed, around, () => explain(log, typed, around))
  if (output.json) {
    output.record(explanation)
    return 0
  }
  for (const line of whyLines(explanation, output)) output.line(line)
  for (const next of followUps(explanation, command)) output.say(output.paintTalk('dim', next))
  return 0
}
