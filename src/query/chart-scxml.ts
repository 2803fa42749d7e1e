/** A recorded machine as SCXML (https://www.w3.org/TR/scxml/), for editors that read it; guards and actions by name. */
import {
  listed,
  namesOf,
  resolveTarget,
  transitionsOf,
  type RecordedMachine,
  type StateDefinition,
} from './recorded-machines.ts'

type Path = readonly string[]

/**
 * States, transitions, delays as internal events, invokes, final and history states. Guards are conditions of their
 * name, actions raise an event of theirs: what they do is code, and not in the log.
 */
export function scxmlChart({ machine, definition }: RecordedMachine): string {
  const name = definition.id ?? machine
  const initial = initialOf([], definition)
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" name="${escaped(name)}"${initial}>`,
  ]
  if (definition.type === 'parallel' || transitionsOf(definition).length > 0) {
    // The root of SCXML has no transitions and is never parallel: a state around all others does it.
    lines[1] = `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" name="${escaped(name)}" initial="root">`
    write(lines, { root: definition, state: definition, path: [] })
  } else inner(lines, { root: definition, state: definition, path: [] })
  lines.push('</scxml>', '')
  return lines.join('\n')
}

type Written = { readonly root: StateDefinition; readonly state: StateDefinition; readonly path: Path }

function write(lines: string[], written: Written): void {
  const { root, state, path } = written
  const indent = '  '.repeat(path.length + 1)
  const id = `id="${escaped(idOf(path))}"`
  if (state.type === 'history') {
    const deep = state.history === 'deep' ? 'deep' : 'shallow'
    lines.push(`${indent}<history ${id} type="${deep}">`)
    const target = listed(state.target).map(String)[0]
    const to = target === undefined ? undefined : resolveTarget(root, path, target)
    if (to !== undefined) lines.push(`${indent}  <transition target="${escaped(idOf(to))}"/>`)
    lines.push(`${indent}</history>`)
    return
  }
  const tag = state.type === 'final' ? 'final' : state.type === 'parallel' ? 'parallel' : 'state'
  const initial = tag === 'state' ? initialOf(path, state) : ''
  lines.push(`${indent}<${tag} ${id}${initial}>`)
  for (const [when, actions] of [
    ['onentry', namesOf(state.entry)],
    ['onexit', namesOf(state.exit)],
  ] as const) {
    if (actions.length > 0) lines.push(`${indent}  <${when}>${raised(actions)}</${when}>`)
  }
  for (const invoke of listed(state.invoke)) {
    const { id: name, src } = invoke as { id?: unknown; src?: unknown }
    const named = typeof name === 'string' ? ` id="${escaped(name)}"` : ''
    lines.push(`${indent}  <invoke${named} src="${escaped(namesOf(src)[0] ?? 'inline')}"/>`)
  }
  for (const transition of transitionsOf(state))
    lines.push(`${indent}  ${transitionTag(written, transition)}`)
  inner(lines, written)
  lines.push(`${indent}</${tag}>`)
}

function inner(lines: string[], { root, state, path }: Written): void {
  for (const [name, each] of Object.entries(state.states ?? {})) {
    write(lines, { root, state: each, path: [...path, name] })
  }
}

function transitionTag(
  { root, path }: Written,
  { event, target, guard, actions }: ReturnType<typeof transitionsOf>[number],
): string {
  const to = target === undefined ? undefined : resolveTarget(root, path, target)
  const attributes = [
    event === 'always' ? undefined : ['event', eventName(event, path)],
    guard === undefined ? undefined : ['cond', guard],
    to === undefined ? undefined : ['target', idOf(to)],
  ].flatMap((pair) => (pair === undefined ? [] : [` ${pair[0]}="${escaped(pair[1] ?? '')}"`]))
  const open = `<transition${attributes.join('')}`
  return actions.length === 0 ? `${open}/>` : `${open}>${raised(actions)}</transition>`
}

/** Events of SCXML are words with dots between them; a lone `*` takes any. */
function eventName(event: string, path: Path): string {
  if (event === 'done') return `done.state.${idOf(path)}`
  return event.replaceAll(/\s+/g, '.')
}

function raised(actions: readonly string[]): string {
  return actions.map((action) => `<raise event="${escaped(`action.${action}`)}"/>`).join('')
}

function initialOf(path: Path, { initial }: StateDefinition): string {
  return typeof initial === 'string' ? ` initial="${escaped(idOf([...path, initial]))}"` : ''
}

/** The id of a state is its path: a name alone may be there twice. */
function idOf(path: Path): string {
  return path.length === 0 ? 'root' : path.map((name) => name.replaceAll(/[^\p{L}\p{N}_-]/gu, '_')).join('.')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\p{Cc}]/gu, ' ')
}
