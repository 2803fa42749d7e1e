/** The durable side of a job: finds the unfinished work of the same key and takes it up, or starts it. */
import type { Runtime } from '../create-runtime.ts'
import type { SessionRow } from '../sessions/directory.ts'
import type { Job, JobPlan } from './job.ts'

export type StartedJob = {
  readonly sessionId: string
  readonly runId: string
  readonly name: string
  readonly resumed: boolean
}

/** Resumes the newest unfinished work with the plan's key, or starts new work. */
export async function startOrResume(
  runtime: Runtime,
  job: Job,
  plan: JobPlan & { readonly projectPath: string },
): Promise<StartedJob> {
  const unfinished = await unfinishedOf(runtime, job, plan.key)
  if (plan.fresh) for (const row of unfinished) await endTree(runtime, row.id)
  const newest = plan.fresh ? undefined : unfinished.at(-1)
  if (newest === undefined) return startJob(runtime, job, plan)
  if (newest.status === 'paused') await runtime.sessions.resume(newest.id, { cascade: true })
  const name = newest.name ?? plan.name
  const tree = await runtime.sessions.descendants(newest.id)
  const main = tree.find(
    (row) => row.agent_id === job.main.id && row.owner_id === newest.id && row.outcome === null,
  )
  const runId = main?.id ?? (await startMain(runtime, job, { plan, name, sessionId: newest.id }))
  return { sessionId: newest.id, runId, name, resumed: true }
}

/** Unfinished sessions of this job and key, oldest first. */
async function unfinishedOf(runtime: Runtime, job: Job, key: string): Promise<SessionRow[]> {
  const mine = jobTags(job, key)
  return (await runtime.sessions.directory.rows()).filter(
    (row) =>
      row.machine === 'session' &&
      (row.status === 'created' || row.status === 'active' || row.status === 'paused') &&
      mine.every((tag) => row.tags.includes(tag)),
  )
}

function jobTags(job: Job, key: string): string[] {
  return [`job:${job.name}`, `key:${key}`]
}

async function startJob(
  runtime: Runtime,
  job: Job,
  plan: JobPlan & { readonly projectPath: string },
): Promise<StartedJob> {
  const name = await freeName(runtime, plan.name)
  const tags = [...jobTags(job, plan.key), ...plan.tags]
  const session = await runtime.sessions.start({ role: job.main.role, name, tags })
  const runId = await startMain(runtime, job, { plan, name, sessionId: session.id })
  return { sessionId: session.id, runId, name, resumed: false }
}

async function startMain(
  runtime: Runtime,
  job: Job,
  work: {
    readonly plan: JobPlan & { readonly projectPath: string }
    readonly name: string
    readonly sessionId: string
  },
): Promise<string> {
  const { plan, name, sessionId } = work
  const run = await runtime.agents.startById({
    agent_id: job.main.id,
    task_description: job.summary,
    session_id: sessionId,
    input: plan.input({ name, projectPath: plan.projectPath }),
  })
  return run.run_id
}

/** `review`, then `review-2`, `review-3`: a name belongs to one unarchived session. */
async function freeName(runtime: Runtime, wanted: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wanted : `${wanted}-${n}`
    if ((await runtime.sessions.byName(name)) === undefined) return name
  }
}

/** Gives up unfinished work: its runs are cancelled, its sessions ended; all on the record. */
async function endTree(runtime: Runtime, sessionId: string): Promise<void> {
  const reason = 'given up for a fresh start'
  for (const row of await runtime.sessions.descendants(sessionId)) {
    if (row.machine === 'agent' && row.outcome === null) await runtime.agents.cancel(row.id, reason)
    if (row.machine === 'session' && row.status !== 'completed' && row.status !== 'archived') {
      await runtime.sessions.end(row.id, { reason: 'exit' })
    }
  }
  await runtime.sessions.end(sessionId, { reason: 'exit' })
}
