/** Agents that go round in circles are warned about and ended, by what is on record; those that get somewhere are not. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { findLoop, type CallEnd, type Loop } from '../../src/agents/loop-guard.ts'
import { defineAgent, defineTool, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import { deferred, eventsOf, projectFolder } from './project-folder.ts'

const project = projectFolder()
const limits = { warnAt: 3, stopAt: 5 }

const ends = (signatures: readonly string[]): CallEnd[] =>
  signatures.map((signature) => ({ name: signature, signature }))
/** What was found after each call. */
const found = (signatures: readonly string[]): (Loop | undefined)[] =>
  signatures.map((_, index) => findLoop(ends(signatures.slice(0, index + 1)), limits))
const repeated = (round: readonly string[], times: number): string[] =>
  Array.from({ length: times }, () => round).flat()

describe('a loop', () => {
  test.each([[['a']], [['a', 'b']], [['a', 'b', 'c']], [['a', 'a', 'b']], [['a', 'b', 'a', 'c']]])(
    'of %o is told at the end of its third and of its fifth round, and only then',
    (round) => {
      const told = found(repeated(round, 5)).flatMap((loop, index) =>
        loop === undefined ? [] : [{ after: index + 1, ...loop }],
      )
      const period = round.length
      expect(told).toEqual([
        { after: 3 * period, kind: 'warn', period, repetitions: 3, calls: round },
        { after: 5 * period, kind: 'stop', period, repetitions: 5, calls: round },
      ])
    },
  )

  test('is found exactly where the end of the history goes round three times, or five and more (property)', () => {
    const letter = fc.constantFrom('a', 'b', 'c')
    /** By brute force: the longest end that repeats itself after so many calls. */
    const tail = (history: readonly string[], period: number): number =>
      history
        .map((_, from) => history.slice(from))
        .filter((end) => end.every((one, at) => at < period || one === end[at - period]))
        .reduce((longest, end) => Math.max(longest, end.length), 0)
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 60 }), (history) => {
        const kinds = [1, 2, 3, 4].map((period) => {
          const length = tail(history, period)
          return length >= 5 * period ? 'stop' : length === 3 * period ? 'warn' : undefined
        })
        const expected = kinds.find((kind) => kind === 'stop') ?? kinds.find((kind) => kind === 'warn')
        expect(findLoop(ends(history), limits)?.kind).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('that never ends is stopped within five rounds, whatever came before and however long its round (property)', () => {
    const letter = fc.constantFrom('a', 'b', 'c', 'd')
    fc.assert(
      fc.property(
        fc.array(letter, { maxLength: 20 }),
        fc.array(letter, { minLength: 1, maxLength: 4 }),
        (before, round) => {
          const history = [...before, ...repeated(round, 5)]
          const stops = history.map((_, index) => findLoop(ends(history.slice(0, index + 1)), limits)?.kind)
          expect(stops).toContain('stop')
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is none while results differ: a call that brings something new may be made for ever', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { maxLength: 50 }), (signatures) => {
        expect(found(signatures).every((loop) => loop === undefined)).toBe(true)
      }),
    )
  })
})

/** An agent that calls its tools by a plan; each entry is a tool's name. */
function looper(
  plan: readonly string[],
  behaviour: { readonly poll?: boolean; readonly changing?: boolean; readonly fails?: boolean } = {},
): RuntimeOptions & { readonly ran: string[] } {
  const ran: string[] = []
  const tool = (name: string) =>
    defineTool({
      name,
      capabilities: [],
      input: z.object({ of: z.string() }),
      estimate: () => 0,
      inDoubt: 'retry',
      ...(behaviour.poll === true && { poll: true }),
      execute: () => {
        ran.push(name)
        if (behaviour.fails === true) throw new Error('still not there')
        return behaviour.changing === true ? ran.length : 'same'
      },
    })
  const agent = defineAgent('looper', async (ctx) => {
    for (const name of plan) await ctx.tool(tool(name), { of: 'it' }).catch(() => {})
    return ran.length
  })
  return { ran, agents: [agent] }
}

const loopEvents = async (runtime: Runtime, id: string): Promise<unknown[]> =>
  (await eventsOf(runtime, id))
    .filter((event) => event.event_type.startsWith('loop.'))
    .map((event) => [event.event_type, (event.payload as { repetitions: number }).repetitions])

describe('a run', () => {
  test('that goes round is warned about at three and ended at five, whatever its handler makes of it', async () => {
    const { ran, ...options } = looper(repeated(['a'], 20))
    const runtime = await project.open(options)
    const run = await runtime.agents.startById({ agent_id: 'looper' })
    const result = await run.result()
    expect(result).toMatchObject({ state: 'failed', status: 'failed' })
    expect(result.output.errors).toEqual([
      expect.stringContaining('"a" was called 5 times with the same input'),
    ])
    expect(result.output.logs.at(-1)).toMatch(/^stopped: Run/)
    expect(ran).toHaveLength(5)
    expect(await loopEvents(runtime, run.run_id)).toEqual([
      ['loop.warned', 3],
      ['loop.stopped', 5],
    ])
    const failed = (await eventsOf(runtime, run.run_id)).find((event) => event.event_type === 'agent.failed')
    expect(failed?.payload).toMatchObject({ error: { code: 'LOOP_DETECTED' } })
  })

  test('whose calls alternate is ended too, and so is one whose calls fail in the same way each time', async () => {
    for (const [plan, behaviour, calls] of [
      [repeated(['a', 'b'], 20), {}, 10],
      [repeated(['a', 'b', 'c', 'd'], 20), {}, 20],
      [repeated(['a'], 20), { fails: true }, 5],
    ] as const) {
      const { ran, ...options } = looper(plan, behaviour)
      const runtime = await project.open(options)
      const run = await runtime.agents.startById({ agent_id: 'looper' })
      expect((await run.result()).state).toBe('failed')
      expect(ran).toHaveLength(calls)
      await runtime.close()
    }
  })

  test('that polls, or gets another result each time, or goes on after four, is left alone', async () => {
    for (const [plan, behaviour] of [
      [repeated(['a'], 12), { poll: true }],
      [repeated(['a'], 12), { changing: true }],
      [[...repeated(['a'], 4), 'b', ...repeated(['a'], 4)], {}],
    ] as const) {
      const { ran, ...options } = looper(plan, behaviour)
      const runtime = await project.open(options)
      const run = await runtime.agents.startById({ agent_id: 'looper' })
      expect((await run.result()).state).toBe('completed')
      expect(ran).toHaveLength(plan.length)
      await runtime.close()
    }
  })

  test('is measured by limits of its runtime, and not at all if the guard is off', async () => {
    const { ran, ...options } = looper(repeated(['a'], 9))
    const strict = await project.open({ ...options, loopGuard: { stopAt: 2 } })
    expect((await (await strict.agents.startById({ agent_id: 'looper' })).result()).state).toBe('failed')
    expect(ran.splice(0)).toHaveLength(2)
    await strict.close()
    const open = await project.open({ ...options, loopGuard: false })
    expect((await (await open.agents.startById({ agent_id: 'looper' })).result()).state).toBe('completed')
    expect(ran).toHaveLength(9)
    await expect(project.open({ loopGuard: { warnAt: 0 } })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  test('does not start to count anew after a restart: what is on record counts', async () => {
    const ran: number[] = []
    const reached = deferred()
    const build = (block: boolean): RuntimeOptions => {
      const a = defineTool({
        name: 'a',
        capabilities: [],
        input: z.object({}),
        estimate: () => 0,
        inDoubt: 'retry',
        execute: () => void ran.push(1),
      })
      const agent = defineAgent('looper', async (ctx) => {
        for (let round = 1; round <= 20; round += 1) {
          await ctx.tool(a, {})
          if (round !== 4) continue
          await ctx.step('rest', () => {
            reached.resolve()
            return block ? new Promise<never>(() => {}) : 1
          })
        }
      })
      return { agents: [agent] }
    }
    const first = await project.open(build(true))
    const run = await first.agents.startById({ agent_id: 'looper' })
    await reached.promise
    await first.close()
    expect(ran).toHaveLength(4)
    const second = await project.open(build(false))
    expect((await second.agents.wait(run.run_id, { timeout: 10_000 })).state).toBe('failed')
    expect(ran).toHaveLength(5)
    expect(await loopEvents(second, run.run_id)).toEqual([
      ['loop.warned', 3],
      ['loop.stopped', 5],
    ])
  })
})
