/** A command as a recorded step: its process is known to the log before it runs, so that a leftover can be ended. */
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { Engine } from '../runtime/engine.ts'
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { CommandOutput, CommandSpec } from './define-agent.ts'
import { interrupted, type Journal } from './journal.ts'
import type { LogLines } from './log-lines.ts'
import { RecordedError } from './recorded-error.ts'

/** How the world runs commands; provided by the composition root, so that this part knows no processes. */
export type CommandPort = {
  run(
    spec: CommandSpec,
    options: {
      readonly signal: AbortSignal
      onLog(line: string): void
      /** Awaited before the command itself begins. */
      onStart(process: unknown): Promise<void>
    },
  ): Promise<
    | { readonly kind: 'exited'; readonly exit_code: number | null; readonly signal: string | null }
    | { readonly kind: 'timed_out' }
    | { readonly kind: 'cancelled' }
  >
  /** Ends the process group of a command whose parent was killed, if it is provably that one. */
  endLeftover(process: unknown): Promise<void>
}

type CommandHost = {
  readonly host: { readonly engine: Engine; readonly commands: CommandPort; readonly newId: NewId }
  readonly context: AgentContext
  readonly journal: Journal
  readonly logs: LogLines
  readonly signal: AbortSignal
}

/** Runs a command. A non-zero exit code fails the step with code `COMMAND_FAILED`; a timeout with `COMMAND_TIMED_OUT`. */
export function runCommandStep(at: CommandHost, name: string, spec: CommandSpec): Promise<CommandOutput> {
  const { host, context, journal, logs, signal } = at
  const { engine, commands } = host
  return journal.call({
    kind: 'command',
    name,
    // The key under which the process is recorded, and found again after a crash.
    prepare: () => ({ process_key: host.newId('proc') }),
    execute: async ({ process_key }) => {
      const leftover = journal.processes.get(process_key)
      if (leftover !== undefined) await commands.endLeftover(leftover)
      const outcome = await commands.run(spec, {
        signal,
        onLog: (line) => logs.add(line),
        onStart: async (process) => {
          const fact = { type: 'command.started', key: process_key, process, at: isoTime(engine.clock) }
          await engine.sendOutcome(context.run_id, fact as never, { source: context.run_id })
        },
      })
      await logs.flush()
      if (outcome.kind === 'cancelled') throw interrupted(context.run_id, `command "${name}"`)
      if (outcome.kind === 'timed_out') throw timedOut(name, spec)
      if (outcome.exit_code !== 0) throw failed(name, spec, outcome)
      return { exit_code: outcome.exit_code, signal: outcome.signal }
    },
  })
}

function failed(name: string, spec: CommandSpec, outcome: CommandOutput): RecordedError {
  const how =
    outcome.signal === null ? `exited with code ${outcome.exit_code}` : `was ended by ${outcome.signal}`
  return new RecordedError({
    name: 'CommandFailedError',
    code: 'COMMAND_FAILED',
    message: `Command "${name}" (${spec.command}) ${how}. Expected exit code 0. Read its output in the run's logs.`,
    details: { ...outcome },
  })
}

function timedOut(name: string, spec: CommandSpec): RecordedError {
  return new RecordedError({
    name: 'CommandTimedOutError',
    code: 'COMMAND_TIMED_OUT',
    message: `Command "${name}" (${spec.command}) had not ended after ${spec.timeoutMs} ms and was killed with its group. Expected it to end in time. Raise timeoutMs, or look into its logs.`,
    details: { timeout_ms: spec.timeoutMs },
  })
}
