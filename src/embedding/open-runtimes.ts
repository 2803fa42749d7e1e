/**
 * The runtimes that this thread has open, by folder: a folder is opened once, and shared where that is wanted.
 *
 * Owns: how many hold each runtime, and whether it is being closed.
 * Never: opens or closes anything but through the functions it is given.
 *
 * I1. A folder has one entry, from before its opening begins until after its closing has ended.
 * I2. A runtime is closed when the last one who holds it lets go, and only then.
 * I3. Who lets go twice has let go once.
 */
import { EventStoreError } from '../../eventstore/errors.ts'

/** What to do about a folder that this process has open already: refuse, or share the runtime that is open. */
export type IfOpen = 'error' | 'share'

type Held = { close(): Promise<void>; [Symbol.asyncDispose](): Promise<void> }

type Entry = {
  readonly opening: Promise<Held>
  /** What it was opened with, in words. */
  readonly knows: ReadonlySet<string>
  /** Closes the runtime itself; set when it is open. */
  end: () => Promise<void>
  holders: number
  closing: Promise<void> | undefined
}

/** Hot reload loads this module anew, and a bundle holds a second copy of it; all of them must see the same. */
const KEY = Symbol.for('@agent-orchestration/core/open-runtimes/1')

const registry = (): Map<string, Entry> => {
  const place = globalThis as { [KEY]?: Map<string, Entry> }
  return (place[KEY] ??= new Map())
}

type Opening<T> = {
  readonly ifOpen: IfOpen
  /** What the caller opens it with, in words. */
  readonly brings: readonly string[]
  readonly open: () => Promise<T>
}

/**
 * Opens what belongs to a folder, or shares what is open. What is being closed is waited for. `missing` is what the caller
 * brings and a shared one does not know.
 *
 * @throws EventStoreError `ES_LOCKED` when this thread has it open and `ifOpen` is `error`; what `open` throws
 */
export async function openOnce<T extends Held>(
  folder: string,
  { ifOpen, brings, open }: Opening<T>,
): Promise<{ readonly runtime: T; readonly missing: readonly string[] }> {
  const all = registry()
  for (let entry = all.get(folder); entry !== undefined; entry = all.get(folder)) {
    if (entry.closing === undefined) {
      if (ifOpen === 'error') throw openAlready(folder)
      entry.holders += 1
      const runtime = (await entry.opening) as T
      const { knows } = entry
      const missing = brings.filter((one) => !knows.has(one))
      return { runtime: held(Object.create(runtime) as T, { all, folder, entry }), missing }
    }
    await entry.closing.catch(() => {})
  }
  const opening = open()
  const entry: Entry = {
    opening,
    knows: new Set(brings),
    end: async () => {},
    holders: 1,
    closing: undefined,
  }
  all.set(folder, entry)
  try {
    const runtime = await opening
    entry.end = runtime.close.bind(runtime)
    return { runtime: held(runtime, { all, folder, entry }), missing: [] }
  } catch (error) {
    all.delete(folder)
    throw error
  }
}

type Place = { readonly all: Map<string, Entry>; readonly folder: string; readonly entry: Entry }

/** The runtime, with a `close` that lets go of it. */
function held<T extends Held>(runtime: T, { all, folder, entry }: Place): T {
  let released: Promise<void> | undefined
  const release = async (): Promise<void> => {
    entry.holders -= 1
    if (entry.holders > 0) return
    entry.closing = entry.end().finally(() => all.delete(folder))
    await entry.closing
  }
  const close = (): Promise<void> => (released ??= release())
  return Object.assign(runtime, { close, [Symbol.asyncDispose]: close })
}

function openAlready(folder: string): EventStoreError {
  return new EventStoreError('ES_LOCKED', {
    happened: `The project in ${folder} is open in this process ${process.pid} already`,
    expected: 'A project belongs to one runtime at a time',
    remedy: "Use the runtime that is open, or share it with createRuntime({ ifOpen: 'share' })",
    details: { pid: process.pid },
  })
}
