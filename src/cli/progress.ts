/**
 * Shows the progress of a tree while it is at work: redrawn in a terminal, plain lines when piped, events with `--json`.
 *
 * Owns: the lines it has drawn at the bottom of the terminal.
 * Never: writes to stdout unless `--json`; the data at the end belongs there.
 */
import type { EventStore } from '../../eventstore/event-store.ts'
import { EMPTY_TREE, foldTree, treeRows, type TreeState } from '../query/tree.ts'
import type { CliOutput, CliStream } from './output.ts'
import { changeLine, treeLines } from './progress-view.ts'

const REDRAW_MS = 120

export type Progress = {
  /** Writes a line above the tree. */
  say(text: string): void
  /** Draws the tree a last time; idempotent. */
  stop(): void
}

export type ProgressOptions = {
  readonly store: EventStore
  readonly output: CliOutput
  readonly stderr: CliStream
  /** The root of the tree; known once the work has been started. */
  readonly rootId: () => string | undefined
  readonly hint: string
}

/** Follows the log until `stop`. */
export function showProgress(options: ProgressOptions): Progress {
  const { store, output, stderr } = options
  const terminal = stderr.isTTY === true && !output.json && !output.quiet
  let state: TreeState = EMPTY_TREE
  let drawn = 0
  const caughtUpTo = store.position()

  const erase = (): void => {
    if (drawn > 0) stderr.write(`\u001B[${drawn}A\u001B[0J`)
    drawn = 0
  }
  const draw = (hint?: string): void => {
    const rootId = options.rootId()
    if (!terminal || rootId === undefined) return
    const lines = treeLines(treeRows(state, rootId), {
      now: Date.now(),
      columns: stderr.columns ?? 80,
      lines: Math.max(5, ((stderr as { rows?: number }).rows ?? 24) - 3),
      paint: (style, text) => output.paintTalk(style, text),
    })
    if (hint !== undefined) lines.push(output.paintTalk('dim', hint))
    erase()
    stderr.write(`${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const subscription = store.subscribe().subscribe({
    next: (event) => {
      const before = state
      state = foldTree(state, event)
      if (event.position <= caughtUpTo || terminal) return
      const node = state.nodes.get(event.stream_id)
      const line = node && changeLine(before.nodes.get(node.id), node)
      if (line === undefined || node === undefined) return
      if (output.json)
        output.record({
          progress: { id: node.id, state: node.state, agent_id: node.agent_id, name: node.name },
        })
      else output.say(line)
    },
    error: () => {},
  })
  const timer = terminal ? setInterval(() => draw(options.hint), REDRAW_MS) : undefined

  return {
    say(text) {
      erase()
      output.say(text)
      draw(options.hint)
    },
    stop() {
      if (subscription.closed) return
      clearInterval(timer)
      subscription.unsubscribe()
      erase()
      draw()
      drawn = 0
    },
  }
}
