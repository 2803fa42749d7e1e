/** Durable transitions beside the disk, beside the store and the fold they are made of, and beside plain XState. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createActor } from 'xstate'
import { openLevelEventStore } from '../../eventstore/index.ts'
import { createRuntime } from '../../src/index.ts'
import { durableMachine } from '../../src/runtime/fold/durable-machine.ts'
import { createFolder, type CellState } from '../../src/runtime/fold/fold.ts'
import { alternate, comparison, pick, type Comparison, type Figures } from './alternate.ts'
import { counterMachine } from './counter-machine.ts'

const ROUNDS = 15
const ROUND_MS = 400
/** Rounds before the first that counts: V8 goes on compiling for some 3,000 sends of one actor. */
const WARM_UP = 7
const MANY = 1_000
const EVENT = { type: 'step', by: 1 } as const

export async function measureTransitions(folder: string): Promise<Comparison[]> {
  const runtime = await createRuntime({ path: join(folder, 'transitions'), machines: [counterMachine] })
  const store = await openLevelEventStore({ path: join(folder, 'transitions-store') })
  const file = await open(join(folder, 'transitions-raw'), 'a')
  const bytes = Buffer.alloc(400, 'x')
  const actors = await Promise.all(
    Array.from({ length: MANY }, (_, i) => runtime.spawn(counterMachine, { id: `counter-${i}` })),
  )
  const plain = actors.map(() => createActor(counterMachine).start())
  const send = async (lane: number): Promise<void> => {
    const receipt = await actors[lane]?.send(EVENT)
    if (receipt?.accepted !== true) throw new Error('a step was not accepted')
  }
  const record = (lane: number): Promise<unknown> =>
    store.append(`counter-${lane}`, [
      {
        event_type: 'step',
        payload: { by: 1 },
        source_agent: '',
        correlation_id: `counter-${lane}`,
        causation_id: null,
        machine: 'counter@1',
        state: 'odd',
      },
    ])
  const sides = {
    one: () => perSecond(1, send),
    disk: () =>
      perSecond(1, async () => {
        await file.write(bytes)
        await file.datasync()
      }),
    many: () => perSecond(MANY, send),
    store: () => perSecond(MANY, record),
    fold: async () => foldsPerSecond(),
    xstate: async () => inOneGo((i) => plain[i % MANY]?.send(EVENT)),
  }
  const rounds = await alternate(sides, ROUNDS, { warmUp: WARM_UP })
  await Promise.all([runtime.close(), store.close(), file.close()])
  const rate = (side: keyof typeof sides): number[] => pick(rounds[side], 'perSecond')
  const folds = rate('fold')
  const limit = rate('store').map((stored, round) => 1 / (1 / stored + 1 / (folds[round] ?? Number.NaN)))
  const unit = 'transitions/s'
  return [
    comparison({
      name: 'one actor, beside fdatasync',
      unit,
      goal: { atLeast: 0.8 },
      ours: rate('one'),
      raw: rate('disk'),
    }),
    comparison({
      name: '1,000 actors, beside the store and the fold one after the other',
      unit,
      goal: { atLeast: 0.75 },
      ours: rate('many'),
      raw: limit,
    }),
    comparison({
      name: '1,000 actors, beside XState with nothing on disk',
      unit,
      goal: { atLeast: 0.25 },
      ours: rate('many'),
      raw: rate('xstate'),
    }),
  ]
}

async function perSecond(lanes: number, operation: (lane: number) => Promise<unknown>): Promise<Figures> {
  const start = performance.now()
  let count = 0
  const lane = async (index: number): Promise<void> => {
    while (performance.now() - start < ROUND_MS) {
      await operation(index)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)))
  return { perSecond: (count * 1000) / (performance.now() - start) }
}

function inOneGo(operation: (index: number) => void): Figures {
  const start = performance.now()
  let count = 0
  while (performance.now() - start < ROUND_MS / 3) {
    for (let i = 0; i < 500; i += 1) operation(count + i)
    count += 500
  }
  return { perSecond: (count * 1000) / (performance.now() - start) }
}

/** Of as many actors, one event each at a time, as the engine folds them. */
function foldsPerSecond(): Figures {
  const machine = durableMachine(counterMachine)
  const folders = Array.from({ length: MANY }, (_, i) => createFolder(machine, `counter-${i}`))
  const states: (CellState | undefined)[] = folders.map(() => undefined)
  return inOneGo((index) => {
    const lane = index % MANY
    const before = states[lane]
    const version = (before?.version ?? 0) + 1
    const event = version === 1 ? { type: 'actor.created' } : EVENT
    const outcome = folders[lane]?.fold(before, { version, time: index, eventId: 'e', event })
    if (outcome?.kind !== 'accepted') throw new Error('a step was not accepted')
    states[lane] = outcome.state
  })
}
