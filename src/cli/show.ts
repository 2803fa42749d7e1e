/** `agentctl show <id>`: the state of an actor now or at an earlier version, by replay; nothing is executed. */
import type { Command } from 'commander'
import { redactedState } from '../query/redacted.ts'
import { stateAt, type StateAt } from '../query/state-at.ts'
import { readForkLink } from '../runtime/fork-link.ts'
import type { ExitCode } from './exit-codes.ts'
import { fieldLines, type Field } from './fields.ts'
import { findSubject } from './find-subject.ts'
import { forkText } from './fork-text.ts'
import { loadMachines } from './machine-modules.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import { printable, printableJson, readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineShowCommand(program: Command, shared: CliShared): void {
  program
    .command('show')
    .description('print the state of a session, run, tool call or other actor, now or at a version')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .option('--at <version>', 'the state after this version; default the last', positiveInteger)
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
The state is folded again from the events; no effect is run. What looks like a secret is left out.

Examples:
  agentctl show payment-fix
  agentctl show run_0198c2a4-… --at 7
  agentctl show order-1 --machines ./dist/machines.js --json`,
    )
    .action(
      shared.action(async (call) => {
        const machines = await loadMachines((call.options['machines'] ?? []) as readonly string[], shared.cwd)
        return withLog(call, shared, async (log) => printState(call, log, machines))
      }),
    )
}

async function printState(
  { args, options, output }: CliCall,
  log: ReadableLog,
  machines: Awaited<ReturnType<typeof loadMachines>>,
): Promise<ExitCode> {
  const [typed] = args as [string]
  const subject = await findSubject(log, typed)
  const version = (options['at'] as number | undefined) ?? subject.version
  const state = redactedState(await stateAt(log, subject.stream_id, { version, machines }))
  const needs = needsMachines(state)
  const fork = await readForkLink(log, subject.stream_id)
  if (output.json) {
    output.record({ ...state, needs_machines: needs !== undefined, ...(fork && { fork }) })
    return 0
  }
  output.line(output.paint('bold', state.stream_id))
  const origin: Field = ['fork', fork && forkText(fork)]
  for (const line of fieldLines([...stateFields(state), origin], output)) output.line(line)
  if (state.source === 'replay') {
    output.line('  context')
    output.line(printableJson(state.context, '    '))
  }
  if (needs !== undefined) output.say(needs)
  return 0
}

/** What is missing when the log's own record had to do. */
function needsMachines(state: StateAt): string | undefined {
  if (state.source === 'replay' || state.machine === '') return undefined
  return `needs --machines ./dist/machines.js: the context of "${state.machine}" can only be folded by its code; the state is the one that the log recorded`
}

function stateFields(state: StateAt): Field[] {
  const last = state.version === state.head_version
  return [
    ['machine', state.machine === '' ? 'none: a stream of plain facts' : state.machine],
    ['version', last ? `${state.version}, the last` : `${state.version} of ${state.head_version}`],
    ['state', typeof state.value === 'string' ? state.value : JSON.stringify(state.value)],
    ['status', state.status],
    ['after', `${state.event_type} at ${readableTime(state.at)} (event ${state.event_id})`],
    ['from', state.source === 'replay' ? 'replay' : "the log's own record"],
    ['running', state.children?.map(({ id, src }) => (id === src ? id : `${id} (${src})`))],
    ['timers', state.timers?.map(({ id, due_at }) => `${id}, due ${readableTime(due_at)}`)],
    ['output', shown(state.output)],
    ['error', shown(state.error)],
  ]
}

function shown(value: unknown): string | null {
  return value === null ? null : printable(JSON.stringify(value))
}
