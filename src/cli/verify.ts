/** `agentctl verify [stream]`: is each record whole, and do today's machines still decide as the log recorded? */
import type { Command } from 'commander'
import type { IntegrityProblem } from '../../eventstore/event-store.ts'
import { verifyLog, type VerifyLogReport, type VerifyProblem } from '../query/verify-log.ts'
import { EXIT } from './exit-codes.ts'
import { fieldLines } from './fields.ts'
import { findSubject } from './find-subject.ts'
import { loadMachines } from './machine-modules.ts'
import { withLog, type ReadableLog } from './open-log.ts'
import { collected } from './option-values.ts'
import { printable } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { transientLine } from './transient-line.ts'

export function defineVerifyCommand(program: Command, shared: CliShared): void {
  program
    .command('verify')
    .description("check every record, and whether today's machines still decide as the log recorded")
    .argument('[stream]', 'only this stream: its id, or the name of a session or agent')
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
Each stream is folded through its machine, without effects; of each that does not fold as it was recorded, the first
event that does not is told. Exits with 7 if anything is wrong. Streams of machines that were not given are listed.

Examples:
  agentctl verify
  agentctl verify --machines ./dist/machines.js
  agentctl verify payment-fix --json`,
    )
    .action(
      shared.action(async (call) => {
        const machines = await loadMachines((call.options['machines'] ?? []) as readonly string[], shared.cwd)
        return withLog(call, shared, async (log) => {
          const report = await verified(call, shared, { log, machines })
          if (call.output.json) call.output.record(report)
          else await printReport(call, report)
          return report.ok ? EXIT.ok : EXIT.integrity
        })
      }),
    )
}

type Held = { readonly log: ReadableLog; readonly machines: Awaited<ReturnType<typeof loadMachines>> }

async function verified(call: CliCall, shared: CliShared, { log, machines }: Held): Promise<VerifyLogReport> {
  const [typed] = call.args as [string | undefined]
  const streamId = typed === undefined ? undefined : (await findSubject(log, typed)).stream_id
  const progress = transientLine(shared.stderr, !call.output.quiet && !call.output.json)
  progress.show(streamId === undefined ? 'checking every record …' : 'folding …')
  try {
    return await verifyLog(log, {
      machines,
      streamId,
      onProgress: ({ streams, events }) =>
        progress.show(`folded ${counted(streams, 'stream')}, ${counted(events, 'event')} …`),
    })
  } finally {
    progress.clear()
  }
}

async function printReport({ output }: CliCall, report: VerifyLogReport): Promise<void> {
  for (const problem of report.integrity?.problems ?? []) {
    output.line(`${output.paint('red', problem.kind)}  ${damageText(problem)}`)
    await output.ready()
  }
  for (const problem of report.problems) {
    output.line(`${output.paint('red', problem.kind)}  ${output.paint('bold', problem.stream_id)}`)
    for (const line of fieldLines(problemFields(problem), output)) output.line(line)
    await output.ready()
  }
  const unlisted = report.problem_count - report.problems.length
  if (unlisted > 0) output.line(`and ${counted(unlisted, 'more stream')} with a problem`)
  for (const { machine, streams, example } of report.needs_machines) {
    output.line(
      `${output.paint('yellow', 'needs --machines')}  ${machine}: ${counted(streams, 'stream')}, such as ${example}`,
    )
  }
  if (report.archived > 0) output.line(`not folded: ${counted(report.archived, 'archived stream')}`)
  if (report.erased > 0)
    output.line(`not folded: ${counted(report.erased, 'stream')} of subjects that were erased`)
  if (report.locked > 0) {
    const sealed = `${counted(report.locked, 'stream')}, sealed with keys that are not here`
    output.line(`${output.paint('yellow', 'not folded')}: ${sealed}`)
  }
  output.line(summary(report))
}

function problemFields(problem: VerifyProblem): Parameters<typeof fieldLines>[0] {
  const { version, event_type, position, machine, expected, got, guard, reason } = problem
  const named = event_type === '' ? '' : ` ${event_type}`
  const where = version === 0 ? `position ${position}` : `version ${version}${named}, at position ${position}`
  return [
    ['event', where],
    ['machine', machine],
    ['expected', expected === null ? null : shown(expected)],
    ['got', got === null ? null : shown(got)],
    ['guard', guard],
    ['why', reason],
  ]
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function damageText({ position, stream_id, version, detail }: IntegrityProblem): string {
  const places = [
    position > 0 && `position ${position}`,
    stream_id !== '' && stream_id,
    version > 0 && `version ${version}`,
  ].filter((place) => place !== false)
  return printable([...places, detail].join(', '))
}

function summary({ ok, integrity, streams, events, problem_count }: VerifyLogReport): string {
  const folded = `${counted(streams, 'stream')}, ${counted(events, 'event')} folded`
  const records = integrity === null ? '' : `${counted(integrity.events, 'record')} checked, `
  if (ok) return `ok: ${records}${folded}`
  const damage = integrity?.problems.length ?? 0
  const wrong = [
    damage > 0 && counted(damage, 'damaged place'),
    problem_count > 0 &&
      `${counted(problem_count, 'stream')} that ${problem_count === 1 ? 'does' : 'do'} not fold as recorded`,
  ].filter((part) => part !== false)
  return `${wrong.join(', ')}; ${records}${folded}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
