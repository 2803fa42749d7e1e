/** `agentctl inspect --stately`: Stately's Inspector on a live owner, or on a recorded log at any speed or step by step. */
import { InvalidArgumentError, type Command } from 'commander'
import { createInterface } from 'node:readline/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { watchActors } from '../inspector/actor-watch.ts'
import { feedLive } from '../inspector/live-feed.ts'
import { playLog, type Pace } from '../inspector/play-log.ts'
import { openStatelyServer, type StatelyServer } from '../inspector/stately-server.ts'
import type { RecordedEvent } from '../../eventstore/event.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { loadMachines } from './machine-modules.ts'
import { withLog, type LogSource, type ReadableLog } from './open-log.ts'
import { collected, positiveInteger } from './option-values.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineInspectCommand(program: Command, shared: CliShared): void {
  program
    .command('inspect')
    .description("show the machines in Stately's Inspector: live, or a recorded log at any speed")
    .option('--stately', "Stately's Inspector; the only one in this version")
    .option('--port <port>', 'of 127.0.0.1; default one that is free', port)
    .option('--sanitize', 'show names, types of events and states only: no payloads, no contexts')
    .option('--from <position>', 'play the log from this position instead of following it', positiveInteger)
    .option('--speed <factor>', 'play it so many times as fast as it was recorded, or `max`', speed)
    .option('--step', 'play it one event at a time: Enter shows the next')
    .option('-m, --machines <module>', 'a module that exports your machines; repeatable', collected)
    .addHelpText(
      'after',
      `
The inspector is a page of https://stately.ai; the page that this command serves says what it would hand over, and loads
it only when told to. What looks like a secret is left out. A log that a process has open is followed live, unless
--from, --speed or --step asks for what is recorded. Ctrl-C ends it.

Examples:
  agentctl inspect --stately
  agentctl inspect --stately --speed 10 --machines ./dist/machines.js
  agentctl inspect --stately --from 120 --step --sanitize`,
    )
    .action(shared.action((call) => inspect(call, shared)))
}

async function inspect(call: CliCall, shared: CliShared): Promise<ExitCode> {
  if (call.options['stately'] !== true) throw onlyStately()
  const machines = await loadMachines((call.options['machines'] ?? []) as readonly string[], shared.cwd)
  let isShowing = false
  try {
    return await withLog(call, shared, async (log, { owner, stop }) => {
      const watch = watchActors(log, machines)
      const audience = createAudience()
      const server = await openStatelyServer({
        port: call.options['port'] as number | undefined,
        sanitize: call.options['sanitize'] === true,
        current: () => watch.current(),
        onAudience: audience.changed,
      })
      announce(call, server)
      isShowing = true
      // The server keeps no process alive by itself; a person who looks does.
      const alive = setInterval(() => {}, 60_000)
      try {
        const shown = show({ call, shared, log, owner, stop, watch, server, audience })
        // Ctrl-C is told by `withLog`; here all that keeps the process alive has to end with it.
        const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
        await Promise.race([shown, stopped])
        return EXIT.ok
      } finally {
        clearInterval(alive)
        await server.close()
      }
    })
  } catch (error) {
    if (isShowing && (error as { code?: unknown }).code === 'CLI_INTERRUPTED') return EXIT.interrupted
    throw error
  }
}

type Showing = LogSource & {
  readonly call: CliCall
  readonly shared: CliShared
  readonly log: ReadableLog
  readonly watch: ReturnType<typeof watchActors>
  readonly server: StatelyServer
  readonly audience: Audience
}

async function show({ call, shared, log, owner, stop, watch, server, audience }: Showing): Promise<void> {
  const { options, output } = call
  // It stops while nobody looks.
  const give: StatelyServer['give'] = async (shown) => {
    await audience.isThere(true)
    await server.give(shown)
  }
  const isPlayed = ['from', 'speed', 'step'].some((name) => options[name] !== undefined)
  if (owner !== undefined && !isPlayed) {
    const look = async (): Promise<number> => {
      await owner.refresh()
      return log.position()
    }
    await audience.isThere(true)
    return feedLive({ log, look, watch, give, signal: stop })
  }
  await audience.isThere(true)
  const step = options['step'] === true ? stepper(call, shared) : undefined
  stop.addEventListener('abort', () => step?.close())
  const pace: Pace = step?.pace ?? { kind: 'speed', speed: (options['speed'] as number | undefined) ?? 1 }
  try {
    const count = await playLog({
      log,
      watch,
      give,
      pace,
      fromPosition: ((options['from'] as number | undefined) ?? 1) - 1,
      toPosition: log.position(),
      signal: stop,
      ...(step && { onShown: step.shown }),
    })
    output.say(`played ${count} events; close the page, or press Ctrl-C, to end`)
    if (output.json) output.record({ played: count })
    await audience.isGone()
  } finally {
    step?.close()
  }
}

/** One line of standard input for each event; its end ends the playing. */
function stepper(
  { output }: CliCall,
  { stdin }: CliShared,
): { readonly pace: Pace; readonly shown: (record: RecordedEvent) => void; readonly close: () => void } {
  const lines = createInterface({ input: stdin as NodeJS.ReadableStream })
  const presses = lines[Symbol.asyncIterator]()
  output.say('press Enter for the next event')
  return {
    pace: { kind: 'steps', next: async () => (await presses.next()).done !== true },
    shown: ({ position, stream_id, event_type }) => output.say(`${position}  ${stream_id}  ${event_type}`),
    close: () => lines.close(),
  }
}

function announce({ output }: CliCall, { url, socketUrl, leaves }: StatelyServer): void {
  if (output.json) output.record({ inspector: { url, socket_url: socketUrl, leaves } })
  else output.line(url)
  output.say(`open it in a browser; when you say so there, ${leaves}`)
}

/** ms in which a page that was closed may come back: it may have been loaded again. */
const RELOAD_MS = 2_000

/** Whether anybody looks, to be waited for by one at a time. */
type Audience = {
  readonly changed: (isThere: boolean) => void
  readonly isThere: (wanted: boolean) => Promise<void>
  readonly isGone: () => Promise<void>
}

function createAudience(): Audience {
  const state = { isThere: false, tell: () => {} }
  const isThere = async (wanted: boolean): Promise<void> => {
    while (state.isThere !== wanted) await new Promise<void>((resolve) => (state.tell = resolve))
  }
  return {
    isThere,
    changed(given) {
      state.isThere = given
      state.tell()
    },
    async isGone() {
      do {
        await isThere(false)
        await delay(RELOAD_MS)
      } while (state.isThere)
    },
  }
}

function port(text: string): number {
  const value = positiveInteger(text)
  if (value > 65_535) throw new InvalidArgumentError('Expected a port, 1 to 65535.')
  return value
}

function speed(text: string): number {
  const value = text === 'max' ? Infinity : Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0, or max.')
  return value
}

function onlyStately(): CliError {
  return new CliError('CLI_USAGE', {
    happened: 'No inspector was chosen.',
    expected: "Expected --stately: Stately's Inspector is the only one in this version.",
    todo: 'Type agentctl inspect --stately.',
  })
}
