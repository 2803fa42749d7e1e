/** `agentctl erase <subject>`: destroys the key that what is of a person was sealed with; says what it would do unless told to. */
import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { eraseOffline } from '../erase-offline.ts'
import type { RecordedErasure } from '../embedding/erasing.ts'
import { counted } from './amounts.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { printable } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineEraseCommand(program: Command, shared: CliShared): void {
  program
    .command('erase')
    .description('erase a subject, such as a person, for good: destroy the key of what was sealed for it')
    .argument('<subject>', 'the subject’s id, as in subject_id of the events')
    .requiredOption(
      '-r, --reason <text>',
      'why, for the record; it stays, so it must not say what is to be forgotten',
    )
    .option('--by <person>', 'who does it; default the user of this system')
    .option('-y, --yes', 'do it; without it, how much there is of the subject is said, and nothing changes')
    .addHelpText(
      'after',
      `
There is no way back. Every copy of the log loses what it said of the subject, as soon as no backup of the keys is left.
It is done by the process that has the log open, which stops what works for the subject; or, if there is none, here.
Nothing can be erased that was written while nothing was sealed: see docs/erasure.md.

Examples:
  agentctl erase patient-7 --reason "asked for in writing"
  agentctl erase patient-7 --reason "asked for in writing" --yes`,
    )
    .action(shared.action((call) => erase(call, shared)))
}

async function erase(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const { options, output, command, projectPath } = call
  const [subject_id] = call.args as [string]
  const wish = {
    subject_id,
    by: (options['by'] as string | undefined) ?? userInfo().username,
    reason: options['reason'] as string,
  }
  if (options['yes'] !== true) {
    const found = await withLog(call, shared, (log) => sealedFor(log, subject_id))
    if (found.events === 0) throw unknownSubject(subject_id)
    if (output.json) output.record({ would_erase: { subject_id, ...found } })
    else
      output.line(
        `${printable(subject_id)}: ${counted(found.events, 'event')} in ${counted(found.streams, 'stream')}`,
      )
    output.say(`nothing was changed; erase it for good: ${command} erase ${printable(subject_id)} … --yes`)
    return EXIT.ok
  }
  const live = await withLog(call, shared, async (_log, { owner }) =>
    owner === undefined ? undefined : ((await owner.act('erase', wish)) as readonly RecordedErasure[]),
  )
  const erased = live ?? (await eraseOffline(projectPath, subject_id, wish))
  for (const each of erased) {
    if (output.json) output.record({ erased: each })
    else output.line(`${printable(each.subject_id)}  ${each.key_id} destroyed  ${each.erased_at}`)
  }
  output.say('backups of the folder of keys keep it readable for as long as they exist')
  return EXIT.ok
}

/** How much there is of a subject, whether or not it can be opened here. */
async function sealedFor(
  log: ReadableLog,
  subject: string,
): Promise<{ readonly events: number; readonly streams: number }> {
  const streams = new Set<string>()
  let events = 0
  for await (const { subject_id, key_id, stream_id } of log.readAll()) {
    if (subject_id !== subject || key_id === '') continue
    events += 1
    streams.add(stream_id)
  }
  return { events, streams: streams.size }
}

function unknownSubject(subject_id: string): CliError {
  return new CliError('CLI_NOT_FOUND', {
    happened: `The log has nothing that was sealed for "${subject_id}".`,
    expected: 'Expected a subject_id that events of the log have: agentctl log --json.',
    todo: 'Check the id. What was written without sealing is in the clear, and cannot be erased.',
    details: { subject_id },
  })
}
