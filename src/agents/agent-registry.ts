/** Which code is bound to which agent id: exact ids first, then patterns in the order of definition. */
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { AnyAgentDefinition } from './define-agent.ts'

export type AgentRegistry = { find(agentId: string): AnyAgentDefinition | undefined }

/** @throws RuntimeError `AGENT_EXISTS` when two definitions have the same id. */
export function createAgentRegistry(definitions: readonly AnyAgentDefinition[]): AgentRegistry {
  const exact = new Map<string, AnyAgentDefinition>()
  const patterns: { readonly matches: RegExp; readonly definition: AnyAgentDefinition }[] = []
  for (const definition of definitions) {
    if (exact.has(definition.id)) throw agentExists(definition.id)
    exact.set(definition.id, definition)
    if (definition.id.includes('*')) patterns.push({ matches: patternOf(definition.id), definition })
  }
  return {
    find: (agentId) =>
      exact.get(agentId) ?? patterns.find(({ matches }) => matches.test(agentId))?.definition,
  }
}

function patternOf(id: string): RegExp {
  const escaped = id.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${escaped.join('.*')}$`)
}

function agentExists(id: string): RuntimeError {
  return new RuntimeError('AGENT_EXISTS', {
    happened: `Two agents are defined with the id "${id}".`,
    expected: 'Each agent has an id or pattern of its own.',
    todo: 'Rename one of them.',
    details: { agent_id: id },
  })
}
