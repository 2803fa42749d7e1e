/** What a person can press while a job runs: `k` kills this very process, Ctrl-C pauses the tree, a second one quits. */
import type { ReadStream } from 'node:tty'

const CTRL_C = '\u0003'

/** Listens to single keys on a terminal; returns how to stop. On anything else it does nothing. */
export function listenToKeys(
  stdin: { readonly isTTY?: boolean },
  on: { readonly kill: () => void; readonly interrupt: () => void },
): () => void {
  if (stdin.isTTY !== true) return () => {}
  const terminal = stdin as ReadStream
  const hear = (chunk: Buffer): void => {
    const text = chunk.toString('utf8')
    // In raw mode the terminal hands Ctrl-C over as a character instead of sending a signal.
    if (text.includes(CTRL_C)) on.interrupt()
    else if (text.includes('k')) on.kill()
  }
  terminal.setRawMode(true)
  terminal.resume()
  terminal.on('data', hear)
  return () => {
    terminal.off('data', hear)
    terminal.setRawMode(false)
    terminal.pause()
  }
}
