/** Joins the agents' port for commands to the actors that run them: the one place where both are known. */
import { runCommand } from '../actors/command.ts'
import { endLeftover } from '../actors/leftover.ts'
import type { ProcessIdentity } from '../actors/process-identity.ts'
import type { CommandPort } from './agents/command-step.ts'

/** Runs commands as child processes, and knows which of them have not ended. */
export function createCommandPort(): CommandPort & { ended(): Promise<void> } {
  const running = new Set<Promise<unknown>>()
  return {
    run(spec, options) {
      const outcome = runCommand({
        ...spec,
        env: { ...process.env, ...spec.env },
        signal: options.signal,
        onLog: (line) => options.onLog(line.text),
        onStart: (identity) => options.onStart(identity),
      })
      running.add(outcome)
      const done = (): void => void running.delete(outcome)
      outcome.then(done, done)
      return outcome
    },
    async endLeftover(identity) {
      await endLeftover(identity as ProcessIdentity)
    },
    async ended() {
      await Promise.allSettled(running)
    },
  }
}
