/** A review of a git repository by a durable team of agents: `agentctl run examples/repo-review -- <path>`. */
import { defineJob } from '@agent-orchestration/core'
import { analysisAgents } from './analysis-agents.ts'
import { cleanUpAgent, deleteLeftovers } from './clean-up.ts'
import { deepReviewAgent, readClosely } from './deep-review.ts'
import { reviewHooks } from './hooks.ts'
import { orchestratorAgent } from './orchestrator.ts'
import { planReview, trustedRoots, USAGE } from './review-input.ts'
import { scriptAgents } from './script-agents.ts'
import { tellReview } from './summary.ts'
import { supervisorAgent } from './supervisor.ts'

export default defineJob({
  name: 'repo-review',
  summary: 'review a git repository with a durable team of agents',
  usage: USAGE,
  main: orchestratorAgent,
  runtime: (plan) => ({
    agents: [
      orchestratorAgent,
      supervisorAgent,
      ...analysisAgents,
      cleanUpAgent,
      deepReviewAgent,
      ...scriptAgents,
    ],
    tools: [deleteLeftovers, readClosely],
    hooks: reviewHooks(trustedRoots(plan)),
  }),
  plan: planReview,
  tell: tellReview,
})
