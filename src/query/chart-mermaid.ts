/** A recorded machine as a Mermaid state diagram. */
import { mermaidText } from './mermaid-sequence.ts'
import {
  resolveTarget,
  transitionsOf,
  type RecordedMachine,
  type StateDefinition,
} from './recorded-machines.ts'

type Path = readonly string[]

/** Nested and parallel states as they are nested; guards in brackets, actions after a slash. */
export function mermaidChart({ machine, definition }: RecordedMachine): string {
  const lines = ['---', `title: ${mermaidText(machine)}`, '---', 'stateDiagram-v2']
  states(lines, { root: definition, state: definition, path: [] })
  for (const [path, state] of walk(definition)) lines.push(...arrows(definition, path, state))
  return `${lines.join('\n')}\n`
}

type Drawn = { readonly root: StateDefinition; readonly state: StateDefinition; readonly path: Path }

function states(lines: string[], { root, state, path }: Drawn): void {
  const indent = '  '.repeat(path.length + 1)
  const names = Object.keys(state.states ?? {})
  if (typeof state.initial === 'string') lines.push(`${indent}[*] --> ${idOf([...path, state.initial])}`)
  names.forEach((name, index) => {
    const inner = state.states?.[name] ?? {}
    const below: Path = [...path, name]
    // Regions of a parallel state stand side by side.
    if (state.type === 'parallel' && index > 0) lines.push(`${indent}--`)
    if (Object.keys(inner.states ?? {}).length === 0) {
      lines.push(`${indent}state "${mermaidText(name)}" as ${idOf(below)}`)
    } else {
      lines.push(`${indent}state "${mermaidText(name)}" as ${idOf(below)} {`)
      states(lines, { root, state: inner, path: below })
      lines.push(`${indent}}`)
    }
    if (inner.type === 'final') lines.push(`${indent}${idOf(below)} --> [*]`)
  })
}

function arrows(root: StateDefinition, path: Path, state: StateDefinition): string[] {
  return transitionsOf(state).flatMap(({ event, target, guard, actions }) => {
    const to = target === undefined ? path : resolveTarget(root, path, target)
    // What the machine does wherever it stands has no place in the picture but its own.
    if (to === undefined || path.length === 0 || to.length === 0) return []
    const condition = guard === undefined ? '' : ` [${guard}]`
    const done = actions.length === 0 ? '' : ` / ${actions.join(', ')}`
    return [`  ${idOf(path)} --> ${idOf(to)}: ${labelText(`${event}${condition}${done}`)}`]
  })
}

function* walk(state: StateDefinition, path: Path = []): Generator<readonly [Path, StateDefinition]> {
  yield [path, state]
  for (const [name, inner] of Object.entries(state.states ?? {})) yield* walk(inner, [...path, name])
}

/** Mermaid's ids are words; the name is shown instead. */
function idOf(path: Path): string {
  return `s_${path.map((name) => name.replaceAll(/\W/g, (mark) => `_${mark.charCodeAt(0)}_`)).join('__')}`
}

/** A colon ends a label's beginning, and begins another one. */
function labelText(text: string): string {
  return mermaidText(text).replaceAll(':', '#58;')
}
