/** What each task agent returns, and how a result read back from the log is taken as one again. */
import { z } from 'zod'
import type { Facts, Finding } from './analyses/finding.ts'

export type Proposal = {
  readonly path: string
  readonly bytes: number
  readonly why: string
  readonly command: string
}

/** Who was refused what, and what it did instead. */
export type TaskRefusal = {
  readonly what: string
  readonly reason: string
  readonly alternatives: readonly string[]
  readonly instead: string
}

export type TaskResult = {
  readonly task: string
  readonly area: Finding['area']
  readonly not_measured: string | null
  readonly findings: readonly Finding[]
  readonly facts: Facts
  readonly refusals: readonly TaskRefusal[]
  readonly proposals: readonly Proposal[]
  readonly metrics: { readonly findings: number }
}

const resultSchema = z.object({
  task: z.string(),
  findings: z.array(z.unknown()),
  refusals: z.array(z.unknown()),
})

export function isTaskResult(value: unknown): value is TaskResult {
  return resultSchema.safeParse(value).success
}

/** A result with nothing in it but what is given. */
export function taskResult(
  task: { readonly id: string; readonly area: Finding['area'] },
  part: Partial<Omit<TaskResult, 'task' | 'area' | 'metrics'>>,
): TaskResult {
  const findings = part.findings ?? []
  return {
    task: task.id,
    area: task.area,
    not_measured: part.not_measured ?? null,
    findings,
    facts: part.facts ?? {},
    refusals: part.refusals ?? [],
    proposals: part.proposals ?? [],
    metrics: { findings: findings.length },
  }
}
