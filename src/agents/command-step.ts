/** A command as a recorded step: its process is known to the log before it runs, so that a leftover can be ended. */
import { z } from 'zod'
import { isoTime, type NewId } from '../runtime/clock.ts'
import type { AgentContext } from '../../machines/agent.machine.ts'
import type { CommandOutput, CommandSpec } from './command-spec.ts'
import { defineTool, type Tool } from './define-tool.ts'
import type { Journal } from './journal.ts'
import { watchData } from './loop-guard.ts'
import { interrupted } from './journal-errors.ts'
import type { LogLines } from './log-lines.ts'
import { RecordedError } from './recorded-error.ts'
import { callTool, type ToolCaller, type ToolCallHost } from './tool-call.ts'

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
  readonly host: ToolCallHost & { readonly commands: CommandPort; readonly newId: NewId }
  readonly context: AgentContext
  readonly caller: ToolCaller
  readonly journal: Journal
  readonly logs: LogLines
}

/**
 * Runs a command, gated by the hooks of `execute:command:<program>` like any tool. A non-zero exit code fails the
 * step with code `COMMAND_FAILED`; a timeout with `COMMAND_TIMED_OUT`.
 *
 * @throws PermissionDeniedError when a hook says no.
 */
export function runCommandStep(at: CommandHost, name: string, spec: CommandSpec): Promise<CommandOutput> {
  const { host, caller, journal } = at
  return journal.call({
    kind: 'command',
    name,
    prepare: () => ({ call_id: host.newId('call'), ...watchData(name, spec, spec.poll) }),
    execute: async ({ call_id }) =>
      (await callTool(host, caller, {
        callId: call_id,
        tool: commandTool(at, name, spec.env),
        // Values of the environment may be secret: they stay out of the log.
        input: { name, ...spec, env: Object.keys(spec.env ?? {}) },
      })) as CommandOutput,
  })
}

const specSchema = z.object({
  name: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).readonly().default([]),
  cwd: z.string().optional(),
  /** Names only. */
  env: z.array(z.string()),
  timeoutMs: z.number().positive().optional(),
  poll: z.boolean().optional(),
})

/** A command is a tool whose process is recorded before it begins; a leftover is ended before it runs again. */
function commandTool(
  { host, context, journal, logs, caller }: CommandHost,
  name: string,
  env: CommandSpec['env'],
): Tool {
  const { engine, commands } = host
  return defineTool({
    name: 'command',
    capabilities: ['execute:command'],
    input: specSchema,
    estimate: () => 0,
    inDoubt: 'retry',
    async execute(input, { call_id }) {
      const spec = { ...input, env } as CommandSpec
      const leftover = journal.records.processes.get(call_id)
      if (leftover !== undefined) await commands.endLeftover(leftover)
      const outcome = await commands.run(spec, {
        signal: caller.signal,
        onLog: (line) => logs.add(line),
        onStart: async (process) => {
          const fact = { type: 'command.started', key: call_id, process, at: isoTime(engine.clock) }
          await engine.sendOutcome(context.run_id, fact, { source: context.run_id })
        },
      })
      await logs.flush()
      if (outcome.kind === 'cancelled') throw interrupted(context.run_id, `command "${name}"`)
      if (outcome.kind === 'timed_out') throw timedOut(name, spec)
      if (outcome.exit_code !== 0) throw failed(name, spec, outcome)
      return { exit_code: outcome.exit_code, signal: outcome.signal }
    },
  }) as Tool
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
