/** How the progress of a tree of sessions and runs looks: as a tree that is redrawn, or as plain lines. Pure. */
import type { TreeNode, TreeNodeState, TreeRow } from '../query/tree.ts'
import type { Style } from './output.ts'

export type Paint = (style: Style, text: string) => string

const MARKS: Readonly<Record<TreeNodeState, { readonly mark: string; readonly style: Style }>> = {
  created: { mark: '·', style: 'dim' },
  queued: { mark: '·', style: 'dim' },
  active: { mark: '▸', style: 'cyan' },
  running: { mark: '▸', style: 'cyan' },
  paused: { mark: '‖', style: 'yellow' },
  parked: { mark: '?', style: 'yellow' },
  completed: { mark: '✓', style: 'green' },
  archived: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  cancelled: { mark: '✗', style: 'yellow' },
  timed_out: { mark: '✗', style: 'red' },
}

/** The rows as lines that fit a terminal: name, state, time, what it does now. A session's own run is not shown twice. */
export function treeLines(
  rows: readonly TreeRow[],
  view: { readonly now: number; readonly columns: number; readonly lines: number; readonly paint: Paint },
): string[] {
  const shown = rows.filter(({ node }) => !standsForSession(node, rows))
  const fitting = shown.length <= view.lines ? shown : shown.slice(0, view.lines - 1)
  const lines = fitting.map((row) => treeLine(row, rows, view))
  if (fitting.length < shown.length) lines.push(`… ${shown.length - fitting.length} more`)
  return lines
}

function treeLine(
  { node, depth }: TreeRow,
  rows: readonly TreeRow[],
  view: { readonly now: number; readonly columns: number; readonly paint: Paint },
): string {
  const worker = node.kind === 'session' ? workerOf(node, rows) : node
  const state = worker?.state ?? node.state
  const { mark, style } = MARKS[node.kind === 'session' && node.state !== 'active' ? node.state : state]
  const indent = '  '.repeat(depth)
  const label = `${indent}${node.name ?? node.agent_id ?? node.id}${roleOf(node)}`
  const doing = doingOf(worker ?? node) ?? node.task_description ?? ''
  const refused = node.refusals > 0 ? ` · ${node.refusals} refused` : ''
  const text = `${label} · ${state} ${timeOf(worker ?? node, view.now)}${refused}${doing === '' ? '' : ` · ${doing}`}`
  return `${view.paint(style, mark)} ${clip(text, view.columns - 3)}`
}

/** What it does now; a step named after a run is the wait for it. */
function doingOf({ current_step }: TreeNode): string | null {
  return current_step?.startsWith('run_') === true ? 'waiting for its agents' : current_step
}

/** One line for a change worth telling when the output is not a terminal; `undefined` for the rest. */
export function changeLine(before: TreeNode | undefined, after: TreeNode): string | undefined {
  const who = after.name ?? after.agent_id ?? after.id
  if (before?.state !== after.state) {
    const took = after.ended_at === null ? '' : ` ${timeOf(after, Date.parse(after.ended_at))}`
    const why = after.error === null || after.state === 'completed' ? '' : `: ${after.error}`
    return `${MARKS[after.state].mark} ${who} ${after.state}${took}${why}`
  }
  if (before.refusals !== after.refusals) return `! ${who} was refused something (${after.refusals} in all)`
  return undefined
}

/** A duration for people: `0.4s`, `12s`, `3m04s`. */
function duration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`
}

function timeOf(node: TreeNode, now: number): string {
  if (node.started_at === null) return ''
  const end = node.ended_at === null ? now : Date.parse(node.ended_at)
  return duration(end - Date.parse(node.started_at))
}

function roleOf(node: TreeNode): string {
  return node.kind === 'session' ? ` (${node.role})` : ''
}

/** The run that works for a session. */
function workerOf(session: TreeNode, rows: readonly TreeRow[]): TreeNode | undefined {
  return rows.find(
    ({ node }) => node.kind === 'run' && node.parent_id === session.id && node.role === session.role,
  )?.node
}

function standsForSession(node: TreeNode, rows: readonly TreeRow[]): boolean {
  if (node.kind !== 'run') return false
  const parent = rows.find((row) => row.node.id === node.parent_id)?.node
  return parent?.kind === 'session' && parent.role === node.role
}

/** Cut by code points; a terminal that wraps a line breaks the redrawing. */
function clip(text: string, columns: number): string {
  const points = Array.from(text)
  return points.length <= columns ? text : `${points.slice(0, Math.max(1, columns - 1)).join('')}…`
}
