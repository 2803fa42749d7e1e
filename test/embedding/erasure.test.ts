/** A runtime that seals: nothing of a person is on its disk in the clear, and a person can be erased from it while it runs. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { assign, fromPromise, sendTo, setup, type AnyActorRef } from 'xstate'
import { z } from 'zod'
import { createMemoryKeyRing, unopenedIn } from '../../eventstore/index.ts'
import { defineAgent, defineTool, type Runtime, type RuntimeOptions } from '../../src/index.ts'
import { createTestClock, createTestRuntime } from '../../src/testing/index.ts'
import { allEvents, deferred, eventsOf, projectFolder, until } from '../agents/project-folder.ts'
import { filesWith } from '../eventstore/sealing/project.ts'

const eraseAndDie = fileURLToPath(
  new URL('../../dist/test/faults/programs/erase-and-die.js', import.meta.url),
)

const project = projectFolder()
const SECRET = 'it-hurts-when-she-laughs'

const patient = setup({
  types: {
    context: {} as { readonly notes: readonly string[] },
    input: {} as { readonly subject_id?: string; readonly note: string },
    events: {} as { readonly type: 'note'; readonly text: string } | { readonly type: 'leave' },
  },
  actors: { remind: fromPromise(() => new Promise<void>(() => {})) },
}).createMachine({
  id: 'patient',
  initial: 'here',
  context: ({ input }) => ({ notes: [input.note] }),
  states: {
    here: {
      invoke: { id: 'remind', src: 'remind' },
      after: { 3_600_000: 'gone' },
      on: {
        note: { actions: assign({ notes: ({ context, event }) => [...context.notes, event.text] }) },
        leave: 'gone',
      },
    },
    gone: { type: 'final' },
  },
})

const look = defineTool({
  name: 'look',
  capabilities: ['read:patient:notes'],
  input: z.object({ text: z.string() }),
  estimate: () => 0,
  inDoubt: 'retry',
  execute: async ({ text }) => ({ seen: text }),
})

const doctor = defineAgent({
  id: 'doctor',
  input: z.object({ complaint: z.string(), subject_id: z.string().optional() }),
  run: async (ctx, { complaint }) => {
    const { seen } = await ctx.tool(look, { text: complaint })
    return { diagnosis: `${seen}, indeed` }
  },
})

const options = { machines: [patient], agents: [doctor], tools: [look], sealing: {} } satisfies RuntimeOptions

const erase = { by: 'clerk', reason: 'asked for in writing' }

/** A person's session with a run, a tool call and a handoff, an actor of a machine, and the same for nobody. */
async function day(runtime: Runtime): Promise<{ session: string; run: string }> {
  const session = await runtime.sessions.start({
    role: 'supervisor',
    name: `about ${SECRET}`,
    tags: ['subject:anna'],
  })
  const run = await runtime.agents.start(doctor, { input: { complaint: SECRET }, parent_id: session.id })
  await run.result({ timeoutMs: 20_000 })
  await runtime.sessions.spend(session.id, { usd: 1.5, tokens: 100, what: SECRET })
  await runtime.sessions.end(session.id)
  const actor = await runtime.spawn(patient, { id: 'anna', input: { subject_id: 'anna', note: SECRET } })
  for (let nth = 0; nth < 40; nth += 1) await actor.send({ type: 'note', text: `${SECRET} ${nth}` })
  const nobody = await runtime.spawn(patient, { id: 'nobody', input: { note: 'nobody-in-particular' } })
  await nobody.send({ type: 'note', text: 'nobody-in-particular' })
  return { session: session.id, run: run.run_id }
}

describe('a runtime that seals (X-10, M-044)', () => {
  test('has nothing of a person in the clear in any file: log, snapshots, archive, billing, exports', async () => {
    const runtime = await project.open({ ...options, snapshotEvery: 10, archiveAfterMs: 0 })
    const { session } = await day(runtime)
    await until(async () => (await runtime.sessions.get(session)).status === 'archived', 'the archive')
    await runtime.filesSettled()
    expect((await readdir(join(project.path(), 'archive'))).length).toBe(2)
    expect(JSON.stringify(await allEvents(runtime))).toContain(SECRET)
    await runtime.store.compact?.()
    await runtime.close()
    expect(await filesWith(project.path(), SECRET)).toEqual([])
    // What is looked for is found where it is.
    expect((await filesWith(project.path(), 'nobody-in-particular')).length).toBeGreaterThan(0)
    expect((await filesWith(join(project.path(), 'billing'), session)).length).toBe(1)
  })

  test('goes on after a restart with all that was sealed', async () => {
    const first = await project.open(options)
    const { session, run } = await day(first)
    await first.close()
    const second = await project.open(options)
    expect((await second.sessions.get(session)).name).toBe(`about ${SECRET}`)
    const { output } = await second.agents.result({ agent_id: run })
    expect(output.value).toEqual({ diagnosis: `${SECRET}, indeed` })
    const actor = await second.get(patient, 'anna')
    expect(actor?.getSnapshot().context.notes).toHaveLength(41)
    await actor?.send({ type: 'note', text: 'another' })
    expect((await second.verify()).ok).toBe(true)
    expect(await second.query.pending()).toBeDefined()
  })

  test('what is started for somebody is theirs: runs, tool calls, sub-sessions, inboxes', async () => {
    const runtime = await project.open(options)
    const { session } = await day(runtime)
    const sub = await runtime.sessions.start({ role: 'workagent', parent_id: session })
    const owners = new Map((await allEvents(runtime)).map((event) => [event.stream_id, event.subject_id]))
    const theirs = [...owners].filter(([, subject]) => subject === 'anna').map(([id]) => id.split('_')[0])
    expect(new Set(theirs)).toEqual(new Set(['sess', 'run', 'call', 'anna', ...inboxes(owners)]))
    expect(owners.get(sub.id)).toBe('anna')
    expect(owners.get('nobody')).toBe('')
  })

  test('a function says whose an actor is, before its input or who started it does', async () => {
    const runtime = await project.open({
      ...options,
      sealing: { subjectOf: ({ id, machine }) => (machine.startsWith('patient@') ? `of-${id}` : undefined) },
    })
    await runtime.spawn(patient, { id: 'ben', input: { subject_id: 'anna', note: '' } })
    const events = await eventsOf(runtime, 'ben')
    expect(events.map(({ subject_id }) => subject_id)).toEqual(['of-ben'])
  })

  test('without `sealing` a log that is sealed is not opened', async () => {
    const first = await project.open(options)
    await day(first)
    await first.close()
    await expect(
      project.open({ machines: [patient], agents: [doctor], tools: [look] }),
    ).rejects.toMatchObject({
      code: 'LOG_SEALED',
    })
    const again = await project.open(options)
    expect((await again.get(patient, 'anna'))?.getSnapshot().context.notes).toHaveLength(41)
  })

  test('without its keys it is not opened: what is owed cannot be read', async () => {
    const first = await project.open(options)
    await day(first)
    await first.close()
    const without = project.open({ ...options, sealing: { keys: createMemoryKeyRing() } })
    await expect(without).rejects.toMatchObject({ code: 'ES_KEY_MISSING' })
    const again = await project.open(options)
    expect((await again.get(patient, 'anna'))?.getSnapshot().context.notes).toHaveLength(41)
  })

  test('where nothing is owed and keys are missing, their actors are locked, which is not erased', async () => {
    const jotter = setup({}).createMachine({ id: 'jotter', on: { jot: {} } })
    const opening = { machines: [jotter], sealing: {} }
    const first = await project.open(opening)
    const actor = await first.spawn(jotter, { id: 'anna', input: { subject_id: 'anna' } })
    await actor.send({ type: 'jot' })
    await first.close()
    const other = await project.open({ ...opening, sealing: { keys: createMemoryKeyRing() } })
    await expect(other.get(jotter, 'anna')).rejects.toMatchObject({ code: 'ACTOR_LOCKED' })
    await expect(other.query.state({ stream_id: 'anna' })).rejects.toMatchObject({ code: 'QUERY_LOCKED' })
    expect(await other.verify()).toMatchObject({ ok: true, erased: 0, locked: 1 })
    await other.close()
    const again = await project.open(opening)
    expect((await again.get(jotter, 'anna'))?.getSnapshot().status).toBe('active')
  })

  test('shows no key and no plaintext in its logs, however much it tells', async () => {
    const lines: unknown[] = []
    const note = (...told: unknown[]): void => void lines.push(told)
    const logger = { debug: note, info: note, warn: note, error: note, isLevelEnabled: () => true }
    const runtime = await project.open({ ...options, logger, sealing: { masterKey: 'ab'.repeat(32) } })
    await day(runtime)
    await runtime.eraseSubject('anna', erase)
    const keys = await readdir(join(project.path(), 'keys'))
    expect(keys).toEqual([])
    const told = inspect(lines, { depth: 12, maxArrayLength: null, maxStringLength: null })
    expect(lines.length).toBeGreaterThan(50)
    expect(told).not.toContain(SECRET)
    // Longer than what an id could have by chance.
    expect(told).not.toContain('ab'.repeat(8))
  })
})

function inboxes(owners: ReadonlyMap<string, string>): string[] {
  return [...owners.keys()].filter((id) => id.startsWith('inbox')).map((id) => id.split('_')[0] ?? '')
}

describe('erasing a subject from a runtime (X-10, M-044)', () => {
  test('ends in ACTOR_ERASED for each of its actors, live and after a restart, and leaves all others as they were', async () => {
    const runtime = await project.open({ ...options, snapshotEvery: 10 })
    const { session, run } = await day(runtime)
    const watched = deferred<unknown>()
    const actor = await runtime.get(patient, 'anna')
    actor?.subscribe({ error: watched.resolve })
    const [recorded] = await runtime.eraseSubject('anna', erase)
    expect(recorded).toMatchObject({
      subject_id: 'anna',
      ...erase,
      key_id: expect.stringMatching(/^key_/) as string,
    })
    expect(await watched.promise).toMatchObject({ code: 'ACTOR_ERASED' })
    for (let opening = 0; opening < 2; opening += 1) {
      const now = opening === 0 ? runtime : await project.open(options)
      for (const id of ['anna', session, run])
        await expect(now.send(id, { type: 'note' })).rejects.toMatchObject({ code: 'ACTOR_ERASED' })
      await expect(now.get(patient, 'anna')).rejects.toMatchObject({ code: 'ACTOR_ERASED' })
      await expect(now.spawn(patient, { id: 'anna', input: { note: '' } })).rejects.toMatchObject({
        code: 'ACTOR_ERASED',
      })
      await expect(now.query.state({ stream_id: 'anna' })).rejects.toMatchObject({ code: 'QUERY_ERASED' })
      expect(await now.sessions.directory.rows()).toEqual([])
      expect((await now.query.actors()).map(({ id }) => id)).toEqual(['nobody'])
      expect(now.parked).toEqual([])
      expect((await now.get(patient, 'nobody'))?.getSnapshot().context.notes).toHaveLength(2)
      expect(await now.verify()).toMatchObject({ ok: true, problems: [], locked: 0 })
      expect((await now.verify()).erased).toBeGreaterThanOrEqual(4)
      expect(await now.erasures()).toEqual([recorded])
      await now.close()
    }
  })

  test('stops what works for it: a run in the middle of its handler, timers, and what was owed', async () => {
    const began = deferred()
    const stopped = deferred<unknown>()
    const slow = defineAgent({
      id: 'slow',
      input: z.object({ subject_id: z.string() }),
      run: async (ctx) => {
        began.resolve()
        await new Promise((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => {
            stopped.resolve(ctx.signal.reason)
            reject(new Error('stopped'))
          })
        })
      },
    })
    const troubles: unknown[] = []
    const clock = createTestClock()
    const opening = {
      ...options,
      agents: [doctor, slow],
      clock,
      onError: (error: unknown) => void troubles.push(error),
    }
    const runtime = await project.open(opening)
    await runtime.spawn(patient, { id: 'anna', input: { subject_id: 'anna', note: '' } })
    const run = await runtime.agents.start(slow, { input: { subject_id: 'anna' } })
    await began.promise
    await runtime.eraseSubject('anna', erase)
    await stopped.promise
    await expect(runtime.agents.result({ agent_id: run.run_id })).rejects.toMatchObject({
      code: 'RUN_UNKNOWN',
    })
    await clock.advance(7_200_000)
    expect(runtime.parked).toEqual([])
    await runtime.close()
    const again = await project.open(opening)
    expect(again.parked).toEqual([])
    const owed: string[] = []
    for await (const { key } of again.store.entries('')) if (/anna|run_/.test(key)) owed.push(key)
    expect(owed).toEqual([])
    expect(troubles).toEqual([])
  })

  test('does not stop others from opening: what waited for a person, and webhooks that were armed, are passed over', async () => {
    const opening: RuntimeOptions = {
      ...options,
      webhooks: { secret: 'a secret of some length' },
      hooks: {
        asks: {
          triggers: ['read:patient:*'],
          validate: () => ({ allowed: false, requires_approval: true, reason: 'ask ann' }),
        },
      },
    }
    const runtime = await project.open(opening)
    const start = async (subject: string): Promise<string> => {
      const { run_id } = await runtime.agents.startById({
        agent_id: 'doctor',
        input: { complaint: SECRET, subject_id: subject },
        webhook: { url: 'http://127.0.0.1:9/never' },
      })
      return run_id
    }
    await start('anna')
    const his = await start('ben')
    await until(async () => (await runtime.approvals.list()).length === 2, 'two requests')
    await runtime.eraseSubject('anna', erase)
    const asked = async (now: Runtime): Promise<string[]> =>
      (await now.approvals.list()).map(({ run_id }) => run_id)
    expect(await asked(runtime)).toEqual([his])
    await runtime.close()
    const again = await project.open(opening)
    expect(await asked(again)).toEqual([his])
    expect((await again.webhooks.list()).map(({ run_id }) => run_id)).toContain(his)
    const [request] = await again.approvals.list()
    await again.approvals.approve(request?.approval_id ?? '', { by: 'ann' })
    await until(async () => (await again.agents.result({ agent_id: his })).status === 'completed', 'his run')
    // What is being written has a file of another name for a moment.
    await again.close()
    expect(await filesWith(project.path(), SECRET)).toEqual([])
  })

  test('does not hold up who writes to one that is no more', async () => {
    const writer = setup({
      types: { context: {} as { readonly to: AnyActorRef }, input: {} as { readonly to: AnyActorRef } },
    }).createMachine({
      id: 'writer',
      context: ({ input }) => ({ to: input.to }),
      on: { write: { actions: sendTo(({ context }) => context.to, { type: 'note', text: 'dear anna' }) } },
    })
    const troubles: unknown[] = []
    const opening = {
      ...options,
      machines: [patient, writer],
      onError: (error: unknown) => void troubles.push(error),
    }
    const runtime = await project.open(opening)
    const anna = await runtime.spawn(patient, { id: 'anna', input: { subject_id: 'anna', note: '' } })
    const ben = await runtime.spawn(writer, { id: 'ben', input: { to: anna } })
    await ben.send({ type: 'write' })
    await until(() => anna.getSnapshot().context.notes.length === 2, 'the first letter')
    await runtime.eraseSubject('anna', erase)
    expect(await ben.send({ type: 'write' })).toMatchObject({ accepted: true })
    expect(await ben.send({ type: 'write' })).toMatchObject({ accepted: true })
    await until(async () => {
      let letters = 0
      for await (const { key } of runtime.store.entries('outbox/')) letters += key.length
      return letters === 0
    }, 'the letters to be gone')
    expect(troubles).toEqual([])
    await runtime.close()
    const again = await project.open(opening)
    expect((await again.get(writer, 'ben'))?.getSnapshot().status).toBe('active')
    expect(again.parked).toEqual([])
  })

  test.skipIf(!existsSync(eraseAndDie))(
    'that was cut short by a kill is completed by the next opening, files and all (needs the build: npm run build)',
    async () => {
      const first = await project.open(options)
      const { session } = await day(first)
      await first.archive(session)
      await first.filesSettled()
      await first.close()
      const died = spawnSync(process.execPath, [eraseAndDie, project.path(), 'before-key'], {
        timeout: 60_000,
      })
      expect(died.signal).toBe('SIGKILL')
      expect(await filesWith(join(project.path(), 'billing'), session)).toHaveLength(1)
      expect(await readdir(join(project.path(), 'archive'))).toHaveLength(2)
      const again = await project.open(options)
      await again.filesSettled()
      expect(await filesWith(join(project.path(), 'billing'), session)).toEqual([])
      expect(await readdir(join(project.path(), 'archive'))).toEqual([])
      expect(await readdir(join(project.path(), 'keys'))).toEqual([])
      await expect(again.sessions.get(session)).rejects.toMatchObject({ code: 'ACTOR_ERASED' })
      expect(await again.sessions.directory.rows()).toEqual([])
      expect(await again.erasures()).toHaveLength(1)
    },
  )

  test('takes it out of archive and billing, and what others cost stays', async () => {
    const clock = createTestClock('2026-01-05T13:00:00Z')
    const runtime = await project.open({ ...options, archiveAfterMs: 0, clock })
    const hers = await runtime.sessions.start({ role: 'supervisor', tags: ['subject:anna'] })
    const his = await runtime.sessions.start({ role: 'supervisor', tags: ['subject:ben'] })
    for (const { id } of [hers, his]) {
      await runtime.sessions.spend(id, { usd: 2, tokens: 10 })
      await runtime.sessions.end(id)
      await runtime.archive(id)
    }
    await runtime.filesSettled()
    const billing = join(project.path(), 'billing', '.tracking-2026-01-05.jsonl')
    expect((await readFile(billing, 'utf8')).split('\n')).toHaveLength(3)
    await runtime.eraseSubject('anna', erase)
    await runtime.filesSettled()
    const left = async (): Promise<void> => {
      expect((await readdir(join(project.path(), 'archive'))).toSorted()).toEqual([
        `${his.id}.json`,
        `${his.id}.jsonl`,
      ])
      const lines = (await readFile(billing, 'utf8')).trim().split('\n')
      expect(lines.map((line) => (JSON.parse(line) as { session_id: string }).session_id)).toEqual([his.id])
      expect(await filesWith(join(project.path(), 'archive'), hers.id)).toEqual([])
    }
    await left()
    await runtime.close()
    const again = await project.open({ ...options, clock })
    await again.filesSettled()
    await left()
  })

  test('takes it out of compliance and its trend, also if these were asked for before', async () => {
    const runtime = await project.open(options)
    await runtime.sessions.end(
      await runtime.sessions.start({ role: 'supervisor', name: SECRET, tags: ['subject:anna'] }),
    )
    const told = async (): Promise<string> =>
      JSON.stringify([
        await runtime.compliance.checkProtocolCompliance(),
        await runtime.compliance.getComplianceTrends(),
      ])
    expect(await told()).toContain(SECRET)
    await runtime.eraseSubject('anna', erase)
    expect(await told()).not.toContain(SECRET)
    expect((await runtime.compliance.checkProtocolCompliance()).score).toBe(100)
  })

  test('takes what it asked a person, and what it had so far, with it', async () => {
    const asker = defineAgent('asker', async (ctx) => {
      ctx.heartbeat({ at: SECRET })
      await ctx.partial([SECRET])
      await ctx.requestApproval({ question: `May I, ${SECRET}?` })
    })
    const runtime = await project.open({ ...options, agents: [doctor, asker] })
    const { id: session } = await runtime.sessions.start({ role: 'supervisor', tags: ['subject:anna'] })
    await runtime.agents.startById({ agent_id: 'asker', parent_id: session })
    await until(async () => (await runtime.approvals.list()).length === 1, 'the question')
    expect(await filesWith(project.path(), SECRET)).toEqual([])
    await runtime.eraseSubject('anna', erase)
    expect(JSON.stringify(await allEvents(runtime))).not.toContain(SECRET)
    expect(await runtime.approvals.list({ status: 'all' })).toEqual([])
    await runtime.close()
    const again = await project.open({ ...options, agents: [doctor, asker] })
    expect(await again.approvals.list({ status: 'all' })).toEqual([])
    expect((await again.verify()).ok).toBe(true)
  })

  test('a subject that is not there cannot be erased, nor anybody where nothing is sealed', async () => {
    const runtime = await project.open(options)
    await expect(runtime.eraseSubject('nobody', erase)).rejects.toMatchObject({ code: 'SUBJECT_UNKNOWN' })
    await expect(runtime.eraseSubject('', erase)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const plain = await createTestRuntime()
    await expect(plain.eraseSubject('anna', erase)).rejects.toMatchObject({ code: 'SUBJECT_UNKNOWN' })
    expect(await plain.erasures()).toEqual([])
    await plain.close()
  })

  test('a runtime for tests has its keys again after a restart', async () => {
    const runtime = await createTestRuntime({ machines: [patient], sealing: {} })
    await runtime.spawn(patient, { id: 'anna', input: { subject_id: 'anna', note: SECRET } })
    const again = await runtime.restart()
    expect((await again.get(patient, 'anna'))?.getSnapshot().context.notes).toEqual([SECRET])
    await again.close()
  })

  test('a fork of a subject’s actor is the subject’s as well', async () => {
    const runtime = await project.open(options)
    await day(runtime)
    const fork = await runtime.fork('anna')
    await runtime.resumeFork(fork.id)
    await runtime.send(fork.id, { type: 'note', text: SECRET } as never)
    expect(await filesWith(project.path(), SECRET)).toEqual([])
    await runtime.eraseSubject('anna', erase)
    await expect(runtime.get(patient, fork.id)).rejects.toMatchObject({ code: 'ACTOR_ERASED' })
    expect((await eventsOf(runtime, fork.id)).map(unopenedIn)).toContain('erased')
  })
})
