/**
 * Gathers what a command writes to its two output streams, line by line, until nothing more can come.
 *
 * Owns the unfinished lines and the kept ones of one command. Never closes the streams, never waits for ever.
 * 1. Each line goes to the log and to `onLog` once, when it is complete; a last line without newline at the drain.
 * 2. An `onLog` that throws is not called again, and the log says so.
 * 3. `drain` returns when both streams are at their end, or when no output has come for 100 ms, or after 2,000 ms.
 */

import type { Readable } from 'node:stream'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { CapturedLog } from './captured-log.ts'
import type { CommandLogLine, CommandOptions } from './command-options.ts'
import { LineSplitter } from './line-splitter.ts'

const DRAIN_LIMIT_MS = 2_000
const DRAIN_IDLE_MS = 100

export type CommandOutput = {
  readonly log: CapturedLog
  /** To be called when nothing of the group runs: what still holds a pipe open then has left the group. */
  drain(): Promise<void>
}

export function captureOutput(
  { stdout, stderr }: { readonly stdout: Readable | null; readonly stderr: Readable | null },
  { onLog, maxLogLines = 10_000, maxLogBytes = 1_048_576 }: CommandOptions,
): CommandOutput {
  const log = new CapturedLog({ maxLines: maxLogLines, maxBytes: maxLogBytes })
  let watch = onLog
  let chunks = 0

  const follow = (stream: CommandLogLine['stream'], readable: Readable | null): (() => void) => {
    const splitter = new LineSplitter(maxLogBytes)
    const take = (lines: readonly string[]): void => {
      for (const text of lines) {
        log.add(text)
        try {
          watch?.({ stream, text })
        } catch (error) {
          watch = undefined
          log.add(`[onLog threw and is not called again: ${String(error)}]`)
        }
      }
    }
    readable?.on('error', () => undefined)
    readable?.on('data', (bytes: Buffer) => {
      chunks += 1
      take(splitter.write(bytes))
    })
    return () => take(splitter.end())
  }
  const ends = [follow('stdout', stdout), follow('stderr', stderr)]
  const closed = Promise.all(
    [stdout, stderr].map(async (stream) => {
      if (stream !== null && !stream.closed) await new Promise((resolve) => stream.once('close', resolve))
    }),
  ).then(() => true)

  return {
    log,
    async drain() {
      const deadline = performance.now() + DRAIN_LIMIT_MS
      for (let seen = -1; seen !== chunks && performance.now() < deadline;) {
        seen = chunks
        if (await Promise.race([closed, delay(DRAIN_IDLE_MS, false, { ref: false })])) break
        // After a busy spell timers come before input: let what has arrived be read before judging it idle.
        await turn()
        await turn()
      }
      for (const end of ends) end()
    },
  }
}
