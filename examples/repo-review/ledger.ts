/** Counts executions in a file outside the log, so that anybody can check what a restart ran again. */
import { appendFile } from 'node:fs/promises'

/** Appends one line: when, in which process, what. */
export async function countExecution(
  ledger: string | null,
  execution: { readonly task: string; readonly phase: 'begun' | 'ended'; readonly key: string },
): Promise<void> {
  if (ledger === null) return
  await appendFile(ledger, `${JSON.stringify({ ...execution, pid: process.pid })}\n`)
}
