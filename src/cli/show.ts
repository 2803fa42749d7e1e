/** `agentctl show <id>`: the state of an actor now or at an earlier version, by replay; nothing is executed. */
import type { Command } from 'commander'
import type { LogQuery, StateAnswer } from '../query/log-query.ts'
import type { At } from '../query/moment.ts'
import type { ExitCode } from './exit-codes.ts'
import { fieldLines, type Field } from './fields.ts'
import { subjectOf } from './find-subject.ts'
import { forkText } from './fork-text.ts'
import { needsMachinesText } from './needs-machines.ts'
import { withQuery } from './open-log.ts'
import { collected } from './option-values.ts'
import { placeOption, PLACES } from './place-option.ts'
import { printable, printableJson, readableTime } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineShowCommand(program: Command, shared: CliShared): void {
  program
    .command('show')
    .description('print the state of a session, run, tool call or other actor, now or at a version')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .option('--at <place>', `the state then: ${PLACES}; default the last`, placeOption(shared.now))
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
    .action(shared.action((call) => withQuery(call, shared, (query) => printState(call, query))))
}

async function printState({ args, options, output }: CliCall, query: LogQuery): Promise<ExitCode> {
  const { stream_id, version } = await subjectOf(query, (args as [string])[0])
  const at = (options['at'] as At | undefined) ?? { version }
  const state = await query.state({ stream_id, ...at })
  const { fork } = await query.about({ stream_id })
  if (output.json) {
    output.record({ ...state, ...(fork !== null && { fork }) })
    return 0
  }
  output.line(output.paint('bold', state.stream_id))
  const origin: Field = ['fork', fork === null ? null : forkText(fork)]
  for (const line of fieldLines([...stateFields(state), origin], output)) output.line(line)
  if (state.source === 'replay') {
    output.line('  context')
    output.line(printableJson(state.context, '    '))
  }
  if (state.needs_machines) output.say(needsMachinesText(state.machine))
  return 0
}

function stateFields(state: StateAnswer): Field[] {
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
