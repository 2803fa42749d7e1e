/** The machines that wrote a log, from the definitions that are recorded in it: no code is needed. */
import { redactSecrets } from '../permissions/redaction.ts'
import { definitionStream } from '../runtime/definition.ts'
import { reading, type QueryableLog, type QueryCall } from './query-call.ts'
import { QueryError } from './query-error.ts'

/** A machine's config as data; functions are there by name. */
export type MachineDefinition = StateDefinition & { readonly version?: string }

export type StateDefinition = {
  readonly id?: string
  readonly type?: string
  readonly initial?: unknown
  readonly history?: string
  readonly target?: unknown
  readonly states?: Readonly<Record<string, StateDefinition>>
  readonly on?: Readonly<Record<string, unknown>>
  readonly after?: Readonly<Record<string, unknown>>
  readonly always?: unknown
  readonly onDone?: unknown
  readonly invoke?: unknown
  readonly entry?: unknown
  readonly exit?: unknown
  readonly description?: string
}

export type RecordedMachine = {
  /** `name@version` */
  readonly machine: string
  readonly definition: MachineDefinition
}

/** The last recorded definition of each machine and version, without what looks like a secret. */
export async function readMachines(
  log: Pick<QueryableLog, 'heads' | 'readStream'>,
  call: QueryCall = {},
): Promise<RecordedMachine[]> {
  const machines: RecordedMachine[] = []
  for await (const head of log.heads(definitionStream(''), reading(call))) {
    for await (const event of log.readStream(head.stream_id, { fromVersion: head.version })) {
      const { machine, definition } = event.payload as unknown as RecordedMachine
      machines.push({ machine, definition: withoutSecrets(definition) as MachineDefinition })
    }
  }
  return machines
}

/** Where a definition holds data and no names of states, events or actions. */
const DATA = new Set(['context', 'input', 'params'])

/** A state may well be called "token"; what looks like a secret is looked for in data alone. */
function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((inner: unknown) => withoutSecrets(inner))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      DATA.has(key) ? redactSecrets(inner) : withoutSecrets(inner),
    ]),
  )
}

/** By name, or by name and version; of several versions the last. @throws QueryError `QUERY_NOT_FOUND` */
export function machineCalled(machines: readonly RecordedMachine[], name: string): RecordedMachine {
  const found = machines.findLast(({ machine }) => machine === name || machine.startsWith(`${name}@`))
  if (found !== undefined) return found
  throw new QueryError('QUERY_NOT_FOUND', {
    happened: `No machine "${name}" wrote this log.`,
    expected: `One of: ${machines.map(({ machine }) => machine).join(', ')}.`,
    todo: 'Use one of these names.',
    details: { id: name },
  })
}

/** A transition as a chart needs it. */
export type DrawnTransition = {
  readonly event: string
  /** As written; `undefined` for one that stays where it is. */
  readonly target: string | undefined
  readonly guard: string | undefined
  readonly actions: readonly string[]
}

/** The transitions of one state; delays read `after 1000`, eventless ones `always`, the end of a compound one `done`. */
export function transitionsOf(state: StateDefinition): DrawnTransition[] {
  const groups: [string, unknown][] = [
    ...Object.entries(state.on ?? {}),
    ...Object.entries(state.after ?? {}).map(([delay, to]): [string, unknown] => [`after ${delay}`, to]),
    ['always', state.always],
    ['done', state.onDone],
    ...listed(state.invoke).flatMap((invoke, index): [string, unknown][] => {
      const { id, src, onDone, onError } = invoke as Record<string, unknown>
      const name = textOf(id) ?? textOf(src) ?? String(index)
      return [
        [`done.invoke.${name}`, onDone],
        [`error.platform.${name}`, onError],
      ]
    }),
  ]
  return groups.flatMap(([event, to]) => listed(to).flatMap((each) => transitionFrom(event, each)))
}

function transitionFrom(event: string, to: unknown): DrawnTransition[] {
  if (typeof to === 'string') return [{ event, target: to, guard: undefined, actions: [] }]
  if (typeof to !== 'object' || to === null) return []
  const { target, guard, actions } = to as Record<string, unknown>
  const targets = listed(target)
  const drawn = { event, guard: textOf(guard), actions: namesOf(actions) }
  return targets.length === 0
    ? [{ ...drawn, target: undefined }]
    : targets.map((each) => ({ ...drawn, target: String(each) }))
}

/** The names of actions, guards or actors: a string, or an object with a `type` or `src`. */
export function namesOf(value: unknown): string[] {
  return listed(value).flatMap((each) => textOf(each) ?? [])
}

export function listed(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? (value as readonly unknown[]) : [value]
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return undefined
  const { type, src } = value as { type?: unknown; src?: unknown }
  return typeof type === 'string' ? type : typeof src === 'string' ? src : undefined
}

/** The path of the state that a target means, seen from a state; `undefined` if there is none. */
export function resolveTarget(
  root: StateDefinition,
  from: readonly string[],
  target: string,
): readonly string[] | undefined {
  if (target.startsWith('#')) {
    const [id = '', ...below] = target.slice(1).split('.')
    const found = root.id === id ? [] : pathOfId(root, id)
    return found && existing(root, [...found, ...below])
  }
  if (target.startsWith('.')) return existing(root, [...from, ...target.slice(1).split('.')])
  return existing(root, [...from.slice(0, -1), ...target.split('.')])
}

function existing(root: StateDefinition, path: readonly string[]): readonly string[] | undefined {
  let state: StateDefinition | undefined = root
  for (const name of path) state = state?.states?.[name]
  return state === undefined ? undefined : path
}

function pathOfId(state: StateDefinition, id: string, path: readonly string[] = []): string[] | undefined {
  for (const [name, inner] of Object.entries(state.states ?? {})) {
    if (inner.id === id) return [...path, name]
    const below = pathOfId(inner, id, [...path, name])
    if (below !== undefined) return below
  }
  return undefined
}
