/** `agentctl machines [name]`: the machines that wrote the log, from their recorded definitions, without their code. */
import { Option, type Command } from 'commander'
import { mermaidChart } from '../query/chart-mermaid.ts'
import { scxmlChart } from '../query/chart-scxml.ts'
import type { LogQuery } from '../query/log-query.ts'
import { machineCalled, type RecordedMachine } from '../query/recorded-machines.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withQuery } from './open-log.ts'
import type { CliCall, CliShared } from './shared-options.ts'

const FORMATS = ['stately', 'json', 'mermaid', 'scxml'] as const
type Format = (typeof FORMATS)[number]

export function defineMachinesCommand(program: Command, shared: CliShared): void {
  program
    .command('machines')
    .description("list the machines the log was written by, or print one for Stately's editor or as a chart")
    .argument('[name]', 'a machine, with or without its version: agent, agent@1')
    .addOption(
      new Option('--format <format>', 'code for Stately, its definition as JSON, Mermaid, or SCXML')
        .choices(FORMATS)
        .default('stately'),
    )
    .addHelpText(
      'after',
      `
What is printed for a name can be pasted into https://stately.ai/viz or into Stately's editor (import from code).
Guards and actions are there by name: what they do is code, and not in the log.

Examples:
  agentctl machines
  agentctl machines agent > agent.machine.js
  agentctl machines agent --format mermaid`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => printMachines(call, query))))
}

async function printMachines({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const [wanted] = args as [string | undefined]
  const format = options['format'] as Format
  const all = await query.machines()
  const machines = wanted === undefined ? all : [machineCalled(all, wanted)]
  for (const machine of machines) {
    if (output.json) {
      const chart = format === 'mermaid' || format === 'scxml' ? { [format]: charted(machine, format) } : {}
      output.record({ ...machine, ...chart })
    } else if (wanted === undefined) output.line(machine.machine)
    else output.line(charted(machine, format).trimEnd())
  }
  return EXIT.ok
}

function charted(machine: RecordedMachine, format: Format): string {
  const definition = JSON.stringify(machine.definition, withoutCode, 2)
  switch (format) {
    case 'stately':
      return `import { createMachine } from 'xstate'\n\nexport const machine = createMachine(${definition})`
    case 'json':
      return definition
    case 'mermaid':
      return mermaidChart(machine)
    case 'scxml':
      return scxmlChart(machine)
  }
}

/** Leaves out what was a function and means nothing as data: the first context, the input of an invoke. */
function withoutCode(key: string, value: unknown): unknown {
  const wasFunction = typeof value === 'object' && value !== null && Object.keys(value).join() === 'type'
  return (key === 'context' || key === 'input') && wasFunction ? undefined : value
}
