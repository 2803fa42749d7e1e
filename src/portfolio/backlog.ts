/** The backlog: what an item must have, and a deterministic order of what to do next. Pure. */
import { z } from 'zod'
import type { BacklogItem } from '../../machines/project.machine.ts'

const slug = z
  .string()
  .max(100)
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'expected lower-case words joined by hyphens')
const list = z.array(z.string()).readonly().default([])

export const backlogItemSchema = z
  .object({
    slug,
    name: z.string().min(1).optional(),
    description: z.string().default(''),
    requirements: list,
    files: list,
    acceptance_criteria: list,
    /** The other name that the article has for the same. */
    acceptance_tests: list,
    priority: z.enum(['critical', 'high', 'medium', 'low']).default('medium'),
  })
  .transform(({ acceptance_tests, acceptance_criteria, name, ...item }): BacklogItem => ({
    ...item,
    name: name ?? item.slug,
    acceptance_criteria: acceptance_criteria.length > 0 ? acceptance_criteria : acceptance_tests,
  }))

/** An item as the article's two templates read it. */
export type Feature = BacklogItem & { readonly acceptance_tests: readonly string[] }

/** A feature that a session works on now. */
export type ActiveFeature = {
  readonly slug: string
  readonly session_id: string
  readonly session_name: string | null
  readonly status: string
  readonly phase: string | null
  readonly percent: number | null
  readonly blockers: readonly string[]
}

const RANK: Readonly<Record<BacklogItem['priority'], number>> = { critical: 0, high: 1, medium: 2, low: 3 }

export function featureOf(item: BacklogItem): Feature {
  return { ...item, acceptance_tests: item.acceptance_criteria }
}

/**
 * What nobody works on yet: by priority; among equals first what serves a goal, that is, shares a word of more than
 * three letters with it; then as it was added.
 */
export function prioritized(
  backlog: readonly BacklogItem[],
  options: { readonly active: readonly { readonly slug: string }[]; readonly goals?: readonly string[] },
): Feature[] {
  const busy = new Set(options.active.map(({ slug }) => slug))
  const goals = new Set((options.goals ?? []).flatMap(wordsOf))
  const serves = (item: BacklogItem): number =>
    wordsOf([item.name, item.description, ...item.requirements].join(' ')).some((word) => goals.has(word))
      ? 0
      : 1
  return backlog
    .filter((item) => !busy.has(item.slug))
    .toSorted((a, b) => RANK[a.priority] - RANK[b.priority] || serves(a) - serves(b))
    .map(featureOf)
}

function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 3)
}
