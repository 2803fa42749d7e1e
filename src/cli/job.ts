/** A job: what `agentctl run` runs. A main agent, what it needs around it, and how to name and tell its work. */
import type { BackgroundAgentResult } from '../agents/run-result.ts'
import type { AnyAgentDefinition } from '../agents/define-agent.ts'
import type { Runtime, RuntimeOptions } from '../create-runtime.ts'
import type { TreeRow } from '../query/tree.ts'

/** What one call of the job is to do. */
export type JobPlan = {
  /** Input of the main agent, JSON, once the work has its name and the project its folder. */
  readonly input: (assigned: { readonly name: string; readonly projectPath: string }) => unknown
  /** What the same command takes up again: two calls with the same key mean the same work. */
  readonly key: string
  /** The session's name; a number is added if it is taken. */
  readonly name: string
  readonly tags: readonly string[]
  /** End unfinished work of the same key and start anew. */
  readonly fresh: boolean
}

export type JobEnd = {
  readonly result: BackgroundAgentResult
  readonly runtime: Runtime
  readonly sessionId: string
  /** The job's sessions and runs. */
  readonly tree: readonly TreeRow[]
  /** Absolute path of the project folder. */
  readonly projectPath: string
  /** How this command is typed here, e.g. `npx agentctl`, for lines to paste. */
  readonly command: string
  /** Wall-clock time of this call, in ms. */
  readonly elapsedMs: number
}

export type Job = {
  readonly name: string
  /** One line for `--help`. */
  readonly summary: string
  /** Its own arguments, for its `--help`. */
  readonly usage: string
  readonly main: AnyAgentDefinition
  /** What the runtime is opened with for this plan: agents, hooks. */
  runtime(plan: JobPlan): Omit<RuntimeOptions, 'path' | 'store'>
  /** Reads the arguments after `--`. Throws with a message that says what is wrong with them. */
  plan(args: readonly string[], context: { readonly cwd: string }): Promise<JobPlan> | JobPlan
  /** What a person sees at the end, line by line, and what `--json` prints. */
  tell(end: JobEnd): Promise<{ readonly lines: readonly string[]; readonly data: unknown }>
}

/** Declares a job; the default export of a module that `agentctl run` is given. */
export function defineJob(job: Job): Job {
  return job
}
