/** `agentctl pause|resume|cancel <id>`: asks the runtime that has the log open; its hooks are asked, and it is recorded. */
import type { Command } from 'commander'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { findSubject } from './find-subject.ts'
import { withOwner } from './open-log.ts'
import type { CliCall, CliShared } from './shared-options.ts'

type Verb = {
  readonly name: 'cancel' | 'pause' | 'resume'
  readonly summary: string
  readonly example: string
  readonly takesReason: boolean
  /** Whether one can be meant without what it started. */
  readonly takesOnly: boolean
}

const VERBS = {
  pause: {
    name: 'pause',
    summary: 'pause a session or run and all that it started, in the process that runs it',
    example: 'agentctl pause payment-fix --reason "waiting for a review"',
    takesReason: true,
    takesOnly: true,
  },
  resume: {
    name: 'resume',
    summary: 'resume a paused session or run and all that it started',
    example: 'agentctl resume payment-fix',
    takesReason: false,
    takesOnly: true,
  },
  cancel: {
    name: 'cancel',
    summary: 'give up a session or run and all that it started, for good',
    example: 'agentctl cancel payment-fix --reason "not needed any more"',
    takesReason: true,
    takesOnly: false,
  },
} as const satisfies Record<string, Verb>

export const definePauseCommand = define(VERBS.pause)
export const defineResumeCommand = define(VERBS.resume)
export const defineCancelCommand = define(VERBS.cancel)

function define(verb: Verb): (program: Command, shared: CliShared) => void {
  return (program, shared) => {
    const command = program
      .command(verb.name)
      .description(verb.summary)
      .argument('<id>', 'the id of a session or run, or the name of a session or agent')
    if (verb.takesReason) command.option('-r, --reason <text>', 'why, for the record')
    if (verb.takesOnly) command.option('--only', 'it alone, and nothing that it started')
    command
      .addHelpText(
        'after',
        `
It is done by the process that has the log open: hooks are asked as always, and it is recorded. Without such a process,
the exit code is 4.

Example:
  ${verb.example}`,
      )
      .action(shared.action((call) => ask(call, shared, verb)))
  }
}

type Moved = { readonly id: string; readonly machine: string; readonly status: string }

async function ask(call: CliCall, shared: CliShared, { name }: Verb): Promise<ExitCode> {
  const { options, output } = call
  return withOwner(call, shared, async (owner) => {
    const { stream_id: id } = await findSubject(owner.store, (call.args as [string])[0])
    const moved = (await owner.act(name, {
      id,
      ...(options['reason'] !== undefined && { reason: options['reason'] }),
      ...(options['only'] === true && { cascade: false }),
    })) as readonly Moved[]
    if (output.json) output.record({ act: name, id, actors: moved })
    else for (const { id: one, status } of moved) output.line(`${one}  ${status}`)
    return EXIT.ok
  })
}
