/** What a review is asked to do: the input of its main agent, and how it is read from the command line. */
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { JobPlan } from '@agent-orchestration/core'
import { inspectRepository } from './analyses/repository.ts'

export const reviewSchema = z.object({
  /** The reviewed folder. */
  root: z.string().min(1),
  name: z.string().min(1),
  commit: z.string().nullable(),
  /** Where each execution of an analysis is counted, outside the log; `null` for nowhere. */
  ledger: z.string().nullable(),
})
export type ReviewInput = z.infer<typeof reviewSchema>

/** The main agent's input: also where the report is written, absolute. */
export const orchestratorSchema = reviewSchema.extend({ report: z.string().min(1) })

export const USAGE = `[path] [--run-scripts] [--fresh] [--ledger <file>]

  path           a git repository, or any folder (default: the current one)
  --run-scripts  also run its own npm scripts "lint" and "typecheck"
  --fresh        start another review instead of going on with an unfinished one
  --ledger       append a line to this file for each execution of an analysis`

/** This example lives in the repository whose scripts it trusts. */
const OWN_ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Reads the arguments; refuses a path that cannot be reviewed, before anything is started. */
export async function planReview(
  args: readonly string[],
  { cwd }: { readonly cwd: string },
): Promise<ReviewPlan> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'run-scripts': { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      ledger: { type: 'string' },
    },
  })
  if (positionals.length > 1)
    throw new Error(`Expected one path, got ${positionals.length}: ${positionals.join(', ')}.`)
  const facts = await inspectRepository(resolve(cwd, positionals[0] ?? '.'))
  if (facts.kind === 'unusable') {
    throw new Error(
      `${facts.root} cannot be reviewed: ${facts.why}. Give the path of a folder with files in it.`,
    )
  }
  const { root } = facts
  const commit = facts.kind === 'repository' ? facts.head : null
  const base = basename(root) || 'root'
  const trusted = values['run-scripts'] || root === (await realpath(OWN_ROOT).catch(() => ''))
  const ledger = values.ledger === undefined ? null : resolve(cwd, values.ledger)
  const key = createHash('sha256')
    .update(`${root}\0${commit ?? ''}`)
    .digest('hex')
    .slice(0, 16)
  const tags = [`repository:${base}`, ...(commit === null ? [] : [`commit:${commit.slice(0, 12)}`])]
  return {
    key,
    tags,
    fresh: values.fresh,
    name: `review-${base}`,
    input: ({ name, projectPath }) => ({
      root,
      name,
      commit,
      ledger,
      report: join(projectPath, 'reports', `${name}.md`),
    }),
    ...(trusted && { trusted: root }),
  }
}

type ReviewPlan = JobPlan & { readonly trusted?: string }

/** Folders whose scripts the person at the command line trusts. */
export function trustedRoots(plan: ReviewPlan): string[] {
  return plan.trusted === undefined ? [] : [plan.trusted]
}
