/** Commands that act: each asks the runtime that has the log open, which asks its hooks and records what comes of it. */
import { userInfo } from 'node:os'
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

type Decision = {
  readonly name: 'approve' | 'deny' | 'retry'
  readonly summary: string
  readonly argument: string
  readonly example: string
  /** The option for words of the one who decides, and what the runtime calls it. */
  readonly words: { readonly flag: string; readonly key: string; readonly says: string } | undefined
}

const DECISIONS = {
  approve: {
    name: 'approve',
    summary: 'allow what waits for a person, once',
    argument: 'the id of a request for approval: appr_…',
    example: 'agentctl approve appr_0198c2a4-… --note "checked the path"',
    words: { flag: '--note <text>', key: 'note', says: 'a word with it, for the record' },
  },
  deny: {
    name: 'deny',
    summary: 'refuse what waits for a person, for good',
    argument: 'the id of a request for approval: appr_…',
    example: 'agentctl deny appr_0198c2a4-… --reason "not on a Friday"',
    words: { flag: '--reason <text>', key: 'reason', says: 'why, for the record' },
  },
  retry: {
    name: 'retry',
    summary: 'try again what was given up on: a dead letter',
    argument: 'the id of a dead letter',
    example: 'agentctl retry <id>',
    words: undefined,
  },
} as const satisfies Record<string, Decision>

export const defineApproveCommand = decide(DECISIONS.approve)
export const defineDenyCommand = decide(DECISIONS.deny)
export const defineRetryCommand = decide(DECISIONS.retry)

function decide(decision: Decision): (program: Command, shared: CliShared) => void {
  const { name, words } = decision
  return (program, shared) => {
    const command = program
      .command(name)
      .description(decision.summary)
      .argument('<id>', decision.argument)
      .option('--by <person>', 'who decides; default the user of this system')
    if (words !== undefined) command.option(words.flag, words.says)
    command
      .addHelpText(
        'after',
        `
It is done by the process that has the log open, and recorded with who decided. Without such a process, the exit code is
4.

Example:
  ${decision.example}`,
      )
      .action(
        shared.action(async (call) => {
          const { options, output } = call
          const [id] = call.args as [string]
          const by = (options['by'] as string | undefined) ?? userInfo().username
          const said = words === undefined ? undefined : options[words.key]
          return withOwner(call, shared, async (owner) => {
            const input = { id, by, ...(words !== undefined && said !== undefined && { [words.key]: said }) }
            const result = await owner.act(name, input)
            if (output.json) output.record({ act: name, id, by, result: result ?? null })
            else output.line(`${id}  ${(result as { status?: string } | undefined)?.status ?? 'tried again'}`)
            return EXIT.ok
          })
        }),
      )
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
