/** The whole public surface, on one screen. */
export { createRuntime } from './create-runtime.ts'
export type { Runtime, RuntimeOptions } from './create-runtime.ts'
export type { RecordedErasure } from './embedding/erasing.ts'
export type { NewActor, SealingOption } from './embedding/sealing.ts'
export { currentRuntime } from './current-runtime.ts'
export type { ForkOptions, VerifyOptions } from './history.ts'
export type { LogLevel } from './embedding/log-level.ts'
export type { InspectOption, InspectServerOptions } from './embedding/inspect-runtime.ts'

export type { Receipt, SendOptions } from './runtime/cell/cell.ts'
export type { Clock, NewId } from './runtime/clock.ts'
export type { RecordedDeadLetter } from './runtime/delivery/dead-letters.ts'
export type { Ask, AskOptions } from './runtime/cell/ask.ts'
export type { DeadLetters } from './runtime/delivery/dead-letter-desk.ts'
export type { DurableActor } from './runtime/cell/durable-actor.ts'
export type { RuntimeLogger } from './runtime/event-logger.ts'
export type { SpawnOptions } from './runtime/spawn-options.ts'
export type { Parked } from './runtime/parked.ts'
export type { Fork } from './runtime/forks/fork-copy.ts'
export type { ResumeOptions } from './runtime/forks/forks.ts'
export type { HeldBack, HeldEffect } from './runtime/forks/held-back.ts'
export type { EffectSettlement, ListedEffect } from './runtime/effects/listed-effect.ts'
export { effectOf, withPolicies } from './runtime/policies.ts'
export type {
  ActorPolicy,
  CrashBudget,
  EffectAnswer,
  EffectArgs,
  EffectPolicy,
  EffectRun,
  MachinePolicies,
  MachineWithPolicies,
  RootPolicies,
  MigratedState,
  MigratingState,
  VersionStep,
} from './runtime/policies.ts'
export type { RetryPolicy } from './runtime/effects/retry-policy.ts'
export { RuntimeError } from './runtime/runtime-error.ts'
export type { RuntimeErrorCode } from './runtime/runtime-error.ts'

export { createLogQuery } from './query/log-query.ts'
export type {
  AboutStream,
  EventsQuestion,
  LogQuery,
  LogQueryOptions,
  StateAnswer,
  StateQuestion,
} from './query/log-query.ts'
export type { ActorRow, ActorsQuestion } from './query/actors.ts'
export type { Causes, CausesQuestion } from './query/causes.ts'
export type { Explanation } from './query/explanation.ts'
export type { PermissionHistory, PermissionHistoryQuestion } from './query/explain-permission.ts'
export type { Failure, FailuresQuestion } from './query/failures.ts'
export type { Health, HealthQuestion } from './query/health.ts'
export type { At } from './query/moment.ts'
export type { Pending } from './query/pending.ts'
export type { LedgerQuestion, RecordedDecision } from './query/permission-ledger.ts'
export type { QueryCall } from './query/query-call.ts'
export type { Readiness, ReadinessQuestion, ReadinessRow } from './query/readiness.ts'
export type { Compliance, ComplianceQuestion } from './query/compliance.ts'
export type { Spending, SpendingQuestion } from './query/spending.ts'
export type {
  Blame,
  BlameQuestion,
  DiffQuestion,
  StateDiff,
  StateStep,
  StepsQuestion,
} from './query/state-changes.ts'
export type { SessionMoment, SessionTimelineQuestion } from './query/session-timeline.ts'
export type { Message, TimelineQuestion } from './query/timeline.ts'
export { QueryError } from './query/query-error.ts'
export type { QueryErrorCode } from './query/query-error.ts'
export type { ReplayedState, ReplayOptions, ReplayStep, ReplayTarget } from './query/time-travel.ts'
export type { VerifyLogReport, VerifyProblem, VerifyProgress } from './query/verify-log.ts'

export {
  currentSessionId,
  endSession,
  generateHandoff,
  listNamedSessions,
  loadHandoff,
  nameSession,
  pauseSession,
  resumeNamedSession,
  startSession,
} from './sessions/ambient.ts'
export { defineRole } from './sessions/roles.ts'
export type { RoleDefinition } from './sessions/roles.ts'
export type { KeeperTimes } from './sessions/session-keeper.ts'
export type { SpawnLimits } from './sessions/spawn-rules.ts'
export type { LoadedHandoff } from './sessions/handoffs.ts'
export type {
  Session,
  SessionEntry,
  SessionLike,
  SessionProgress,
  SessionStatus,
} from './sessions/session.ts'
export type { Inbox } from './sessions/inbox.ts'
export type { SessionService } from './sessions/session-service.ts'

export {
  explainPermission,
  getBackgroundAgentResult,
  listBackgroundAgents,
  onBackgroundAgent,
  startBackgroundAgent,
  waitForBackgroundAgent,
} from './agents/ambient.ts'
export type { BudgetOption, RunBudget } from './agents/budget-accounts.ts'
export type { Budget, BudgetService } from './agents/budget-service.ts'
export type { Webhook, WebhookOptions, WebhookService } from './agents/webhooks.ts'
export { defineAgent } from './agents/define-agent.ts'
export type {
  AgentDefinition,
  AnyAgentDefinition,
  CommandOutput,
  CommandSpec,
} from './agents/define-agent.ts'
export { defineTool } from './agents/define-tool.ts'
export type { InDoubtPolicy, Tool, ToolContext } from './agents/define-tool.ts'
export type { AgentRun, AgentService } from './agents/agent-service.ts'
export type { ApprovalAnswer, ApprovalQuestion } from './agents/approval-question.ts'
export type { HandlerContext } from './agents/handler-context.ts'
export type { BackgroundAgentResult, RunState } from './agents/run-result.ts'
export { RecordedError } from './agents/recorded-error.ts'

export { costControlHook, getRoleLimit } from './permissions/built-in/cost-control.ts'
export { dataProtectionHook } from './permissions/built-in/data-protection.ts'
export { destructiveOperationHook } from './permissions/built-in/destructive-operation.ts'
export { securityAuditHook } from './permissions/built-in/security-audit.ts'
export type { Approval, ApprovalStatus } from './permissions/approval.ts'
export type { ApprovalService } from './permissions/approval-service.ts'
export type { HookOpinion, PermissionExplanation } from './permissions/explain-permission.ts'
export type { PermissionQuestion } from './agents/permission-question.ts'
export { PermissionHookRegistry } from './permissions/hook-registry.ts'
export { PermissionDeniedError } from './permissions/permission-denied-error.ts'
export { PermissionError } from './permissions/permission-error.ts'
export type { HookAnswer, HookContext, NamedHook, PermissionHook } from './permissions/permission-hook.ts'

export { createPriceBook } from './billing/price-book.ts'
export type { ModelPrice, PriceBook, TokenUsage } from './billing/price-book.ts'
export { BillingError } from './billing/billing-error.ts'
export { createRateCard, DEFAULT_HOURLY_RATES } from './billing/rate-card.ts'
export type { RateCard } from './billing/rate-card.ts'

export { approvalMachine } from '../machines/approval.machine.ts'
export { agentMachine } from '../machines/agent.machine.ts'
export { projectMachine } from '../machines/project.machine.ts'
export type { BacklogItem } from '../machines/project.machine.ts'
export { budgetMachine } from '../machines/budget.machine.ts'
export { webhookMachine } from '../machines/webhook.machine.ts'
export { inboxMachine } from '../machines/inbox.machine.ts'
export type { InboxMessage } from '../machines/inbox.machine.ts'
export { sessionMachine } from '../machines/session.machine.ts'
export type { Handoff, Role } from '../machines/session-record.ts'
export type { Artifact, Decision } from '../machines/session-work.ts'
export type { Testimony, Verdict } from '../machines/testimony.ts'
export { toolCallMachine } from '../machines/tool-call.machine.ts'

export { defineJob } from './cli/job.ts'
export type { Job, JobEnd, JobPlan } from './cli/job.ts'

export {
  analyzeAndPrioritize,
  decompose,
  decomposeFeature,
  escalateBlockers,
  escalateToHuman,
  estimateOperationCost,
  getActiveFeatures,
  getBacklog,
  getProjectBlockers,
  integrateWorkAgentResults,
  mergeCodeChanges,
  monitorFeatureProgress,
  notifySlack,
  notifyTeamOfBlocker,
  orchestrateWork,
  runIntegrationTests,
} from './ambient/project.ts'
export { formatTaskSteps } from './portfolio/decompose.ts'
export type { Task } from './portfolio/decompose.ts'
export type { ActiveFeature, Feature } from './portfolio/backlog.ts'
export type { PortfolioProviders } from './portfolio/providers.ts'
export type { PortfolioService } from './portfolio/portfolio-service.ts'
export { consoleSender, fileSender, webhookSender } from './portfolio/senders.ts'
export type { NoticeSender } from './portfolio/senders.ts'
export {
  calculateBillableHours,
  checkProtocolCompliance,
  checkStaleProjects,
  getBackgroundBillingBreakdown,
  getComplianceTrends,
  runWatchdog,
} from './ambient/health.ts'
export type { BillableHours } from './billing/billable-hours.ts'
export type { BillingService } from './billing/billing-service.ts'
export type { SessionEndEvent } from './billing/tracking-line.ts'
export { isToday } from './compliance/session-metrics.ts'
export type { ComplianceService } from './compliance/compliance-service.ts'
export type { ComplianceReport } from './compliance/score.ts'
export type { Issue } from './compliance/rules.ts'
export {
  addArtifact,
  continueSession,
  getSessionProgress,
  logDecision,
  reportContext,
  reportProgress,
  reportUsage,
  tagSession,
  untagSession,
} from './ambient/session-work.ts'
export { logger } from './ambient/logger.ts'
export { sessionLifecycle } from './ambient/lifecycle.ts'
export type { HandoffType, SessionLifecycle } from './ambient/lifecycle.ts'
