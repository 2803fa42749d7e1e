/** Writes a vitest file that replays one recorded stream and asserts the states it went through. */
import type { RecordedEvent } from '../../eventstore/event.ts'
import { createMemoryEventStore } from '../../eventstore/memory-event-store.ts'
import { redactSecrets } from '../permissions/redaction.ts'
import { queryOver } from '../query/log-query.ts'
import type { KnownMachines } from '../query/state-at.ts'
import type { StateStep } from '../query/state-changes.ts'
import { CliError } from './cli-error.ts'
import type { MachineSource } from './machine-modules.ts'
import type { ReadableLog } from './open-log.ts'

export type ReplayTestOptions = {
  readonly stream_id: string
  readonly machines: KnownMachines
  /** How the test comes by the machine; `undefined` for ours, which every query knows. */
  readonly source: MachineSource | undefined
  /** Leave out what looks like a secret. */
  readonly redact: boolean
}

/** What an event needs to be replayed. */
type Kept = Pick<
  RecordedEvent,
  'event_id' | 'event_type' | 'machine' | 'payload' | 'source_agent' | 'state' | 'timestamp'
>

/**
 * @throws CliError `CLI_USAGE` where the stream does not replay without its secrets; QueryError
 * `QUERY_REPLAY_DIVERGED` where it does not replay at all
 */
export async function replayTest(log: ReadableLog, options: ReplayTestOptions): Promise<string> {
  const { stream_id, machines, source, redact } = options
  const recorded: StateStep[] = []
  for await (const step of queryOver(log, () => machines).steps({ stream_id })) recorded.push(step)
  const events: Kept[] = []
  for await (const event of log.readStream(stream_id)) events.push(kept(event, redact))
  const replayed = redact ? await replayOf(events, { stream_id, machines }) : recorded
  if (JSON.stringify(statesOf(replayed)) !== JSON.stringify(statesOf(recorded))) throw needsSecrets(stream_id)
  return [
    header(options, events),
    `const STREAM = ${JSON.stringify(stream_id)}\n`,
    `/** As they were recorded${redact ? ', without what looks like a secret' : ''}. */`,
    `const EVENTS: NewEvent[] = ${lines(events)}\n`,
    '/** Version, type of the event, and the state after it. */',
    `const STATES = ${lines(statesOf(recorded))}\n`,
    '/** After the last event. */',
    `const CONTEXT = ${JSON.stringify(replayed.at(-1)?.context ?? null, null, 2)}\n`,
    body(stream_id, source),
  ].join('\n')
}

function statesOf(steps: readonly StateStep[]): unknown[] {
  return steps.map(({ event, value }) => [event.version, event.event_type, value])
}

function kept(event: RecordedEvent, redact: boolean): Kept {
  const { event_id, event_type, timestamp, source_agent, payload, machine, state } = event
  const shown = redact ? (redactSecrets(payload) as Kept['payload']) : payload
  return { event_id, event_type, timestamp, source_agent, payload: shown, machine, state }
}

/** What the test will see; empty where the events do not replay like that. */
async function replayOf(
  events: readonly Kept[],
  { stream_id, machines }: Pick<ReplayTestOptions, 'machines' | 'stream_id'>,
): Promise<StateStep[]> {
  await using store = createMemoryEventStore()
  await store.append(stream_id, events)
  const steps: StateStep[] = []
  try {
    for await (const step of queryOver(store, () => machines).steps({ stream_id })) steps.push(step)
    return steps
  } catch (error) {
    if ((error as { code?: unknown }).code === 'QUERY_REPLAY_DIVERGED') return []
    throw error
  }
}

function header({ stream_id, source }: ReplayTestOptions, events: readonly Kept[]): string {
  const first = events[0]?.timestamp ?? ''
  const last = events.at(-1)?.timestamp ?? ''
  const about = `Replays ${stream_id.replaceAll('*/', '* /')}, recorded from ${first} to ${last}.`
  const imports = [
    "import { createLogQuery } from '@agent-orchestration/core'",
    "import { createMemoryEventStore, type NewEvent } from '@agent-orchestration/core/eventstore'",
    "import { expect, test } from 'vitest'",
    ...(source === undefined ? [] : [source.statement]),
  ]
  return `/** ${about} Made by \`agentctl export --as-test\`. */\n${imports.join('\n')}\n`
}

function body(streamId: string, source: MachineSource | undefined): string {
  const options = source === undefined ? '' : `, { machines: [${source.expression}] }`
  return `test(${JSON.stringify(`${streamId} goes through the states that were recorded`)}, async () => {
  const store = createMemoryEventStore()
  await store.append(STREAM, EVENTS)
  const query = createLogQuery(store${options})
  const states: unknown[] = []
  let context: unknown
  for await (const step of query.steps({ stream_id: STREAM })) {
    states.push([step.event.version, step.event.event_type, step.value])
    context = step.context
  }
  expect(states).toEqual(STATES)
  expect(context).toEqual(CONTEXT)
  await store.close()
})
`
}

/** A list with one item to a line. */
function lines(items: readonly unknown[]): string {
  return `[\n${items.map((item) => `  ${JSON.stringify(item)},\n`).join('')}]`
}

function needsSecrets(id: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `"${id}" does not replay without what looks like a secret in its events.`,
    expected: 'Expected events that lead to the same states without it.',
    todo: 'Keep it, in a file that nobody else sees: --with-secrets.',
    details: { id },
  })
}
