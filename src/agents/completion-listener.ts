/** Calls back once when a run ends, in this process: for those who neither wait nor poll. */
import type { SessionDirectory } from '../sessions/directory.ts'
import type { BackgroundAgentResult } from './run-result.ts'

export type CompletionListener = (result: BackgroundAgentResult) => Promise<void> | void

/** Listens for the end of a run, also one that has ended already; returns how to stop. Trouble goes to `onError`. */
export function listenForEnd(
  runId: string,
  listener: CompletionListener,
  host: {
    readonly directory: SessionDirectory
    readonly result: (runId: string) => Promise<BackgroundAgentResult>
    readonly onError: (error: unknown) => void
  },
): () => void {
  let listening = true
  const tell = async (): Promise<void> => {
    if (!listening) return
    stop()
    await listener(await host.result(runId))
  }
  const unsubscribe = host.directory.subscribe((row) => {
    if (row.id === runId && row.outcome !== null) tell().catch(host.onError)
  })
  const stop = (): void => {
    listening = false
    unsubscribe()
  }
  host.directory
    .row(runId)
    .then((row) => (row !== undefined && row.outcome !== null ? tell() : undefined))
    .catch(host.onError)
  return stop
}
