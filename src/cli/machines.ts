/** `agentctl machines [name]`: the machines that wrote the log, from their recorded definitions, without their code. */
import type { Command } from 'commander'
import { definitionStream } from '../runtime/definition.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineMachinesCommand(program: Command, shared: CliShared): void {
  program
    .command('machines')
    .description("list the machines the log was written by, or print one for Stately's editor")
    .argument('[name]', 'a machine, with or without its version: agent, agent@1')
    .addHelpText(
      'after',
      `
What is printed for a name can be pasted into https://stately.ai/viz or into Stately's editor (import from code).

Examples:
  agentctl machines
  agentctl machines agent > agent.machine.js`,
    )
    .action(shared.action((call) => withLog(call, shared, (log) => printMachines(call, log))))
}

type Registered = { readonly machine: string; readonly definition: unknown }

async function printMachines({ args, output }: CliCall, log: ReadableLog): Promise<ExitCode> {
  const [wanted] = args as [string | undefined]
  const machines = await registeredMachines(log)
  if (wanted === undefined) {
    for (const { machine, definition } of machines) {
      if (output.json) output.record({ machine, definition })
      else output.line(machine)
    }
    return EXIT.ok
  }
  const found = machines.findLast(({ machine }) => machine === wanted || machine.startsWith(`${wanted}@`))
  if (found === undefined) throw unknownMachine(wanted, machines)
  if (output.json) output.record(found)
  else {
    output.line("import { createMachine } from 'xstate'\n")
    output.line(`export const machine = createMachine(${JSON.stringify(found.definition, withoutCode, 2)})`)
  }
  return EXIT.ok
}

/** Leaves out what was a function and means nothing as data: the first context, the input of an invoke. */
function withoutCode(key: string, value: unknown): unknown {
  const wasFunction = typeof value === 'object' && value !== null && Object.keys(value).join() === 'type'
  return (key === 'context' || key === 'input') && wasFunction ? undefined : value
}

/** The last recorded definition of each machine and version. */
async function registeredMachines(log: ReadableLog): Promise<Registered[]> {
  const machines: Registered[] = []
  for await (const head of log.heads(definitionStream(''))) {
    for await (const event of log.readStream(head.stream_id, { fromVersion: head.version })) {
      machines.push(event.payload as unknown as Registered)
    }
  }
  return machines
}

function unknownMachine(wanted: string, machines: readonly Registered[]): CliError {
  return new CliError('CLI_NOT_FOUND', {
    happened: `No machine "${wanted}" wrote this log.`,
    expected: `One of: ${machines.map(({ machine }) => machine).join(', ')}.`,
    todo: 'Use one of these names.',
  })
}
