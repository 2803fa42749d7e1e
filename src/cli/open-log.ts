/** Gives a command the project's log to read: of a live owner over its socket, of a dead folder as a copy. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { readStoreOwner, type StoreOwner } from '../../eventstore/owner.ts'
import { projectFormat } from '../embedding/project-folder.ts'
import type { Attached } from '../attach/attach.ts'
import { openForReading } from '../embedding/sealing.ts'
import { queryOver, type LogQuery } from '../query/log-query.ts'
import { CliError } from './cli-error.ts'
import { copyFolder, FolderChangedError, type FolderCopy } from './folder-copy.ts'
import { loadMachines } from './machine-modules.ts'
import { findOwner } from './owner.ts'
import type { CliCall, CliShared } from './shared-options.ts'

/** What a command may do with a log: read it. */
export type ReadableLog = Pick<
  EventStore,
  'entries' | 'follow' | 'head' | 'heads' | 'position' | 'readAll' | 'readStream' | 'verify'
>

export type LogSource = {
  /** The process that has the log open; `undefined` for nobody's folder. */
  readonly owner: Attached | undefined
  /** Aborted by Ctrl-C, for what would not end by itself when the log is closed. */
  readonly stop: AbortSignal
}

/** How often a folder is looked at again that gets an owner, or loses it, while it is copied. */
const MOST_TRIES = 3

/**
 * Runs `ask` with the door to the log, and with the machines of `--machines`; as `withLog`.
 *
 * @throws what `withLog` throws; CliError `CLI_USAGE`
 */
export async function withQuery<T>(
  call: CliCall,
  shared: CliShared,
  ask: (query: LogQuery, log: ReadableLog, source: LogSource) => Promise<T>,
): Promise<T> {
  const machines = await loadMachines((call.options['machines'] ?? []) as readonly string[], shared.cwd)
  return withLog(call, shared, (log, source) =>
    ask(
      queryOver(log, () => machines),
      log,
      source,
    ),
  )
}

/**
 * Runs `read` over the log; nothing of the folder changes, and nothing is left behind. Ctrl-C ends it. With `--in-place`
 * a folder that nobody has open is opened itself, and LevelDB rewrites its files.
 *
 * @throws CliError `CLI_NOT_FOUND`, `CLI_LOCKED`, `CLI_INTERRUPTED`; RuntimeError `PROJECT_FORMAT`; EventStoreError `ES_CORRUPT`, …; AttachError
 * `ATTACH_LOST` when the owner dies meanwhile
 */
export async function withLog<T>(
  call: CliCall,
  shared: CliShared,
  read: (log: ReadableLog, source: LogSource) => Promise<T>,
): Promise<T> {
  const { projectPath, logPath } = call
  if (!(await isLog(logPath))) throw await noLog(projectPath, logPath)
  await projectFormat(projectPath)
  return interruptible(shared, async (interrupt) => {
    for (let attempt = 1; attempt <= MOST_TRIES; attempt += 1) {
      const found = await findOwner(logPath, shared.version)
      if (found.type === 'attached') return readLive(found.owner, interrupt, read)
      if (attempt === 1 && found.stale !== undefined) call.output.say(staleText(found.stale))
      const keys = { projectPath, masterKey: shared.env['AGENTCTL_MASTER_KEY'] }
      if (call.inPlace) return readStore(logPath, { interrupt, read, keys })
      const copy = await unownedCopy(logPath)
      if (copy !== undefined) return readCopy(copy, { logPath, interrupt, read, keys })
    }
    throw changing(logPath)
  })
}

/**
 * Runs `act` with the process that has the log open.
 *
 * @throws CliError `CLI_NOT_FOUND`, `CLI_NO_OWNER`, `CLI_LOCKED`, `CLI_INTERRUPTED`
 */
export async function withOwner<T>(
  { projectPath, logPath, command }: CliCall,
  shared: CliShared,
  act: (owner: Attached) => Promise<T>,
): Promise<T> {
  if (!(await isFolder(logPath))) throw await noLog(projectPath, logPath)
  return interruptible(shared, async ({ interrupted }) => {
    const found = await findOwner(logPath, shared.version)
    if (found.type === 'none') throw noOwner(logPath, found.stale, command)
    try {
      return await Promise.race([act(found.owner), interrupted])
    } finally {
      found.owner.close()
    }
  })
}

type Interrupt = { readonly interrupted: Promise<never>; readonly stop: AbortSignal }

async function interruptible<T>(shared: CliShared, run: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const stopped = new AbortController()
  let interrupt: (error: Error) => void = () => {}
  const interrupted = new Promise<never>((_resolve, reject) => (interrupt = reject))
  // Nobody may be waiting yet, or any more.
  interrupted.catch(() => {})
  const stop = shared.onInterrupt(() => {
    stopped.abort()
    interrupt(interruption())
  })
  try {
    return await run({ interrupted, stop: stopped.signal })
  } finally {
    stop()
  }
}

async function readLive<T>(
  owner: Attached,
  { interrupted, stop }: Interrupt,
  read: (log: ReadableLog, source: LogSource) => Promise<T>,
): Promise<T> {
  try {
    const reading = read(owner.store, { owner, stop })
    reading.catch(() => {})
    return await Promise.race([reading, interrupted])
  } finally {
    owner.close()
  }
}

type Reading<T> = {
  readonly logPath: string
  readonly interrupt: Interrupt
  readonly read: (log: ReadableLog, source: LogSource) => Promise<T>
  /** Where the keys of a sealed log are, and what they are wrapped with. */
  readonly keys: { readonly projectPath: string; readonly masterKey: string | undefined }
}

async function readCopy<T>(copy: FolderCopy, reading: Reading<T>): Promise<T> {
  try {
    return await readStore(copy.path, reading)
  } catch (error) {
    throw aboutOriginal(error, copy.path, reading.logPath)
  } finally {
    copy.remove()
  }
}

async function readStore<T>(
  path: string,
  { interrupt: { interrupted, stop }, read, keys }: Omit<Reading<T>, 'logPath'>,
): Promise<T> {
  const store = await openLevelEventStore({ path, create: false })
  try {
    const log = await openForReading(store, keys.projectPath, keys.masterKey)
    const reading = read(log, { owner: undefined, stop })
    reading.catch(() => {})
    return await Promise.race([reading, interrupted])
  } finally {
    await store.close().catch(() => {})
  }
}

/** A copy of what nobody wrote to meanwhile; `undefined` if somebody has the log open now. */
async function unownedCopy(logPath: string): Promise<FolderCopy | undefined> {
  const isOwned = async (): Promise<boolean> => (await readStoreOwner(logPath)).type === 'live'
  try {
    const copy = await copyFolder(logPath)
    // Taken between the look at its owner and the copy: the owner is there now.
    if (!(await isOwned())) return copy
    copy.remove()
    return undefined
  } catch (error) {
    if (await isOwned()) return undefined
    if (!(error instanceof FolderChangedError)) throw error
    throw changing(logPath, error)
  }
}

/** A message that names the copy would send the reader to a folder that is gone. */
function aboutOriginal(error: unknown, copyPath: string, logPath: string): unknown {
  if (error instanceof Error) error.message = error.message.replaceAll(copyPath, logPath)
  return error
}

function staleText({ pid, host, started_at }: StoreOwner): string {
  return `process ${pid} on ${host}, which opened this log at ${started_at}, ended without closing it; what it recorded is read from disk`
}

function changing(logPath: string, cause?: Error): CliError {
  return new CliError('CLI_LOCKED', {
    happened: `The log in ${logPath} changed while it was read.`,
    expected: 'Expected a log that no process writes to, or one that serves a socket.',
    todo: 'Wait until the process that writes to it has ended, then try again.',
    cause,
  })
}

function noOwner(logPath: string, stale: StoreOwner | undefined, command: string): CliError {
  const last = stale === undefined ? '' : ` Process ${stale.pid}, the last one, ended without closing it.`
  return new CliError('CLI_NO_OWNER', {
    happened: `No process has the log in ${logPath} open.${last}`,
    expected:
      'Expected a runtime to ask: what is done to an agent passes its hooks and is recorded by its runtime.',
    todo: `Start the program, or the job with \`${command} run\`; then ask again while it runs.`,
    details: { path: logPath, ...(stale && { stale_pid: stale.pid }) },
  })
}

async function noLog(projectPath: string, logPath: string): Promise<CliError> {
  const isLog = await stat(join(projectPath, 'store.json')).then(
    () => true,
    () => false,
  )
  return new CliError('CLI_NOT_FOUND', {
    happened: `There is no log in ${logPath}.`,
    expected:
      'Expected a project folder with a log in it, as `agentctl run` or createRuntime({ path }) makes it.',
    todo: isLog
      ? `${projectPath} is the log itself: pass the folder above it with --project.`
      : 'Go to the folder that has it, or name it: agentctl --project <folder> …',
    details: { path: logPath },
  })
}

/** Whether there is one, or what is left of one: an empty folder is none. */
async function isLog(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => [])
  return names.includes('store.json') || names.includes('db')
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

function interruption(): CliError {
  return new CliError('CLI_INTERRUPTED', {
    happened: 'Interrupted.',
    expected: 'Expected to go on reading to the end.',
    todo: 'Nothing was changed; run it again.',
  })
}
