/** The review as one Markdown document: pure; the same measurements give the same bytes, up to the section `Run`. */
import type { Area, Finding, Measurement, Severity } from '../analyses/finding.ts'
import { sortFindings } from '../analyses/finding.ts'
import type { CleanUpProposal } from '../analyses/leftovers.ts'
import type { RepositoryFacts } from '../analyses/repository.ts'
import { renderFacts, renderRows } from './facts.ts'
import { escapeText, inlineCode, table, visible } from './markdown-text.ts'

export type ReviewSection = {
  readonly area: Area
  /** What was looked at, for instance `broken links`. */
  readonly title: string
  readonly measurement: Measurement
}

export type Refusal = {
  readonly who: string
  readonly what: string
  readonly reason: string
  readonly alternatives: readonly string[]
  /** What was done instead. */
  readonly instead?: string
}

export type ReviewReport = {
  readonly name: string
  readonly repository: RepositoryFacts
  readonly started_at: string
  readonly commit: string | null
  readonly sections: readonly ReviewSection[]
  readonly refusals: readonly Refusal[]
  readonly proposals: readonly CleanUpProposal[]
  /** Rows with columns of their own: role, tokens, usd, … */
  readonly billing: readonly { readonly [column: string]: string | number | null }[]
  readonly timings: readonly { readonly what: string; readonly ms: number }[]
  /** What else differs from run to run: events written, agents started. */
  readonly run?: { readonly [name: string]: string | number | boolean | null }
}

const FINDINGS = '## Findings'
const SEVERITIES: readonly Severity[] = ['high', 'medium', 'low']
const AREAS: readonly Area[] = ['code', 'history', 'documents', 'dependencies']
/** Of one rule in one severity: the rest is said as a number. */
const SHOWN_PER_RULE = 100

export function renderReview(review: ReviewReport): string {
  const findings = sortFindings(review.sections.flatMap(({ measurement }) => findingsOf(measurement)))
  const parts = [
    header(review),
    summary(review, findings),
    renderFindings(findings),
    notMeasured(review.sections),
    refused(review.refusals),
    cleanUp(review.proposals),
    facts(review.sections),
    run(review),
  ]
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

/** The part of a report that two runs on the same tree share to the byte. */
export function findingsSection(report: string): string {
  const start = report.startsWith(`${FINDINGS}\n`) ? 0 : report.indexOf(`\n${FINDINGS}\n`) + 1
  if (start === 0 && !report.startsWith(`${FINDINGS}\n`)) return ''
  const end = report.indexOf('\n## ', start + FINDINGS.length)
  return end === -1 ? report.slice(start) : report.slice(start, end)
}

function header({ name, repository, started_at, commit }: ReviewReport): string[] {
  const branch = repository.branch === null ? '' : ` on ${inlineCode(repository.branch)}`
  const changes = repository.dirty === true ? ', with uncommitted changes' : ''
  const at = commit === null ? 'no commit' : `${inlineCode(commit)}${branch}${changes}`
  const limits =
    repository.kind === 'repository' ? (repository.shallow ? ['a shallow clone'] : []) : [repository.why]
  return [
    `# Review of ${escapeText(name)}`,
    '',
    `* Reviewed: ${at}`,
    `* Started: ${escapeText(started_at)}; ages are counted from then`,
    ...limits.map((limit) => `* Limits: ${escapeText(limit)}`),
  ]
}

function summary({ sections, refusals, proposals }: ReviewReport, findings: readonly Finding[]): string[] {
  const missing = sections.filter(({ measurement }) => measurement.status === 'not_measured').length
  const counts = [
    `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}`,
    `${sections.length - missing} of ${sections.length} analyses measured`,
    `${refusals.length} refused`,
    `${proposals.length} proposed for clean-up`,
  ]
  const rows = AREAS.map((area) => {
    const inArea = findings.filter((finding) => finding.area === area)
    return [
      area,
      ...SEVERITIES.map((severity) => String(inArea.filter((one) => one.severity === severity).length)),
    ]
  })
  return ['## Summary', '', `${counts.join(', ')}.`, '', ...table(['area', ...SEVERITIES], rows)]
}

function renderFindings(findings: readonly Finding[]): string[] {
  const groups = SEVERITIES.map((severity) => ({
    severity,
    all: findings.filter((finding) => finding.severity === severity),
  })).filter(({ all }) => all.length > 0)
  if (groups.length === 0) return [FINDINGS, '', 'None.']
  return [
    FINDINGS,
    ...groups.flatMap(({ severity, all }) => [
      '',
      `### ${capital(severity)} (${all.length})`,
      '',
      ...limited(all),
    ]),
  ]
}

function limited(findings: readonly Finding[]): string[] {
  const lines: string[] = []
  const seen = new Map<string, number>()
  for (const finding of findings) {
    const count = (seen.get(finding.rule) ?? 0) + 1
    seen.set(finding.rule, count)
    if (count <= SHOWN_PER_RULE) lines.push(findingLine(finding))
  }
  for (const [rule, count] of seen) {
    if (count > SHOWN_PER_RULE) lines.push(`* … and ${count - SHOWN_PER_RULE} more of ${inlineCode(rule)}`)
  }
  return lines
}

function findingLine({ rule, file, line, message }: Finding): string {
  return `* ${inlineCode(line === null ? file : `${file}:${line}`)} ${escapeText(message)} (${rule})`
}

function notMeasured(sections: readonly ReviewSection[]): string[] {
  const lines = sections.flatMap(({ area, title, measurement }) =>
    measurement.status === 'measured'
      ? []
      : [`* ${escapeText(title)} (${area}): not measured: ${escapeText(measurement.why)}`],
  )
  return ['## Not measured', '', ...(lines.length === 0 ? ['Everything was measured.'] : lines)]
}

function refused(refusals: readonly Refusal[]): string[] {
  const lines = refusals.flatMap(({ who, what, reason, alternatives, instead }) => [
    `* ${escapeText(who)} was refused ${escapeText(what)}: ${escapeText(reason)}`,
    ...alternatives.map((alternative) => `  * alternative: ${escapeText(alternative)}`),
    ...(instead === undefined ? [] : [`  * instead: ${escapeText(instead)}`]),
  ])
  return ['## Refused', '', ...(lines.length === 0 ? ['Nothing was refused.'] : lines)]
}

function cleanUp(proposals: readonly CleanUpProposal[]): string[] {
  if (proposals.length === 0) return ['## Proposed clean-up', '', 'Nothing to clean up.']
  const lines = proposals.flatMap(({ path, bytes, why, command }) => [
    `# ${visible(path)}: ${visible(why)} (${size(bytes)})`,
    visible(command),
  ])
  return [
    '## Proposed clean-up',
    '',
    'Nothing was deleted. To run in the reviewed folder, after a look at each:',
    '',
    '~~~~sh',
    ...lines,
    '~~~~',
  ]
}

function facts(sections: readonly ReviewSection[]): string[] {
  const parts = sections.flatMap(({ title, measurement }) =>
    measurement.status === 'measured' && Object.keys(measurement.facts).length > 0
      ? ['', `### ${capital(escapeText(title))}`, '', ...renderFacts(measurement.facts)]
      : [],
  )
  return parts.length === 0 ? [] : ['## Measured', ...parts]
}

function run({ timings, billing, run: more }: ReviewReport): string[] {
  const lines = Object.entries(more ?? {}).map(
    ([name, value]) => `* ${escapeText(name)}: ${escapeText(String(value))}`,
  )
  const times = timings.map(({ what, ms }) => ({ what, seconds: Math.round(ms / 10) / 100 }))
  return [
    '## Run',
    ...(lines.length === 0 ? [] : ['', ...lines]),
    ...(times.length === 0 ? [] : ['', ...renderRows(times, times.length)]),
    ...(billing.length === 0 ? [] : ['', ...renderRows(billing, billing.length)]),
  ]
}

function findingsOf(measurement: Measurement): readonly Finding[] {
  return measurement.status === 'measured' ? measurement.findings : []
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
