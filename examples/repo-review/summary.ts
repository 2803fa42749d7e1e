/** What a person sees when a review has ended: found, refused, time, cost, and what to look at next. */
import { relative } from 'node:path'
import { createRateCard, type JobEnd } from '@agent-orchestration/core'
import { sortFindings } from './analyses/finding.ts'
import type { ReviewOutput } from './orchestrator.ts'

const SHOWN = 5

export async function tellReview(end: JobEnd): Promise<{ lines: string[]; data: unknown }> {
  const { result } = end
  if (result.status !== 'completed') {
    const errors = result.output.errors ?? []
    return {
      lines: [
        `the review ended as ${result.state}: ${errors.join('; ')}`,
        `  ${end.command} why ${result.run_id}`,
      ],
      data: { state: result.state, errors, run_id: result.run_id },
    }
  }
  const output = result.output.value as ReviewOutput
  const facts = await factsOf(end, output)
  return { lines: linesOf(end, output, facts), data: { report: output.report, ...facts } }
}

type RoleBill = {
  readonly role: string
  readonly runs: number
  readonly ms: number
  readonly usd: number
  readonly tokens: number
}

type ReviewFacts = {
  readonly findings: { readonly high: number; readonly medium: number; readonly low: number }
  readonly not_measured: readonly string[]
  readonly refusals: readonly {
    readonly task: string
    readonly what: string
    readonly reason: string
    readonly instead: string
  }[]
  readonly events: number
  readonly agents: number
  readonly wall_ms: number
  readonly work_ms: number
  readonly billing: readonly RoleBill[]
  readonly denied_call: string | null
  readonly longest_run: string | null
}

async function factsOf(end: JobEnd, output: ReviewOutput): Promise<ReviewFacts> {
  const tasks = output.areas.flatMap((area) => area.tasks)
  const findings = tasks.flatMap((task) => task.findings)
  const count = (severity: string): number => findings.filter((one) => one.severity === severity).length
  const runs = end.tree.map(({ node }) => node).filter((node) => node.kind === 'run')
  const streams = new Set(end.tree.map(({ node }) => node.id))
  let events = 0
  let denied_call: string | null = null
  for await (const event of end.runtime.store.readAll()) {
    const input = (event.payload as { input?: { run_id?: string; tool?: string } }).input
    if (event.event_type === 'tool.requested' && streams.has(input?.run_id ?? '')) {
      streams.add(event.stream_id)
      if (input?.tool === 'delete-leftovers') denied_call ??= event.stream_id
    }
    if (streams.has(event.stream_id.replace(/~refused$/, ''))) events += 1
  }
  const taken = (node: (typeof runs)[number]): number =>
    node.started_at === null || node.ended_at === null
      ? 0
      : Date.parse(node.ended_at) - Date.parse(node.started_at)
  const workers = runs.filter((node) => node.role === 'workagent')
  return {
    findings: { high: count('high'), medium: count('medium'), low: count('low') },
    not_measured: tasks.flatMap((task) =>
      task.not_measured === null ? [] : [`${task.task}: ${task.not_measured}`],
    ),
    refusals: tasks.flatMap((task) =>
      task.refusals.map(({ what, reason, instead }) => ({ task: task.task, what, reason, instead })),
    ),
    events,
    agents: runs.length,
    wall_ms: end.elapsedMs,
    work_ms: workers.reduce((sum, node) => sum + taken(node), 0),
    billing: billOf(
      runs.map((node) => ({
        role: node.role,
        ms: taken(node),
        tokens: node.tokens,
        micro: node.cost_micro_usd,
      })),
    ),
    denied_call,
    longest_run: workers.toSorted((a, b) => b.events - a.events)[0]?.id ?? null,
  }
}

/** By role: time at the hourly rates, and what was spent on tokens. */
function billOf(runs: readonly { role: string; ms: number; tokens: number; micro: number }[]): RoleBill[] {
  const rates = createRateCard()
  return ['orchestrator', 'supervisor', 'workagent'].map((role) => {
    const mine = runs.filter((run) => run.role === role)
    const ms = mine.reduce((sum, run) => sum + run.ms, 0)
    const spent = mine.reduce((sum, run) => sum + run.micro, 0)
    const tokens = mine.reduce((sum, run) => sum + run.tokens, 0)
    return {
      role,
      runs: mine.length,
      ms,
      tokens,
      usd: (rates.costOfTime(role, ms).micro_usd + spent) / 1e6,
    }
  })
}

function linesOf(end: JobEnd, output: ReviewOutput, facts: ReviewFacts): string[] {
  const { high, medium, low } = facts.findings
  const findings = sortFindings(output.areas.flatMap((area) => area.tasks.flatMap((task) => task.findings)))
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  const report = relative(process.cwd(), output.report)
  return [
    '',
    `${findings.length} findings: ${high} high, ${medium} medium, ${low} low`,
    ...findings
      .slice(0, SHOWN)
      .map((one) => `  ${one.file}${one.line === null ? '' : `:${one.line}`} ${one.message}`),
    ...(findings.length > SHOWN ? [`  … ${findings.length - SHOWN} more in the report`] : []),
    `report: ${report}`,
    ...facts.not_measured.map((what) => `not measured: ${what}`),
    '',
    `${facts.agents} agents in ${seconds(facts.wall_ms)}; their work one after another: ${seconds(facts.work_ms)}; ${facts.events} events on disk`,
    ...facts.refusals.flatMap((one) => [
      `refused: ${one.what} (${one.task}): ${one.reason}`,
      `  instead: ${one.instead}`,
    ]),
    ...facts.billing.map(
      (bill) =>
        `billing ${bill.role}: ${bill.runs} runs, ${seconds(bill.ms)}, ${bill.tokens} tokens, $${bill.usd.toFixed(4)}`,
    ),
    '',
    'look closer:',
    ...lookCloser(end, facts),
  ]
}

/** Commands to paste: why, what was, and the machine itself. */
function lookCloser({ command, result }: JobEnd, facts: ReviewFacts): string[] {
  const run = facts.longest_run ?? result.run_id
  return [
    ...(facts.denied_call === null
      ? []
      : [`  ${command} why ${facts.denied_call}    # why the deletion was refused`]),
    `  ${command} show ${run} --at 3    # that agent's state at an earlier version`,
    `  ${command} machines agent    # its machine, to paste into Stately's editor`,
  ]
}
