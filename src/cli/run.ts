/** `agentctl run <job>`: runs a job durably; the same command after a crash or a pause goes on where it was. */
import { Option, type Command } from 'commander'
import { relative } from 'node:path'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { createRuntime, type Runtime } from '../create-runtime.ts'
import type { BackgroundAgentResult } from '../agents/run-result.ts'
import { stepFacts } from '../query/resume-facts.ts'
import { readTree, treeRows } from '../query/tree.ts'
import { LOG_LEVELS, type LogLevel } from '../embedding/log-level.ts'
import { prepareProjectFolder } from '../embedding/project-folder.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { Job, JobPlan } from './job.ts'
import { loadJob } from './job-module.ts'
import { startOrResume, type StartedJob } from './job-session.ts'
import { showProgress, type Progress } from './progress.ts'
import { listenToKeys } from './run-keys.ts'
import type { CliCall, CliShared } from './shared-options.ts'

/** A job has no time limit of its own; its agents have. */
const NO_LIMIT_MS = 2 ** 31 - 1

export function defineRunCommand(program: Command, shared: CliShared): void {
  program
    .command('run')
    .description('run a job; the same command goes on where an interrupted one was')
    .argument('<job>', 'a module or folder whose default export is made with defineJob')
    .argument('[args...]', "the job's own arguments, after --; `-- --help` prints them")
    .addOption(
      new Option(
        '--log-level <level>',
        'how much the runtime tells on stderr; default AGENTCTL_LOG_LEVEL',
      ).choices(LOG_LEVELS),
    )
    .addHelpText(
      'after',
      '\nExample:\n  agentctl run examples/repo-review -- ../some-repository --run-scripts',
    )
    .action(shared.action((call) => runJob(call, shared)))
}

async function runJob(call: CliCall, shared: CliShared): Promise<ExitCode> {
  const [path, args = []] = call.args as [string, string[] | undefined]
  const job = await loadJob(path, shared.cwd)
  if (args.includes('--help') || args.includes('-h')) {
    call.output.line(`${job.name}: ${job.summary}\n\nArguments: ${job.usage}`)
    return EXIT.ok
  }
  const plan = await planOf(job, args, shared.cwd)
  await prepareProjectFolder(call.projectPath)
  const store = await openLevelEventStore({ path: call.logPath })
  const since = store.position()
  let runtime: Runtime
  try {
    runtime = await createRuntime({
      ...configuredLevel(call, shared),
      ...job.runtime(plan),
      ...askedLevel(call),
      path: call.projectPath,
      store,
      onError: (error) => call.output.say(`trouble: ${(error as Error).message}`),
    })
  } catch (error) {
    await store.close()
    throw error
  }
  try {
    return await work({ call, shared, job, plan, runtime, store, since })
  } finally {
    await runtime.close()
  }
}

/** The environment comes before the configuration; the runtime reads it by itself. */
function configuredLevel({ config }: CliCall, { env }: CliShared): { readonly logLevel?: LogLevel } {
  const { logLevel } = config
  return logLevel === undefined || (env['AGENTCTL_LOG_LEVEL'] ?? '') !== '' ? {} : { logLevel }
}

function askedLevel({ options }: CliCall): { readonly logLevel?: LogLevel } {
  const logLevel = options['logLevel'] as LogLevel | undefined
  return logLevel === undefined ? {} : { logLevel }
}

async function planOf(job: Job, args: readonly string[], cwd: string): Promise<JobPlan> {
  try {
    return await job.plan(args, { cwd })
  } catch (error) {
    throw new CliError('CLI_USAGE', {
      happened: `${job.name}: ${(error as Error).message}`,
      expected: `Usage: ${job.name} ${job.usage.split('\n')[0] ?? ''}.`,
      todo: 'Correct the arguments; nothing was started.',
      cause: error,
    })
  }
}

type Work = {
  readonly call: CliCall
  readonly shared: CliShared
  readonly job: Job
  readonly plan: JobPlan
  readonly runtime: Runtime
  readonly store: EventStore
  readonly since: number
}

async function work(at: Work): Promise<ExitCode> {
  const { call, shared, job, plan, runtime, store, since } = at
  const began = Date.now()
  let started: StartedJob | undefined
  const progress = showProgress({
    store,
    output: call.output,
    stderr: shared.stderr,
    rootId: () => started?.sessionId,
    hint: 'k kills this process (run the same command again to go on) · Ctrl-C pauses',
  })
  try {
    started = await startOrResume(runtime, job, { ...plan, projectPath: call.projectPath })
    call.output.say(`${started.resumed ? 'going on with' : 'started'} ${started.name} (${started.sessionId})`)
    const end = await untilEnd(at, started, progress)
    if (end === 'paused') return EXIT.interrupted
    progress.stop()
    if (started.resumed) await tellResumption(call, store, { sessionId: started.sessionId, since })
    const told = await job.tell({
      result: end,
      runtime,
      sessionId: started.sessionId,
      tree: treeRows(await readTree(store), started.sessionId),
      projectPath: call.projectPath,
      command: commandAsTyped(shared.cwd) + call.command.slice('agentctl'.length),
      elapsedMs: Date.now() - began,
    })
    if (call.output.json) call.output.record({ result: told.data })
    else for (const line of told.lines) call.output.line(line)
    return end.status === 'completed' ? EXIT.ok : EXIT.unexpected
  } finally {
    progress.stop()
  }
}

/** Waits for the main run; the first interrupt pauses the tree with a handoff, the second quits at once. */
async function untilEnd(
  { call, shared, runtime }: Work,
  started: StartedJob,
  progress: Progress,
): Promise<BackgroundAgentResult | 'paused'> {
  const stopped = new AbortController()
  let interrupts = 0
  let paused: Promise<void> | undefined
  const interrupt = (): void => {
    interrupts += 1
    if (interrupts > 1) process.exit(EXIT.interrupted)
    progress.say('pausing: finishing what is being written (Ctrl-C again quits at once)')
    paused = pauseTree(runtime, started)
    paused.then(
      () => stopped.abort(),
      (error: unknown) => stopped.abort(error),
    )
  }
  const stopSignals = shared.onInterrupt(interrupt)
  const stopKeys = listenToKeys(shared.stdin, { kill: () => process.kill(process.pid, 'SIGKILL'), interrupt })
  // The runtime keeps no process alive by itself; a person who waits for a job does.
  const alive = setInterval(() => {}, 60_000)
  try {
    return await runtime.agents.wait(started.runId, { timeout: NO_LIMIT_MS, signal: stopped.signal })
  } catch (error) {
    if (paused === undefined) throw error
    await paused
    progress.stop()
    call.output.say(`paused ${started.name}; the same command goes on where it was`)
    return 'paused'
  } finally {
    clearInterval(alive)
    stopSignals()
    stopKeys()
  }
}

async function pauseTree(runtime: Runtime, { sessionId, name }: StartedJob): Promise<void> {
  const session = await runtime.sessions.get(sessionId)
  const tree = await runtime.sessions.descendants(sessionId)
  const runs = tree.filter((row) => row.machine === 'agent')
  const done = runs.filter((row) => row.outcome !== null)
  await runtime.sessions.handOff(
    { from: sessionId, to: sessionId },
    {
      type: `${session.role}_continuation`,
      context: {
        work_completed: `${done.length} of ${runs.length} runs of ${name} have ended`,
        current_phase: 'paused by Ctrl-C',
        next_steps: 'run the same command again: recorded steps are reused',
      },
    },
  )
  await runtime.sessions.pause(sessionId, { reason: 'paused by Ctrl-C', cascade: true })
}

async function tellResumption(
  call: CliCall,
  store: EventStore,
  of: { readonly sessionId: string; readonly since: number },
): Promise<void> {
  const facts = await stepFacts(store, of.sessionId, { since: of.since })
  const { reused, runAgain, repeated } = facts
  if (call.output.json) call.output.record({ resumed: { reused, run_again: runAgain, repeated } })
  else call.output.line(`resumed: ${reused} steps reused, ${runAgain} run again, ${repeated} repeated`)
}

/** How this very program is typed here, so that printed commands can be pasted. */
function commandAsTyped(cwd: string): string {
  const script = process.argv[1] ?? 'agentctl'
  if (/[\\/]\.bin[\\/]/.test(script) || !script.endsWith('.js')) return 'npx agentctl'
  return `node ${relative(cwd, script)}`
}
