/** The article's functions for billing, compliance and health, over the ambient scope. */
import type { BillableHours, BillingBreakdown } from '../billing/billable-hours.ts'
import type { BillingQuery } from '../billing/billing-service.ts'
import type { ComplianceReport, ComplianceTrends } from '../compliance/score.ts'
import type { StaleProject } from '../compliance/stale-projects.ts'
import type { WatchdogReport } from '../compliance/watchdog.ts'
import { inProject } from './reading.ts'

/** Hours at work and what they cost, by role; both days are included. @throws BillingError `BILLING_INVALID_RANGE` */
export function calculateBillableHours(
  input: BillingQuery & { readonly format?: 'detailed' | 'summary' },
): Promise<BillableHours> {
  return inProject('calculateBillableHours', ({ billing }) => billing.calculateBillableHours(input))
}

/** The same cost, in the foreground and the background. @throws BillingError `BILLING_INVALID_RANGE` */
export function getBackgroundBillingBreakdown(input: BillingQuery): Promise<BillingBreakdown> {
  return inProject('getBackgroundBillingBreakdown', ({ billing }) =>
    billing.getBackgroundBillingBreakdown(input),
  )
}

/** The score of the project, what breaks the protocol and where the log shows it, and what to do. */
export function checkProtocolCompliance(): Promise<ComplianceReport> {
  return inProject('checkProtocolCompliance', ({ compliance }, project) =>
    compliance.checkProtocolCompliance(project),
  )
}

export function getComplianceTrends(input: { days?: number } = {}): Promise<ComplianceTrends> {
  return inProject('getComplianceTrends', ({ compliance }, project) =>
    compliance.getComplianceTrends({ ...input, project }),
  )
}

/** Projects with open sessions in which nothing has happened for more than seven days. */
export function checkStaleProjects(): Promise<StaleProject[]> {
  return inProject('checkStaleProjects', ({ compliance }) => compliance.checkStaleProjects())
}

/** Interrupts sessions that were at work in a process that is gone. */
export function runWatchdog(): Promise<WatchdogReport> {
  return inProject('runWatchdog', ({ compliance }) => compliance.runWatchdog())
}
