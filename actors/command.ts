/**
 * Runs one command in a child process, from its start on record to the moment when nothing of it runs any more.
 *
 * Owns the child's process group, its pipes and its time limit, for the length of one call. Never uses a shell to
 * read the command, never starts it twice, never installs a signal handler.
 * 1. The command does not run before `onStart` has resolved, even if this process is killed in between (not on
 *    Windows: see command-gate.ts).
 * 2. When the call returns, nothing of the command's process group runs any more; if that cannot be reached, it
 *    throws `CMD_STILL_RUNNING`.
 * 3. A command that ended by itself is `exited`, even if a cancel or the time limit comes a moment later.
 * 4. Neither an open pipe nor a process that ignores SIGTERM can make the call wait for ever; only a command without
 *    `timeoutMs` that does not end can.
 */

import { setImmediate as turn } from 'node:timers/promises'
import { CommandError } from './command-error.ts'
import { type GatedCommand, startGated } from './command-gate.ts'
import { checkOptions, type CommandOptions } from './command-options.ts'
import { captureOutput } from './command-output.ts'
import { endGroup, waitForGroup } from './process-group.ts'

/** What is known of a command that ran, or was kept from running. A record: snake_case. */
type CommandResult = {
  /** `null` if it was ended by a signal or never started. */
  readonly exit_code: number | null
  /** The signal that ended it, such as `SIGKILL`; `null` if it exited. */
  readonly signal: string | null
  /** Both streams' lines in the order in which they arrived complete; the head and the tail if there were too many. */
  readonly logs: string[]
  /** Whether `logs` leaves something out. */
  readonly truncated: boolean
  /** In whole ms, from the moment the command might run to its end; 0 if it never might. */
  readonly duration_ms: number
}

export type CommandOutcome =
  | ({ readonly kind: 'exited' } & CommandResult)
  | ({ readonly kind: 'timed_out' } & CommandResult)
  | ({ readonly kind: 'cancelled' } & CommandResult)

type Stop = 'timed_out' | 'cancelled'

type StopRequest = {
  readonly requested: Promise<Stop>
  /** The wish, if there is one already. */
  made(): Stop | undefined
  /** Starts the time limit, in ms. */
  after(ms: number | undefined): void
  dispose(): void
}

const neverRan: CommandOutcome = {
  kind: 'cancelled',
  exit_code: null,
  signal: null,
  logs: [],
  truncated: false,
  duration_ms: 0,
}

/** A longer delay would make a timer fire at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Runs a command and resolves with its outcome; an exit code other than 0 is an outcome, not an error.
 *
 * What the command leaves running in its group when it ends has `graceMs` to finish and is then ended. A process
 * that leaves the group (`setsid`) is not followed, and what it writes after the end is lost. Lines of stdout and
 * stderr come in the order in which they arrived here, which for two pipes can differ from that of writing.
 * The command sees one more variable, `AGENT_ORCHESTRATION_COMMAND`, and its own absolute path as its name.
 *
 * @throws CommandError `CMD_INVALID_OPTION`, `CMD_NOT_FOUND`, `CMD_CWD_MISSING`, `CMD_SPAWN_FAILED`: it did not run;
 *   `CMD_STILL_RUNNING`: it could not be ended.
 */
export async function runCommand(options: CommandOptions): Promise<CommandOutcome> {
  checkOptions(options)
  const { signal, graceMs = 2_000 } = options
  if (signal?.aborted === true) return { ...neverRan, logs: [] }

  const { command, args = [], cwd = process.cwd(), env = process.env, input } = options
  const gated = await startGated({ command, args, cwd, env, hasInput: input !== undefined })
  const { child } = gated
  const output = captureOutput(child, options)
  const stop = createStop(signal)
  try {
    const { stopped, durationMs } = await runToItsEnd(gated, stop, options)
    await settleGroup(gated, { graceMs, stopped: stopped !== undefined })
    const exit = await gated.exited
    await output.drain()
    return {
      kind: stopped ?? 'exited',
      ...exit,
      logs: output.log.lines(),
      truncated: output.log.truncated,
      duration_ms: durationMs(),
    }
  } finally {
    stop.dispose()
    gated.close()
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
    // Only a process that could not be ended is still there, and it must not keep this one alive.
    child.unref()
  }
}

/** Has the process recorded, lets the command run, and returns when it ended by itself or is to be stopped. */
async function runToItsEnd(
  gated: GatedCommand,
  stop: StopRequest,
  { onStart, timeoutMs, graceMs = 2_000, input }: CommandOptions,
): Promise<{ readonly stopped: Stop | undefined; readonly durationMs: () => number }> {
  let endedAt: number | undefined
  const exited = gated.exited.then((): undefined => {
    endedAt = performance.now()
    return undefined
  })

  if (stop.made() !== undefined) return { stopped: stop.made(), durationMs: () => 0 }
  try {
    const recorded = Promise.resolve(gated.identity).then(onStart)
    const stopped = await Promise.race([recorded.then(() => undefined), stop.requested])
    if (stopped !== undefined) return { stopped, durationMs: () => 0 }
  } catch (error) {
    gated.close()
    await settleGroup(gated, { graceMs, stopped: true })
    throw error
  }

  const startedAt = performance.now()
  gated.open()
  stop.after(timeoutMs)
  gated.child.stdin?.on('error', () => undefined).end(input)
  const durationMs = (): number => Math.max(0, Math.round((endedAt ?? performance.now()) - startedAt))
  const stopped = await Promise.race([exited, stop.requested])
  // After a busy spell a timer comes before the news that the command ended long ago: let it arrive.
  await turn()
  return { stopped: endedAt === undefined ? stopped : undefined, durationMs }
}

/** Returns when nothing of the group runs. What a command left behind at its own end first gets time to finish. */
async function settleGroup(
  { identity: { group } }: GatedCommand,
  { graceMs, stopped }: { readonly graceMs: number; readonly stopped: boolean },
): Promise<void> {
  if (!stopped && (await waitForGroup(group, { withinMs: graceMs }))) return
  if (await endGroup(group, { graceMs })) return
  throw new CommandError('CMD_STILL_RUNNING', {
    happened: `The command's process group ${group} still runs after SIGKILL.`,
    expected: 'A killed process group vanishes within 5,000 ms and belongs to the user of this process.',
    todo: `Look at it with "ps -o pid,user,stat,args -g ${group}" and end it by hand before the work is tried again.`,
  })
}

/** The first of two wishes: the abort, or the end of the time limit once that runs. */
function createStop(signal: AbortSignal | undefined): StopRequest {
  let made: Stop | undefined
  let timer: NodeJS.Timeout | undefined
  let resolveRequested!: (stop: Stop) => void
  const requested = new Promise<Stop>((resolve) => {
    resolveRequested = resolve
  })
  const request = (stop: Stop): void => {
    made ??= stop
    resolveRequested(made)
  }
  const onAbort = (): void => request('cancelled')
  // It may have been aborted while the process was being started, and then tells nobody any more.
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    requested,
    made: () => made,
    after(ms) {
      if (ms !== undefined) timer = setTimeout(() => request('timed_out'), Math.min(ms, MAX_TIMER_MS))
    },
    dispose() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
