/** Opens what lets others look into a runtime: the socket for `agentctl`, and an inspector if one was asked for. */
import { join } from 'node:path'
import { bytesText, folderSize, LARGE_BYTES } from './folder-size.ts'
import { openInspection, type InspectedRuntime, type InspectOption } from './inspect-runtime.ts'
import { openOwnerDoor, type AttachableRuntime, type LiveLook } from './owner-door.ts'
import type { RuntimeLogger } from '../runtime/event-logger.ts'

export type DoorOptions = Pick<InspectedRuntime, 'machines' | 'onError'> & {
  /** The project's folder; `null` in memory. */
  readonly path: string | null
  readonly attach?: boolean
  readonly inspect?: InspectOption
  readonly logger: RuntimeLogger
  readonly live: LiveLook
}

export type Doors = { readonly inspectorUrl: string | null; close(): Promise<void> }

export const NO_DOORS: Doors = { inspectorUrl: null, close: async () => {} }

/** @throws InspectorError `INSPECTOR_UNAVAILABLE` */
export async function openDoors(runtime: AttachableRuntime, options: DoorOptions): Promise<Doors> {
  if (options.path !== null) await warnIfLarge(options.path, options.logger)
  const { path, attach = true, inspect = false, machines, onError, logger, live } = options
  const inspection =
    inspect === false
      ? undefined
      : await openInspection(inspect, {
          store: runtime.store,
          machines,
          onError,
          announce: ({ url, leaves }) =>
            logger.warn(
              { url, leaves },
              "Stately's Inspector: open this url; when you do, this leaves the machine",
            ),
        })
  // Nobody needs it to work: a runtime without a socket is a runtime.
  const door =
    path === null || !attach
      ? undefined
      : await openOwnerDoor(runtime, { logPath: join(path, 'log'), live }).catch((err: unknown) => {
          logger.warn({ err }, 'agentctl cannot attach to this runtime')
        })
  return {
    inspectorUrl: inspection?.url ?? null,
    async close() {
      await door?.()
      await inspection?.close()
    },
  }
}

/** Said once per opening: a folder grows slowly, and nobody looks. */
async function warnIfLarge(path: string, logger: RuntimeLogger): Promise<void> {
  const size = await folderSize(path).catch(() => undefined)
  if (size === undefined || size.bytes < LARGE_BYTES) return
  logger.warn(
    { path, bytes: size.bytes },
    `the project folder takes ${bytesText(size.bytes)}: \`agentctl archive\` moves out what has ended, \`agentctl du\` says what is large`,
  )
}
