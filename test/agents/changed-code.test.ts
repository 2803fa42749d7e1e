/** A handler runs again with other code, or with other timing: it goes on, keeps its old path, or is parked with both names. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  defineAgent,
  startBackgroundAgent,
  type AgentDefinition,
  type HandlerContext,
  type Runtime,
} from '../../src/index.ts'
import { deferred, eventsOf, projectFolder, until } from './project-folder.ts'

const project = projectFolder()

type Code = (ctx: HandlerContext, ran: (what: string) => void) => Promise<unknown>

/** Agent "changing" with this code. */
function agent(code: Code, ran: string[] = []): AgentDefinition {
  return defineAgent('changing', async (ctx) => code(ctx, (what) => void ran.push(what)))
}

const gone = new Promise<never>(() => {})

/** Runs the code until `name` is under way, and closes. */
async function beginAndClose(code: (blocker: () => Promise<never>) => Code): Promise<string> {
  const reached = deferred()
  const blocker = (): Promise<never> => {
    reached.resolve()
    return gone
  }
  const runtime = await project.open({ agents: [agent(code(blocker))] })
  const run = await runtime.agents.startById({ agent_id: 'changing' })
  await reached.promise
  await runtime.close()
  return run.run_id
}

const stateOf = async (runtime: Runtime, runId: string): Promise<string> =>
  (await runtime.agents.result({ agent_id: runId })).state

describe('a handler whose calls come in another order', () => {
  const begun = (): Promise<string> =>
    beginAndClose((block) => async (ctx) => {
      await ctx.step('a', () => 1)
      await ctx.step('b', () => 2)
      await ctx.step('c', block)
    })

  test('is parked, visibly, with both names, and goes on with the right code (ruling 4)', async () => {
    const runId = await begun()
    const ran: string[] = []
    const swapped = await project.open({
      agents: [
        agent(async (ctx) => {
          await ctx.step('b', () => ran.push('b'))
          await ctx.step('a', () => ran.push('a'))
        }),
      ],
    })
    await until(async () => (await stateOf(swapped, runId)) === 'parked', 'the run to be parked')
    const parked = await swapped.agents.result({ agent_id: runId })
    expect(parked.status).toBe('running')
    expect(parked.output.errors?.[0]).toMatch(/made the call "step:b:1" where the log has "step:a:1"/)
    expect(swapped.parked).toMatchObject([{ id: runId, code: 'HANDLER_DIVERGED' }])
    expect(ran).toEqual([])
    await swapped.close()

    const right = await project.open({
      agents: [
        agent(async (ctx, note) => {
          const a = await ctx.step('a', () => note('a'))
          const b = await ctx.step('b', () => note('b'))
          await ctx.step('c', () => note('c'))
          return [a, b]
        }, ran),
      ],
    })
    expect(await stateOf(right, runId)).toBe('parked')
    await right.sessions.resume(runId)
    const result = await right.agents.wait(runId, { timeout: 10_000 })
    expect(result.output.value).toEqual([1, 2])
    expect(ran).toEqual(['c'])
    expect(right.parked).toEqual([])
  })

  test.each<[string, Code, RegExp]>([
    [
      'one call is missing',
      async (ctx) => {
        await ctx.step('a', () => 1)
        await ctx.step('c', () => 3)
      },
      /made the call "step:c:1" where the log has "step:b:1"/,
    ],
    [
      'one is new in front',
      async (ctx) => {
        await ctx.step('new', () => 0)
      },
      /made the call "step:new:1" where the log has "step:a:1"/,
    ],
    ['it ends too early', async (ctx) => ctx.step('a', () => 1), /ended where the log has "step:b:1"/],
    [
      'it fails too early',
      async (ctx) => {
        await ctx.step('a', () => 1)
        throw new Error('not any more')
      },
      /ended where the log has "step:b:1"/,
    ],
    [
      'it catches what it is told, and hangs',
      async (ctx) => {
        await ctx.step('b', () => 1).catch(() => gone)
      },
      /made the call "step:b:1" where the log has "step:a:1"/,
    ],
  ])('is parked when %s', async (_what, code, message) => {
    const runId = await begun()
    const runtime = await project.open({ agents: [agent(code)] })
    await until(async () => (await stateOf(runtime, runId)) === 'parked', 'the run to be parked')
    expect((await runtime.agents.result({ agent_id: runId })).output.errors?.[0]).toMatch(message)
  })
})

describe('a marked change', () => {
  const changed: Code = async (ctx, ran) => {
    await ctx.step('a', () => ran('a'))
    if (await ctx.patch('better-b')) await ctx.step('better b', () => ran('better b'))
    else await ctx.step('b', () => ran('b'))
    await ctx.step('c', () => ran('c'))
    return ctx.patch('better-b')
  }

  test('leaves runs that were begun before it on their old path', async () => {
    const runId = await beginAndClose((block) => async (ctx) => {
      await ctx.step('a', () => 1)
      await ctx.step('b', block)
    })
    const ran: string[] = []
    const runtime = await project.open({ agents: [agent(changed, ran)] })
    const result = await runtime.agents.wait(runId, { timeout: 10_000 })
    expect(result.output.value).toBe(false)
    expect(ran).toEqual(['b', 'c'])
  })

  test('is taken by new runs, also after a restart behind it', async () => {
    const runId = await beginAndClose((block) => async (ctx) => {
      await ctx.step('a', () => 1)
      if (await ctx.patch('better-b')) await ctx.step('better b', () => 2)
      await ctx.step('c', block)
    })
    const ran: string[] = []
    const runtime = await project.open({ agents: [agent(changed, ran)] })
    const result = await runtime.agents.wait(runId, { timeout: 10_000 })
    expect(result.output.value).toBe(true)
    expect(ran).toEqual(['c'])
  })
})

/** The context, but its steps hang once `enough` says so. */
function stopped(ctx: HandlerContext, enough: () => boolean, tell: () => void): HandlerContext {
  return {
    ...ctx,
    step: (name, fn) =>
      ctx.step(name, async (step) => {
        if (!enough()) return fn(step)
        tell()
        return gone
      }),
  }
}

describe('branches in parallel', () => {
  /** Three chains of steps; how long each step takes is up to the attempt. */
  const chains =
    (duration: (branch: number, step: number) => number): Code =>
    async (ctx, ran) =>
      Promise.all(
        [0, 1, 2].map(async (branch) => {
          const seen: string[] = []
          for (let step = 0; step < 4; step += 1) {
            // The same name in every branch: only the order tells them apart.
            const value = await ctx.step('link', async () => {
              const ms = duration(branch, step)
              if (ms > 0) await sleep(ms)
              ran(`${branch}.${step}`)
              return `${branch}.${step}`
            })
            seen.push(value)
            // Some branches think longer, in turns that nobody records.
            for (let turn = 0; turn < (2 - branch) * 40; turn += 1) await Promise.resolve()
          }
          return seen
        }),
      )
  const whole = [0, 1, 2].map((branch) => [0, 1, 2, 3].map((step) => `${branch}.${step}`))

  test('do not diverge after a restart, whatever each step takes then', async () => {
    for (const stopAfter of [1, 3, 5, 6, 8, 10, 11]) {
      const before: string[] = []
      const first = await project.open({
        agents: [
          agent(
            chains((branch, step) => 3 + ((branch * 7 + step * 5 + stopAfter) % 11)),
            before,
          ),
        ],
      })
      const run = await first.agents.startById({ agent_id: 'changing' })
      await until(() => before.length >= stopAfter)
      await first.close()
      const after: string[] = []
      const second = await project.open({
        agents: [
          agent(
            chains((branch, step) => 1 + ((branch * 3 + step * 11) % 7)),
            after,
          ),
        ],
      })
      const result = await second.agents.wait(run.run_id, { timeout: 10_000 })
      expect(result.output.errors).toBeUndefined()
      expect(result.output.value).toEqual(whole)
      expect(before.length + after.length).toBeLessThanOrEqual(12 + 3)
      await second.close()
    }
  })

  test('do not diverge where all of them go on in the same moment', async () => {
    for (const stopAfter of [2, 4, 5, 7, 9, 11]) {
      const before: string[] = []
      const reached = deferred()
      // Every step ends at once, so that outcomes share a batch; the one that is too much never does.
      const stopping: Code = (ctx, ran) =>
        chains(() => 0)(
          stopped(ctx, () => before.length >= stopAfter, reached.resolve),
          ran,
        )
      const first = await project.open({ agents: [agent(stopping, before)] })
      const run = await first.agents.startById({ agent_id: 'changing' })
      await reached.promise
      await first.close()
      const second = await project.open({ agents: [agent(chains(() => 0))] })
      const result = await second.agents.wait(run.run_id, { timeout: 10_000 })
      expect(result.output.errors).toBeUndefined()
      expect(result.output.value).toEqual(whole)
      await second.close()
    }
  })

  test('keep their own, where a step that is run again ends before the others have caught up', async () => {
    const reached = deferred()
    const code =
      (hang: boolean): Code =>
      async (ctx) =>
        Promise.all([
          (async () => [
            await ctx.step('link', () => (hang ? gone : 'a1')),
            await ctx.step('link', () => 'a2'),
          ])(),
          (async () => {
            const seen: string[] = []
            for (let n = 1; n <= 40; n += 1) {
              seen.push(await ctx.step('link', () => `b${n}`))
              await sleep(1)
            }
            if (hang) reached.resolve()
            return seen
          })(),
        ])
    const first = await project.open({ agents: [agent(code(true))] })
    const run = await first.agents.startById({ agent_id: 'changing' })
    await reached.promise
    await first.close()
    const second = await project.open({ agents: [agent(code(false))] })
    const result = await second.agents.wait(run.run_id, { timeout: 10_000 })
    expect(result.output.value).toEqual([['a1', 'a2'], Array.from({ length: 40 }, (_, n) => `b${n + 1}`)])
  })

  test('give each its own outcome, where one does something unrecorded between its steps', async () => {
    const code =
      (pause: number): Code =>
      async (ctx) =>
        Promise.all([
          (async () => {
            await ctx.step('slow a', () => 1)
            await sleep(pause)
            return ctx.step('slow b', () => 2)
          })(),
          (async () => {
            await ctx.step('fast a', async () => sleep(20, 3))
            await ctx.step('fast b', () => 4)
            return ctx.step('end', () => (pause === 1 ? gone : 5))
          })(),
        ])
    const first = await project.open({ agents: [agent(code(1))] })
    const run = await first.agents.startById({ agent_id: 'changing' })
    const names = async (): Promise<unknown[]> =>
      (await eventsOf(first, run.run_id)).map((event) => (event.payload as { key?: string }).key)
    await until(async () => (await names()).includes('step:end:1'))
    await first.close()
    const second = await project.open({ agents: [agent(code(200))] })
    const result = await second.agents.wait(run.run_id, { timeout: 10_000 })
    expect(result.output).toMatchObject({ value: [2, 5] })
  })
})

describe('a durable call inside of another', () => {
  test('is refused, because it could not be found again', async () => {
    const runtime = await project.open({
      agents: [
        agent(async (ctx) =>
          ctx.step('outer', async () => {
            const inner = await ctx.step('inner', () => 1).catch((error: { code: string }) => error.code)
            const start = await startBackgroundAgent({ agent_id: 'changing' }).catch(
              (error: { code: string }) => error.code,
            )
            return [inner, start]
          }),
        ),
      ],
    })
    const run = await runtime.agents.startById({ agent_id: 'changing' })
    expect((await run.result()).output.value).toEqual(['CALL_NESTED', 'CALL_NESTED'])
    expect(await runtime.agents.list()).toHaveLength(1)
  })

  test('books cost and progress at once, as part of the step', async () => {
    const runtime = await project.open({
      agents: [
        agent(async (ctx) => {
          await ctx.step('model', async () => {
            await ctx.spend({ usd: 0.25, tokens: 7 })
            await ctx.progress({ phase: 'asking' })
          })
          return ctx.step('after', () => 'ok')
        }),
      ],
    })
    const run = await runtime.agents.startById({ agent_id: 'changing' })
    const result = await run.result()
    expect(result.output.value).toBe('ok')
    expect(result.billing).toMatchObject({ tokens_used: 7, estimated_cost: 0.25 })
    expect((await runtime.sessions.get(run.run_id)).phase).toBe('asking')
  })
})
