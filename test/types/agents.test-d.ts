/** What does not fit does not compile: agents, tools and their results; checked by `tsc --noEmit`, never run. */
import { z } from 'zod'
import { defineAgent, defineTool, type Runtime } from '../../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function holds<T extends true>(): T

const add = defineTool({
  name: 'add',
  capabilities: ['read:numbers'],
  input: z.object({ a: z.number(), b: z.number() }),
  inDoubt: 'retry',
  execute: ({ a, b }) => a + b,
})
const sum = defineAgent({
  id: 'sum',
  input: z.object({ numbers: z.array(z.number()) }),
  run: async (ctx, { numbers }) => {
    // @ts-expect-error a tool's input has the shape of its schema
    await ctx.tool(add, { a: 1 })
    // @ts-expect-error a field of another type
    await ctx.tool(add, { a: 1, b: '2' })
    const total = await ctx.tool(add, { a: numbers[0] ?? 0, b: 1 })
    holds<Equal<typeof total, number>>()
    const text = await ctx.step('text', () => `${total}`)
    holds<Equal<typeof text, string>>()
    return { total }
  },
})

export async function doors({ agents }: Runtime): Promise<void> {
  const run = await agents.start(sum, { input: { numbers: [1] } })
  // @ts-expect-error the input is missing
  await agents.start(sum, {})
  // @ts-expect-error the input has another shape
  await agents.start(sum, { input: { numbers: ['1'] } })
  const { output } = await run.result()
  const value: { total: number } | undefined = output.value
  // @ts-expect-error the output has no such field
  void output.value?.more
  void value
  // @ts-expect-error a tool says what to do when its outcome is in doubt
  defineTool({ name: 'x', capabilities: [], input: z.object({}), execute: () => 1 })
  // @ts-expect-error there is no such policy
  defineTool({ name: 'x', capabilities: [], input: z.object({}), inDoubt: 'hope', execute: () => 1 })
}
