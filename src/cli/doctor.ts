/** `agentctl doctor`: is it ready, as far as its log can tell: each line of the checklist passes, fails, or has no answer. */
import type { Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import type { ReadinessAnswer, ReadinessRow } from '../query/readiness.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { withQuery } from './open-log.ts'
import { collected } from './option-values.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { printable } from './printable.ts'

export function defineDoctorCommand(program: Command, shared: CliShared): void {
  program
    .command('doctor')
    .description('hold the log against the readiness checklist: pass, fail, or cannot tell')
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
Reads the whole log and checks every record. Lines about documents and about code never pass by themselves: a log cannot
show them. Exits with 1 if a line fails, with 7 if the log is damaged.

Examples:
  agentctl doctor
  agentctl doctor --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => examine(call, shared, query))))
}

const MARKS: Readonly<Record<ReadinessAnswer, readonly [text: string, style: 'green' | 'red' | 'yellow']>> = {
  pass: ['pass', 'green'],
  fail: ['FAIL', 'red'],
  cannot_tell: ['?', 'yellow'],
}

async function examine({ output }: CliCall, shared: CliShared, query: LogQuery): Promise<ExitCode> {
  const { rows, health } = await query.readiness({ now: new Date(shared.now()).toISOString() })
  const count = (answer: ReadinessAnswer): number => rows.filter((row) => row.answer === answer).length
  if (output.json) {
    output.record({
      rows,
      health,
      pass: count('pass'),
      fail: count('fail'),
      cannot_tell: count('cannot_tell'),
    })
  } else {
    let area = ''
    for (const row of rows) {
      if (row.area !== area) output.line(output.paint('bold', (area = row.area)))
      printRow(row)
    }
    for (const { level, text } of health.findings) {
      output.line(output.paint(level === 'problem' ? 'red' : 'yellow', printable(`${level}: ${text}`)))
    }
    output.line(
      `${count('pass')} pass, ${count('fail')} fail, ${count('cannot_tell')} cannot be told from a log`,
    )
  }
  if (health.integrity?.ok === false) return EXIT.integrity
  return count('fail') > 0 ? EXIT.unexpected : EXIT.ok

  function printRow({ id, asks, answer, because, todo }: ReadinessRow): void {
    const [mark, style] = MARKS[answer]
    output.line(`  ${output.paint(style, mark.padEnd(4))}  ${id}  ${asks}`)
    output.line(output.paint('dim', `               ${printable(because)}`))
    if (todo !== null) output.line(output.paint('dim', `               ${printable(todo)}`))
  }
}
