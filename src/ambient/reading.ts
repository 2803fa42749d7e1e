/** How the article's functions for the project find their runtime, and record inside a handler what they were told. */
import type { BillingService } from '../billing/billing-service.ts'
import type { ComplianceService } from '../compliance/compliance-service.ts'
import type { PortfolioService } from '../portfolio/portfolio-service.ts'
import type { PortfolioProviders } from '../portfolio/providers.ts'
import type { NewId } from '../runtime/clock.ts'
import type { RuntimeLogger } from '../runtime/event-logger.ts'
import { currentScope, durably, inPassing, requireScope, type Scope } from '../sessions/scope.ts'
import type { SessionService } from '../sessions/session-service.ts'

export type AmbientRuntime = {
  readonly project: string
  readonly sessions: SessionService
  readonly billing: BillingService
  readonly compliance: ComplianceService
  readonly portfolio: PortfolioService
  readonly providers: PortfolioProviders
  readonly newId: NewId
  readonly logger: RuntimeLogger
}

/** @throws RuntimeError `NO_AMBIENT_SESSION` outside of a scope */
export function scopeOf(caller: string): Scope<AmbientRuntime> {
  return requireScope<AmbientRuntime>(caller)
}

export function scopeIfAny(): Scope<AmbientRuntime> | undefined {
  return currentScope<AmbientRuntime>()
}

function projectOf({ owner, runtime }: Scope<AmbientRuntime>): string {
  return owner?.project ?? runtime.project
}

/**
 * Asks or tells the project; inside a handler once, and after a restart the answer is the recorded one, so that the
 * handler takes the same way again.
 */
export function inProject<T>(
  caller: string,
  work: (runtime: AmbientRuntime, project: string) => Promise<T>,
): Promise<T> {
  const ask = async (): Promise<T> => {
    const scope = scopeOf(caller)
    const project = projectOf(scope)
    return durably(scope, { kind: caller, name: project, execute: () => work(scope.runtime, project) })
  }
  return inPassing(ask())
}
