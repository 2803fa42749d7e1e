/** Finds the process that has a project's log open, and attaches to it. */
import { readStoreOwner, type StoreOwner, type StoreOwnership } from '../../eventstore/owner.ts'
import { attach, type Attached } from '../attach/attach.ts'
import { CliError } from './cli-error.ts'

/** How often an owner that has just changed is looked for again. */
const MOST_LOOKS = 3

export type FoundOwner =
  | { readonly type: 'attached'; readonly owner: Attached }
  /** Nobody has it open; `stale`: the last one who had did not close it. */
  | { readonly type: 'none'; readonly stale: StoreOwner | undefined }

/** @throws CliError `CLI_LOCKED` when somebody has it open whom this process cannot attach to */
export async function findOwner(logPath: string, version: string): Promise<FoundOwner> {
  for (let look = 1; ; look += 1) {
    const ownership = await readStoreOwner(logPath)
    if (ownership.type !== 'live') {
      return { type: 'none', stale: ownership.type === 'stale' ? ownership.owner : undefined }
    }
    const { socket, token } = ownership.owner
    if (socket === undefined || token === undefined) throw silent(logPath, ownership.owner)
    try {
      const owner = await attach({ socket, token, client: `agentctl ${version}` })
      return { type: 'attached', owner }
    } catch (error) {
      // It ended just now, or another has taken its place.
      if (look < MOST_LOOKS && !isSame(await readStoreOwner(logPath), token)) continue
      throw unreachable(logPath, ownership.owner, error as Error)
    }
  }
}

function isSame(ownership: StoreOwnership, token: string): boolean {
  return ownership.type === 'live' && ownership.owner.token === token
}

function silent(logPath: string, owner: StoreOwner): CliError {
  return locked(logPath, owner, {
    expected:
      'Expected that process to serve a socket: it is still opening the log, or does not let anybody attach.',
    todo: `Try again in a moment; or wait until process ${owner.pid} has ended, or stop it (kill -INT ${owner.pid}): nothing is lost by that.`,
  })
}

function unreachable(logPath: string, owner: StoreOwner, cause: Error): CliError {
  return locked(logPath, owner, {
    expected: `Expected to attach to that process: ${cause.message}`,
    todo: `Try again; or wait until process ${owner.pid} has ended, or stop it (kill -INT ${owner.pid}): nothing is lost by that.`,
    cause,
  })
}

function locked(
  logPath: string,
  { pid, host, started_at }: StoreOwner,
  rest: { readonly expected: string; readonly todo: string; readonly cause?: Error },
): CliError {
  const because = (rest.cause as { code?: unknown } | undefined)?.code
  return new CliError('CLI_LOCKED', {
    happened: `The log in ${logPath} is open in process ${pid} on ${host}, since ${started_at}.`,
    ...rest,
    details: { pid, host, started_at, path: logPath, ...(typeof because === 'string' && { because }) },
  })
}
