/** The machines as Stately's editor sees them: literal configs, everything named, nothing read but event and context. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { initialTransition, transition, type AnyStateMachine } from 'xstate'
import { agentMachine } from '../../machines/agent.machine.ts'
import { approvalMachine } from '../../machines/approval.machine.ts'
import { budgetMachine } from '../../machines/budget.machine.ts'
import { inboxMachine } from '../../machines/inbox.machine.ts'
import { webhookMachine } from '../../machines/webhook.machine.ts'
import { projectMachine } from '../../machines/project.machine.ts'
import { sessionMachine } from '../../machines/session.machine.ts'
import { toolCallMachine } from '../../machines/tool-call.machine.ts'

const folder = fileURLToPath(new URL('../../machines/', import.meta.url))
const files = readdirSync(folder)
const machines: Readonly<Record<string, AnyStateMachine>> = {
  'inbox.machine.ts': inboxMachine,
  'webhook.machine.ts': webhookMachine,
  'approval.machine.ts': approvalMachine,
  'budget.machine.ts': budgetMachine,
  'session.machine.ts': sessionMachine,
  'agent.machine.ts': agentMachine,
  'tool-call.machine.ts': toolCallMachine,
  'project.machine.ts': projectMachine,
}

test('every machine of the folder is looked at here', () => {
  expect(Object.keys(machines).toSorted()).toEqual(
    files.filter((file) => file.endsWith('.machine.ts')).toSorted(),
  )
})

test.each(files)('%s imports xstate and its neighbours, and nothing else', (file) => {
  const imports = [...readFileSync(folder + file, 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from)
  expect(imports.filter((from) => from !== 'xstate' && !from?.startsWith('./'))).toEqual([])
})

describe.each(Object.entries(machines))('%s', (file, machine) => {
  test('is one setup({ … }).createMachine({ … }) with a literal config, an id and a version', () => {
    const source = readFileSync(folder + file, 'utf8')
    expect(source.match(/= setup\(\{/g)).toHaveLength(1)
    expect(source.match(/\}\)\.createMachine\(\{\n {2}id: '\w+',\n {2}version: '\w+',/g)).toHaveLength(1)
    expect(source.slice(source.indexOf('createMachine('))).not.toMatch(/\.\.\.(?!newSessionRecord|input)/)
  })

  test('names every guard, action, actor and delay, and gives each invoke an id', () => {
    const inline: string[] = []
    const named = (what: unknown, where: string): void => {
      const name = typeof what === 'object' && what !== null ? (what as { type?: unknown }).type : what
      if (typeof name !== 'string') inline.push(where)
    }
    const visit = (node: StateNode, path: string): void => {
      for (const [type, transitions] of Object.entries(node.on ?? {})) {
        for (const each of [transitions].flat()) {
          if (each.guard !== undefined) named(each.guard, `${path} on ${type}: guard`)
          for (const action of [each.actions ?? []].flat()) named(action, `${path} on ${type}: action`)
        }
      }
      for (const action of [node.entry ?? [], node.exit ?? []].flat()) named(action, `${path}: entry or exit`)
      for (const invoke of [node.invoke ?? []].flat()) {
        named(invoke.src, `${path}: src of an invoke`)
        named(invoke.id, `${path}: id of an invoke`)
      }
      for (const [key, child] of Object.entries(node.states ?? {})) visit(child, `${path}.${key}`)
    }
    visit(machine.config as StateNode, machine.id)
    expect(inline).toEqual([])
  })

  test('computes the same from a frozen context and event, however often and whenever it is asked', () => {
    const input = deepFreeze({
      at: '2030-01-01T00:00:00.000Z',
      tags: [],
      deadline_ms: 5,
      ttl_ms: 5,
      expires_at: '2030-01-03T00:00:00.000Z',
      fingerprint: 'f',
      limit: { micro_usd: 5, tokens: 5 },
      parameters: {},
      role: 'workagent',
    })
    const [first] = initialTransition(machine, input as never)
    deepFreeze(first.context)
    for (const type of machine.events.filter((name) => !name.startsWith('xstate.'))) {
      const event = deepFreeze({ type, ...everyField })
      const once = transition(machine, first, event as never)[0]
      const again = transition(machine, first, structuredClone(event) as never)[0]
      expect({ type, value: once.value, context: once.context }).toEqual({
        type,
        value: again.value,
        context: again.context,
      })
    }
  })
})

type Transition = { readonly guard?: unknown; readonly actions?: unknown }
type StateNode = {
  readonly on?: Readonly<Record<string, Transition | Transition[]>>
  readonly entry?: unknown
  readonly exit?: unknown
  readonly invoke?: { src: unknown; id: unknown } | { src: unknown; id: unknown }[]
  readonly states?: Readonly<Record<string, StateNode>>
}

const everyField = {
  at: '2030-01-02T00:00:00.000Z',
  testimony: [],
  reason: 'r',
  attempt: 0,
  hooks: [],
  lines: [],
  own: 0,
  tokens: 1,
  cost_micro_usd: 1,
  error: { name: 'Error', message: 'm' },
  output: 1,
  handoff: { handoff_id: 'h', context: {}, claimed_by: null },
  handoff_id: 'h',
  call_id: 'c',
  fingerprint: 'f',
  approval_id: 'a',
  message_id: 'm',
  run_id: 'r',
  amount: { micro_usd: 1, tokens: 1 },
  limit: { micro_usd: 2, tokens: null },
  by: 'me',
  name: 'n',
  tags: [],
  add: ['a'],
  remove: [],
  what: 'w',
  why: 'y',
  alternatives: [],
  spend_id: 's',
  to_session: 'other',
  item: { slug: 's' },
  slug: 's',
  task_id: 't',
  message: 'm',
  notice_id: 'n',
  dedup_key: 'd',
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}
