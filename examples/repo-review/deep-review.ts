/** Reads the largest sources closely; priced before, and split to the hot spots when the whole is refused. */
import { z } from 'zod'
import {
  createPriceBook,
  defineAgent,
  defineTool,
  PermissionDeniedError,
  type HandlerContext,
} from '@agent-orchestration/core'
import { reportUp } from './analysis-agents.ts'
import type { Finding } from './analyses/finding.ts'
import { sortFindings } from './analyses/finding.ts'
import { hotSpots } from './analyses/hot-spots.ts'
import { deepReview } from './analyses/structure.ts'
import { countTokens } from './analyses/tokens.ts'
import { readText } from './analyses/tree.ts'
import { largestSources } from './largest-sources.ts'
import { countExecution } from './ledger.ts'
import { taskSchema, type TaskInput } from './task-input.ts'
import { taskResult, type TaskRefusal, type TaskResult } from './task-result.ts'
import { taskById } from './tasks.ts'

/** What a model would be paid to read these files; no model is called here, so nothing is spent. */
const MODEL = 'reviewer-large'
const PRICES = createPriceBook([{ model: MODEL, input_usd_per_million: 3, output_usd_per_million: 15 }])
/** A review answers with about a tenth of what it read. */
const OUTPUT_SHARE = 0.1
const WHOLE = 25
const HOT_SPOTS = 5

type Priced = { readonly file: string; readonly tokens: number }

export const readClosely = defineTool({
  name: 'read-closely',
  capabilities: ['execute:api:model'],
  input: z.object({ root: z.string(), files: z.array(z.string()), tokens: z.number().int() }),
  estimate: ({ tokens }) => priceOf(tokens),
  inDoubt: 'retry',
  // The reader that needs no model: long functions and deep nesting, found in the text.
  execute: async ({ root, files }, { signal, log }) => deepReview({ root, files, signal, log }),
})

export const deepReviewAgent = defineAgent({
  id: 'deep-review',
  input: taskSchema,
  run: async (ctx, input): Promise<TaskResult> => {
    const task = taskById('deep-review')
    const largest = await ctx.step('choose files', async ({ idempotency_key: key, signal }) => {
      await countExecution(input.ledger, { task: task.id, phase: 'begun', key })
      const files = await priced(input.root, await largestSources({ root: input.root, limit: WHOLE, signal }))
      await countExecution(input.ledger, { task: task.id, phase: 'ended', key })
      return files
    })
    const result =
      largest.length === 0
        ? taskResult(task, { not_measured: 'no source files' })
        : taskResult(task, await readWhatIsAllowed(ctx, input, largest))
    await reportUp(task, result)
    return result
  },
})

type Reading = Pick<TaskResult, 'findings' | 'facts' | 'refusals'>

/** All of them at once; if that is refused, the hot spots among them, one by one. */
async function readWhatIsAllowed(
  ctx: HandlerContext,
  input: TaskInput,
  largest: readonly Priced[],
): Promise<Reading> {
  const whole = await read(ctx, input, largest)
  if ('findings' in whole) return { findings: whole.findings, facts: factsOf(largest), refusals: [] }

  const hot = await ctx.step('split to the hot spots', ({ signal }) => hottest(input, largest, signal))
  const findings: Finding[] = []
  const done: Priced[] = []
  const refusals: TaskRefusal[] = []
  for (const file of hot) {
    const part = await read(ctx, input, [file])
    if ('findings' in part) {
      findings.push(...part.findings)
      done.push(file)
    } else refusals.push(refusal([file], part.denied, 'left it out'))
  }
  const instead = `read ${done.length} hot spots among them, one by one (${tokensOf(done)} tokens, $${priceOf(tokensOf(done)).toFixed(2)})`
  return {
    findings: sortFindings(findings),
    facts: factsOf(done),
    refusals: [refusal(largest, whole.denied, instead), ...refusals],
  }
}

async function read(
  ctx: HandlerContext,
  { root }: TaskInput,
  files: readonly Priced[],
): Promise<{ readonly findings: readonly Finding[] } | { readonly denied: PermissionDeniedError }> {
  try {
    const names = files.map(({ file }) => file)
    return { findings: await ctx.tool(readClosely, { root, files: names, tokens: tokensOf(files) }) }
  } catch (error) {
    if (error instanceof PermissionDeniedError) return { denied: error }
    throw error
  }
}

function refusal(files: readonly Priced[], denied: PermissionDeniedError, instead: string): TaskRefusal {
  const what = files.length === 1 ? (files[0]?.file ?? '') : `${files.length} files`
  return {
    what: `a close reading of ${what} (${tokensOf(files)} tokens)`,
    reason: denied.reason,
    alternatives: denied.alternatives,
    instead,
  }
}

async function priced(root: string, files: readonly string[]): Promise<Priced[]> {
  const result: Priced[] = []
  for (const file of files) {
    const text = await readText(root, file)
    if (text !== undefined) result.push({ file, tokens: await countTokens(text.text) })
  }
  return result
}

/** The files that change most often; the largest ones where no history is to be had. */
async function hottest(input: TaskInput, files: readonly Priced[], signal: AbortSignal): Promise<Priced[]> {
  const { root, started_at: startedAt } = input
  const measured = await hotSpots({ root, startedAt, signal })
  const hot = measured.status === 'measured' ? measured.findings.map((finding) => finding.file) : []
  const rank = (one: Priced): number => (hot.includes(one.file) ? hot.indexOf(one.file) : hot.length)
  return files.toSorted((a, b) => rank(a) - rank(b)).slice(0, HOT_SPOTS)
}

function tokensOf(files: readonly Priced[]): number {
  return files.reduce((sum, one) => sum + one.tokens, 0)
}

function factsOf(files: readonly Priced[]): TaskResult['facts'] {
  const tokens = tokensOf(files)
  return { files: files.length, tokens, priced_usd: priceOf(tokens), spent_usd: 0 }
}

/** USD. */
function priceOf(tokens: number): number {
  const usage = { model: MODEL, input_tokens: tokens, output_tokens: Math.round(tokens * OUTPUT_SHARE) }
  return PRICES.costOf(usage).usd
}
