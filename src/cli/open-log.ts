/** Gives a command the project's log to read: a dead folder as a copy; of a live one it says whose it is. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EventStore } from '../../eventstore/event-store.ts'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { readStoreOwner } from '../../eventstore/owner.ts'
import { CliError } from './cli-error.ts'
import { copyFolder, FolderChangedError, type FolderCopy } from './folder-copy.ts'
import type { CliCall, CliShared } from './shared-options.ts'

/** What a command may do with a log: read it. */
export type ReadableLog = Pick<
  EventStore,
  'entries' | 'head' | 'heads' | 'position' | 'readAll' | 'readStream' | 'verify'
>

/**
 * Runs `read` over the log; nothing of the folder changes, and nothing is left behind. Ctrl-C ends it.
 *
 * @throws CliError `CLI_NOT_FOUND`, `CLI_LOCKED`, `CLI_INTERRUPTED`; EventStoreError `ES_CORRUPT`, …
 */
export async function withLog<T>(
  { projectPath, logPath }: CliCall,
  shared: CliShared,
  read: (log: ReadableLog) => Promise<T>,
): Promise<T> {
  if (!(await isFolder(logPath))) throw await noLog(projectPath, logPath)
  await assertUnowned(logPath)
  let interrupt: (error: Error) => void = () => {}
  const interrupted = new Promise<never>((_resolve, reject) => (interrupt = reject))
  // Nobody may be waiting yet, or any more.
  interrupted.catch(() => {})
  const stop = shared.onInterrupt(() => interrupt(interruption()))
  try {
    return await readCopy(logPath, interrupted, read)
  } finally {
    stop()
  }
}

async function readCopy<T>(
  logPath: string,
  interrupted: Promise<never>,
  read: (log: ReadableLog) => Promise<T>,
): Promise<T> {
  const copy = await copied(logPath)
  let store: EventStore | undefined
  try {
    // Taken between the look at its owner and the copy: the owner is there now.
    await assertUnowned(logPath)
    store = await openLevelEventStore({ path: copy.path, create: false })
    const reading = read(store)
    reading.catch(() => {})
    return await Promise.race([reading, interrupted])
  } catch (error) {
    throw aboutOriginal(error, copy.path, logPath)
  } finally {
    await store?.close().catch(() => {})
    copy.remove()
  }
}

async function copied(logPath: string): Promise<FolderCopy> {
  try {
    return await copyFolder(logPath)
  } catch (error) {
    await assertUnowned(logPath)
    if (!(error instanceof FolderChangedError)) throw error
    throw new CliError('CLI_LOCKED', {
      happened: `The log in ${logPath} changed while it was read.`,
      expected: 'Expected a log that no process writes to.',
      todo: 'Wait until the process that writes to it has ended, then try again.',
      cause: error,
    })
  }
}

/** A message that names the copy would send the reader to a folder that is gone. */
function aboutOriginal(error: unknown, copyPath: string, logPath: string): unknown {
  if (error instanceof Error) error.message = error.message.replaceAll(copyPath, logPath)
  return error
}

async function assertUnowned(logPath: string): Promise<void> {
  const ownership = await readStoreOwner(logPath)
  if (ownership.type !== 'live') return
  const { pid, host, started_at } = ownership.owner
  throw new CliError('CLI_LOCKED', {
    happened: `The log in ${logPath} is open in process ${pid} on ${host}, since ${started_at}.`,
    expected: 'Expected a log that no live process owns: this version cannot attach to a running one.',
    todo: `Wait until process ${pid} has ended, or stop it (kill -INT ${pid}), then try again; nothing is lost by that.`,
    details: { pid, host, started_at, path: logPath },
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
