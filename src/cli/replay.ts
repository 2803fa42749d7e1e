/** `agentctl replay <id>`: steps through a stream and prints what each event changed; nothing is executed. */
import type { Command } from 'commander'
import type { LogQuery } from '../query/log-query.ts'
import type { At } from '../query/moment.ts'
import type { StateStep } from '../query/state-changes.ts'
import { changeLines } from './diff.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { subjectOf } from './find-subject.ts'
import { needsMachinesText } from './needs-machines.ts'
import { withQuery } from './open-log.ts'
import { collected } from './option-values.ts'
import type { CliOutput } from './output.ts'
import { placeOption, PLACES } from './place-option.ts'
import { printable, printableJson, readableTime, shortened } from './printable.ts'
import { parseMove, unknownMove } from './replay-moves.ts'
import { ReplayWalk, type Landed } from './replay-walk.ts'
import type { CliCall, CliShared } from './shared-options.ts'
import { readCommands } from './read-commands.ts'

export function defineReplayCommand(program: Command, shared: CliShared): void {
  program
    .command('replay')
    .description('step through what happened to an actor, and print what each event changed')
    .argument('<id>', 'its id, the name of a session or agent, or an event: its id or position')
    .option('--from <place>', `begin there: ${PLACES}; default the first event`, placeOption(shared.now))
    .option('--to <place>', 'print every step up to there, and end', placeOption(shared.now))
    .option('--until-state <state>', 'print every step until the actor is in this state, and end')
    .option('--do <move>', 'make this move and end after the last one; repeatable', collected)
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
In a terminal it asks for moves: next (or Enter), back, first, last, to 7, to #57, to yesterday, state paused, context,
quit. Piped, or with --to, --until-state or --do, it prints the steps and ends. Nothing is run: the past is only looked at.

Examples:
  agentctl replay payment-fix
  agentctl replay order-1 --until-state paid --machines ./dist/machines.js
  agentctl replay 57 --do back --do context --json`,
    )
    .action(shared.action((call) => withQuery(call, shared, (query) => replay(call, shared, query))))
}

async function replay(call: CliCall, shared: CliShared, query: LogQuery): Promise<ExitCode> {
  const { options, output } = call
  const { stream_id, version } = await subjectOf(query, (call.args as [string])[0])
  const walk = new ReplayWalk(query, stream_id)
  try {
    const start = (options['from'] as At | undefined) ?? (version === undefined ? {} : { version })
    const moves = options['do'] as readonly string[] | undefined
    const to = options['to'] as At | undefined
    const state = options['untilState'] as string | undefined
    const first = await walk.to(Object.keys(start).length === 0 ? { version: 1 } : start)
    if (moves !== undefined) return await makeMoves(call, shared, { walk, first, moves })
    if (to !== undefined || state !== undefined || !isInteractive(call, shared)) {
      return await printSteps(output, { walk, first, to, state })
    }
    return await interact(call, shared, { walk, first })
  } finally {
    await walk.close()
  }
}

function isInteractive({ output }: CliCall, { stdin, stderr }: CliShared): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && output.isTerminal && !output.json
}

type Begun = { readonly walk: ReplayWalk; readonly first: Landed }

/** Every step from the first on, as far as is asked. */
async function printSteps(
  output: CliOutput,
  { walk, first, to, state }: Begun & { readonly to: At | undefined; readonly state: string | undefined },
): Promise<ExitCode> {
  const target = to === undefined ? Number.POSITIVE_INFINITY : await walk.versionOf(to)
  const isThere = ({ step }: Landed): boolean =>
    step.event.version >= target || (state !== undefined && walk.isIn({ step, back: false }, state))
  let landed = first
  printStep(output, landed)
  while (!isThere(landed)) {
    const next = await walk.next()
    if (next === undefined) break
    landed = next
    printStep(output, landed)
    await output.ready()
  }
  if (state !== undefined && !walk.isIn(landed, state)) throw walk.neverIn(state)
  return end(output, landed)
}

async function makeMoves(
  { output }: CliCall,
  shared: CliShared,
  { walk, first, moves }: Begun & { readonly moves: readonly string[] },
): Promise<ExitCode> {
  // What cannot be understood is refused before anything is printed.
  const parsed = moves.map((text) => {
    const move = parseMove(text, shared.now())
    if (move === undefined) throw unknownMove(text)
    return move
  })
  let landed = first
  printStep(output, landed)
  for (const move of parsed) {
    if (move.kind === 'quit') break
    if (move.kind === 'context') printContext(output, landed.step)
    else {
      const next = await walk.move(move)
      if (next === undefined) {
        output.say(walk.atEnd(move) ? 'this is the last event' : 'this is the first event')
        continue
      }
      landed = next
      printStep(output, landed)
    }
  }
  return end(output, landed)
}

async function interact(call: CliCall, shared: CliShared, { walk, first }: Begun): Promise<ExitCode> {
  const { output } = call
  let landed = first
  printStep(output, landed)
  output.say(
    output.paintTalk('dim', 'Enter or n: next, b: back, to 7, state paused, c: context, q: quit, ?: help'),
  )
  const prompt = (): string => `${landed.step.event.version}/${landed.step.head_version}> `
  for await (const text of readCommands(shared, prompt)) {
    const move = parseMove(text, shared.now())
    if (move === undefined) {
      output.say(MOVES)
      continue
    }
    if (move.kind === 'quit') break
    if (move.kind === 'context') {
      printContext(output, landed.step)
      continue
    }
    try {
      const next = await walk.move(move)
      if (next === undefined)
        output.say(walk.atEnd(move) ? 'this is the last event' : 'this is the first event')
      else {
        landed = next
        printStep(output, landed)
      }
    } catch (error) {
      // A mistyped version is no reason to leave.
      output.say(output.paintTalk('yellow', error instanceof Error ? error.message : String(error)))
    }
  }
  return end(output, landed)
}

const MOVES = `  next, n or Enter   the next event          first, last
  back, b            the one before          to 7, to #57, to "2026-11-20 14:05"
  state paused       the next time it is so  context, c   the whole context
  quit, q`

function end(output: CliOutput, { step }: Landed): ExitCode {
  if (step.source === 'recorded' && step.machine !== '') output.say(needsMachinesText(step.machine))
  return EXIT.ok
}

function printStep(output: CliOutput, { step, back }: Landed): void {
  if (output.json) return output.record(step)
  const { event, value, head_version, changes, payload } = step
  const state = typeof value === 'string' ? value : JSON.stringify(value)
  const arrow = back ? '◂' : '▸'
  const headline = `${arrow} ${event.version} of ${head_version}  ${readableTime(event.at)}  ${event.event_type}  → ${state}`
  const room = output.isTerminal ? output.columns : Number.POSITIVE_INFINITY
  output.line(output.paint('bold', shortened(printable(headline), room)))
  const told = JSON.stringify(payload)
  if (told !== '{}')
    output.line(output.paint('dim', shortened(printable(`    ${told}`), Math.min(room, 400))))
  for (const line of changeLines(changes, output)) output.line(`    ${line}`)
  if (changes.length === 0) output.line(output.paint('dim', '    changed nothing'))
}

function printContext(output: CliOutput, { context, event }: StateStep): void {
  if (output.json) return output.record({ version: event.version, context })
  output.line(printableJson(context, '    '))
}
