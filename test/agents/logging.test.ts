/** Structured logs: what a logger that the runtime is given hears. */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createRuntime, defineAgent, defineTool } from '../../src/index.ts'
import { z } from 'zod'

type Line = {
  readonly msg: string
  readonly event_type?: string
  readonly correlation_id?: string
  readonly stream_id?: string
}

const listening = (level: string): { lines: Line[]; logger: ReturnType<typeof pino> } => {
  const lines: Line[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Line)
      done()
    },
  })
  return { lines, logger: pino({ level }, stream) }
}

const quiet = defineAgent('quiet', () => 'done')

describe('the runtime’s logger', () => {
  test('hears of every event with its correlation id at level debug', async () => {
    const { lines, logger } = listening('debug')
    const runtime = await createRuntime({ agents: [quiet], logger })
    const run = await runtime.agents.start(quiet, { input: undefined })
    await run.result()
    await runtime.close()
    const told = lines.filter((line) => line.stream_id === run.run_id).map((line) => line.event_type)
    expect(told).toEqual(['agent.created', 'agent.started', 'agent.began', 'agent.succeeded'])
    expect(lines.every((line) => line.stream_id !== run.run_id || line.correlation_id === run.run_id)).toBe(
      true,
    )
  })

  test('hears nothing of a run in which nothing goes wrong at level warn', async () => {
    const { lines, logger } = listening('warn')
    const runtime = await createRuntime({ agents: [quiet], logger })
    await (await runtime.agents.start(quiet, { input: undefined })).result()
    await runtime.close()
    expect(lines).toEqual([])
  })
})

test('two tools of one name are refused at the door', async () => {
  const tool = defineTool({
    name: 'twice',
    capabilities: ['read:file'],
    input: z.object({}),
    inDoubt: 'retry',
    execute: () => 1,
  })
  await expect(createRuntime({ tools: [tool, tool] })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    details: { path: 'tools' },
  })
})
