/** Reads the largest sources closely; priced before, and split to the hot spots when the whole is refused. */
import { z } from 'zod'
import { createPriceBook, defineAgent, defineTool, PermissionDeniedError } from '@agent-orchestration/core'
import { reportUp } from './analysis-agents.ts'
import { hotSpots } from './analyses/hot-spots.ts'
import { deepReview } from './analyses/structure.ts'
import { countTokens } from './analyses/tokens.ts'
import { largestSources } from './largest-sources.ts'
import { countExecution } from './ledger.ts'
import { readText } from './analyses/tree.ts'
import { taskSchema, type TaskInput } from './task-input.ts'
import { taskResult, type TaskRefusal } from './task-result.ts'
import { taskById } from './tasks.ts'

/** What a model would be paid to read these files; no model is called here, so nothing is spent. */
export const MODEL = 'reviewer-large'
export const PRICES = createPriceBook([
  { model: MODEL, input_usd_per_million: 3, output_usd_per_million: 15 },
])
/** A review answers with about a tenth of what it read. */
const OUTPUT_SHARE = 0.1
const WHOLE = 25
const SPLIT = 3

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
  run: async (ctx, input) => {
    const task = taskById('deep-review')
    const whole = await ctx.step('choose files', async ({ idempotency_key: key, signal }) => {
      await countExecution(input.ledger, { task: task.id, phase: 'begun', key })
      const files = await largestSources({ root: input.root, limit: WHOLE, signal })
      const chosen = await withTokens(input.root, files)
      await countExecution(input.ledger, { task: task.id, phase: 'ended', key })
      return chosen
    })
    if (whole.files.length === 0) return taskResult(task, { not_measured: 'no source files' })
    const refusals: TaskRefusal[] = []
    let part = whole
    let findings
    try {
      findings = await ctx.tool(readClosely, { root: input.root, ...whole })
    } catch (error) {
      if (!(error instanceof PermissionDeniedError)) throw error
      part = await ctx.step('split to the hot spots', ({ signal }) =>
        splitToHotSpots(input, whole.files, signal),
      )
      refusals.push({
        what: `a close reading of ${whole.files.length} files (${whole.tokens} tokens)`,
        reason: error.reason,
        alternatives: error.alternatives,
        instead: `read the ${part.files.length} hot spots among them (${part.tokens} tokens, $${priceOf(part.tokens).toFixed(2)})`,
      })
      findings = await ctx.tool(readClosely, { root: input.root, ...part })
    }
    const facts = {
      files: part.files.length,
      tokens: part.tokens,
      priced_usd: priceOf(part.tokens),
      spent_usd: 0,
    }
    const result = taskResult(task, { findings, facts, refusals })
    await reportUp(task, result)
    return result
  },
})

type Chosen = { readonly files: readonly string[]; readonly tokens: number }

async function withTokens(
  root: string,
  files: readonly string[],
): Promise<{ files: string[]; tokens: number }> {
  let tokens = 0
  const readable: string[] = []
  for (const file of files) {
    const text = await readText(root, file)
    if (text === undefined) continue
    readable.push(file)
    tokens += await countTokens(text.text)
  }
  return { files: readable, tokens }
}

/** The files among `files` that change most often; the largest ones where no history is to be had. */
async function splitToHotSpots(
  input: TaskInput,
  files: readonly string[],
  signal: AbortSignal,
): Promise<{ files: string[]; tokens: number }> {
  const { root, started_at: startedAt } = input
  const measured = await hotSpots({ root, startedAt, signal })
  const hot = measured.status === 'measured' ? measured.findings.map((finding) => finding.file) : []
  const chosen: Chosen['files'] = [...hot.filter((file) => files.includes(file)), ...files]
  return withTokens(root, [...new Set(chosen)].slice(0, SPLIT))
}

/** USD. */
function priceOf(tokens: number): number {
  return PRICES.costOf({
    model: MODEL,
    input_tokens: tokens,
    output_tokens: Math.round(tokens * OUTPUT_SHARE),
  }).usd
}
