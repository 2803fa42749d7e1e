/** What a run logs is bounded: a handler or a command that runs wild does not fill the disk, and its result says so. */
import { expect, test } from 'vitest'
import { defineAgent } from '../../src/index.ts'
import { createTestRuntime } from '../../src/testing/index.ts'

const LONGEST_LINE = 64 * 1024
const MOST = 8 * 1024 * 1024

test('a line that is too long, and lines that are too many, are cut, and say so (O-042)', async () => {
  const wild = defineAgent('wild', (ctx) => {
    ctx.log('first')
    ctx.log('x'.repeat(LONGEST_LINE + 1))
    for (let n = 0; n < 300; n += 1) ctx.log('y'.repeat(60_000))
    return 'done'
  })
  await using runtime = await createTestRuntime({ agents: [wild] })
  const { output, state } = await (await runtime.agents.startById({ agent_id: 'wild' })).result()
  expect(state).toBe('completed')
  const [first, long, next] = output.logs
  expect(first).toBe('first')
  expect(long).toBe(`${'x'.repeat(LONGEST_LINE)} [truncated: ${LONGEST_LINE + 1} characters]`)
  expect(next).toHaveLength(60_000)
  expect(output.logs.at(-1)).toBe(`[truncated: more than ${MOST} characters]`)
  expect(output.logs.join('').length).toBeLessThan(MOST + LONGEST_LINE)
})
