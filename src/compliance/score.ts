/** The score of a project: each rule costs its weight times the share of its subjects that break it. Pure. */
import type { Facts } from './facts.ts'
import { RULES, type Issue, type RuleContext } from './rules.ts'

export type ComplianceReport = {
  /** 0 to 100. */
  readonly score: number
  readonly issues: readonly Issue[]
  /** What to do, the most costly first; each once. */
  readonly recommendations: readonly string[]
}

export type ComplianceTrends = {
  readonly average: number
  readonly highest: number
  readonly lowest: number
  /** Whether the second half of the days was better than the first; false for equal halves and for fewer than two days. */
  readonly improving: boolean
  /** The score at the end of each day, the oldest first; days before the first event have none. */
  readonly samples: readonly { readonly date: string; readonly score: number }[]
}

export function complianceReport(facts: Facts, context: RuleContext): ComplianceReport {
  const issues: Issue[] = []
  const costs = new Map<string, number>()
  let lost = 0
  for (const { id, weight, fix, applies, broken } of RULES) {
    const findings = broken(facts, context)
    if (findings.length === 0) continue
    const cost = (weight * findings.length) / Math.max(applies(facts, context), findings.length)
    lost += cost
    costs.set(fix, cost)
    // A copy: the facts that it was found in may be folded further.
    for (const finding of findings)
      issues.push({ rule: id, weight, fix, ...finding, events: [...finding.events] })
  }
  const recommendations = [...costs].toSorted((a, b) => b[1] - a[1]).map(([fix]) => fix)
  return { score: Math.round(100 - lost), issues, recommendations }
}

export function trendsOf(samples: ComplianceTrends['samples']): ComplianceTrends {
  const scores = samples.map(({ score }) => score)
  if (scores.length === 0) return { average: 100, highest: 100, lowest: 100, improving: false, samples }
  const mean = (some: readonly number[]): number => some.reduce((sum, one) => sum + one, 0) / some.length
  const half = Math.floor(scores.length / 2)
  return {
    average: mean(scores),
    highest: Math.max(...scores),
    lowest: Math.min(...scores),
    improving: half > 0 && mean(scores.slice(-half)) > mean(scores.slice(0, half)),
    samples,
  }
}
