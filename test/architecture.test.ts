/** Holds the sources to the layout: who may import whom, and what every file owes its reader. DESIGN.md argues the table. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findCycle, readSource, root, sourceFile, type SourceFile } from './architecture/source-file.ts'

/**
 * Who may import what of ours. A part is a folder or a file; a file belongs to the longest part that fits, and may
 * always import its own part. Types count as well: a type is knowledge too.
 */
const MATRIX: Readonly<Record<string, readonly string[]>> = {
  'eventstore/': [],
  'machines/': [],
  'actors/': ['machines/'],
  'src/runtime/': ['eventstore/'],
  'src/permissions/': ['src/runtime/', 'eventstore/', 'machines/'],
  'src/billing/': ['src/runtime/', 'eventstore/', 'machines/'],
  'src/sessions/': ['src/permissions/', 'src/runtime/', 'eventstore/', 'machines/'],
  'src/agents/': [
    'src/sessions/',
    'src/permissions/',
    'src/billing/',
    'src/runtime/',
    'eventstore/',
    'machines/',
  ],
  'src/upkeep/': ['src/billing/', 'src/sessions/', 'src/runtime/', 'eventstore/', 'machines/'],
  'src/compliance/': ['src/sessions/', 'src/permissions/', 'src/runtime/', 'eventstore/', 'machines/'],
  'src/portfolio/': ['src/sessions/', 'src/permissions/', 'src/runtime/', 'eventstore/', 'machines/'],
  'src/ambient/': [
    'src/portfolio/',
    'src/compliance/',
    'src/billing/',
    'src/sessions/',
    'src/runtime/',
    'machines/',
  ],
  'src/query/': [
    'eventstore/',
    'machines/',
    // The fold, and what it takes and gives.
    'src/runtime/fold/fold.ts',
    'src/runtime/fold/cell-state.ts',
    'src/runtime/fold/durable-machine.ts',
    'src/runtime/fold/canonical.ts',
    'src/runtime/fold/state-value.ts',
    'src/runtime/fold/replay.ts',
    // What a change of versions would do.
    'src/runtime/migration/migration.ts',
    'src/runtime/fold/child-address.ts',
    'src/runtime/policies.ts',
    // What is owed on disk, also by forks that are paused.
    'src/runtime/recovery/owed.ts',
    'src/runtime/forks/fork-hold.ts',
    // What waits on disk beside the events, and to which root a child belongs.
    'src/runtime/delivery/outbox.ts',
    'src/runtime/effects/owed-effect.ts',
    'src/runtime/delivery/dead-letters.ts',
    'src/runtime/fold/child-address.ts',
    // What streams beside the actors' own are called, and what their records say.
    'src/runtime/definition.ts',
    'src/runtime/refusal-log.ts',
    'src/runtime/forks/fork-link.ts',
    'src/runtime/runtime-error.ts',
    'src/sessions/directory.ts',
    'src/permissions/redaction.ts',
    // The dialect in which names of actions are meant.
    'src/permissions/trigger.ts',
    // The protocol's rules over recorded facts: the same for a runtime and for a log.
    'src/compliance/facts.ts',
    'src/compliance/rules.ts',
    'src/compliance/score.ts',
    'src/compliance/daily-scores.ts',
    'src/compliance/stale-projects.ts',
    'src/compliance/session-metrics.ts',
    // The ledger and what is reckoned from it, as well.
    'src/billing/ledger.ts',
    'src/billing/billable-hours.ts',
    'src/billing/rate-card.ts',
    'src/upkeep/last-alive.ts',
  ],
  'src/inspector/': [
    'src/query/state-at.ts',
    'src/query/json-safe.ts',
    'src/runtime/fold/canonical.ts',
    'src/runtime/definition.ts',
    'src/runtime/fold/replay.ts',
    'src/runtime/fold/state-value.ts',
    'src/permissions/redaction.ts',
    'eventstore/',
  ],
  'src/attach/': ['eventstore/', 'src/runtime/runtime-error.ts'],
  'src/cli/': [
    'src/query/',
    'src/attach/',
    'src/inspector/',
    'src/embedding/package-version.ts',
    'src/create-runtime.ts',
    'src/embedding/project-folder.ts',
    'src/embedding/erasing.ts',
    'src/embedding/sealing.ts',
    'src/erase-offline.ts',
    'src/embedding/folder-size.ts',
    'src/embedding/log-level.ts',
    'machines/',
    // To open a log that no runtime has open, and to say who has it open.
    'eventstore/',
    // Forks from one folder into another, which no runtime has open either.
    'src/runtime/forks/fork-copy.ts',
    'src/runtime/forks/fork-link.ts',
    'src/runtime/runtime-error.ts',
    'src/runtime/definition.ts',
    'src/runtime/refusal-log.ts',
    'src/permissions/redaction.ts',
    // The runtime's interface, as a job sees it.
    'src/agents/define-agent.ts',
    'src/agents/run-result.ts',
    'src/sessions/directory.ts',
  ],
  'src/testing/': [
    'src/create-runtime.ts',
    'src/embedding/log-level.ts',
    'src/runtime/clock.ts',
    'eventstore/',
  ],
  'src/embedding/': [
    'src/inspector/',
    'src/query/',
    'src/attach/',
    'src/agents/',
    'src/sessions/',
    'src/permissions/',
    'src/runtime/',
    'eventstore/',
  ],
  'src/erase-offline.ts': ['src/embedding/', 'src/project-services.ts', 'eventstore/'],
  'src/command-port.ts': ['src/agents/', 'actors/'],
  'src/history.ts': ['src/query/', 'src/runtime/', 'src/sessions/'],
  'src/runtime-interface.ts': [
    'src/embedding/erasing.ts',
    'src/guards.ts',
    'src/history.ts',
    'src/project-services.ts',
    'src/agents/',
    'src/permissions/',
    'src/sessions/',
    'src/runtime/',
    'eventstore/',
  ],
  'src/runtime-options.ts': [
    'src/guards.ts',
    'src/embedding/',
    'src/agents/',
    'src/permissions/',
    'src/sessions/',
    'src/runtime/',
    'eventstore/',
    'src/billing/',
    'src/portfolio/',
  ],
  'src/guards.ts': ['src/permissions/', 'src/agents/', 'src/sessions/', 'src/runtime/'],
  'src/project-services.ts': ['src/', 'eventstore/'],
  'src/create-runtime.ts': ['src/', 'machines/', 'actors/', 'eventstore/'],
  'src/current-runtime.ts': ['src/create-runtime.ts', 'src/sessions/scope.ts'],
  'src/index.ts': ['src/', 'machines/'],
}

/** Packages that only some parts may import; all other packages are open to all. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  level: ['eventstore/level-event-store.ts'],
  'classic-level': ['eventstore/level-event-store.ts'],
  commander: ['src/cli/'],
  ws: ['src/inspector/'],
  '@clack/prompts': ['src/cli/'],
}

const SOURCES = ['eventstore', 'machines', 'actors', 'src']
const NAMELESS = /(?:^|[/.-])(?:utils?|helpers?|common|types|misc|shared)(?:[/.]|$)/
const LINE_CAP = 400

const sources: readonly SourceFile[] = SOURCES.flatMap((folder) => tsFiles(folder)).map(readSource)
const examples: readonly SourceFile[] = tsFiles('examples').map(readSource)

describe('every source file keeps to the layout', () => {
  test.each(sources.map((file) => [file.path, file] as const))('%s', (_path, file) => {
    expect(violations(file)).toEqual([])
  })
})

describe('every example is written as a user would write it', () => {
  test.each(examples.map((file) => [file.path, file] as const))('%s', (_path, file) => {
    const reached = file.imports.flatMap(({ file: to }) =>
      to !== undefined && !to.startsWith('examples/') ? [`imports ${to} instead of the package`] : [],
    )
    expect([...reached, ...shape(file)]).toEqual([])
  })
})

test('no file imports itself by a detour, types included', () => {
  expect(findCycle([...sources, ...examples])).toBeUndefined()
})

test('every file of the sources belongs to a part, and every part has files', () => {
  expect(sources.filter(({ path }) => partOf(path) === undefined).map(({ path }) => path)).toEqual([])
  const parts = new Set(sources.map(({ path }) => partOf(path)))
  expect(Object.keys(MATRIX).filter((part) => !parts.has(part))).toEqual([])
})

test('the table points one way: no two folders know each other', () => {
  const folders = Object.entries(MATRIX).filter(([part]) => part.endsWith('/'))
  const graph = folders.map(([part, allowed]) => ({
    path: part,
    imports: allowed.map((to) => ({ file: partOf(to) })),
  }))
  expect(findCycle(graph)).toBeUndefined()
})

describe('every machine names its actions, guards and actors, so that the log and a chart can name them too', () => {
  const names = sources.flatMap(({ path }) => /^machines\/(.+)\.machine\.ts$/.exec(path)?.[1] ?? [])

  test.each(names)('%s', async (name) => {
    const module = (await import(`../machines/${name}.machine.ts`)) as Record<string, { config?: unknown }>
    const machines = Object.values(module).filter((value) => value.config !== undefined)
    expect(machines).toHaveLength(1)
    expect(inlineIn(machines[0]?.config)).toEqual([])
  })

  test('an inline guard and an inline action are noticed', () => {
    const on = { go: { guard: () => true, actions: ['named', () => {}] } }
    const config = { context: () => ({}), states: { a: { on, invoke: { src: 'x', input: () => 1 } } } }
    expect(inlineIn(config)).toEqual(['states.a.on.go.guard', 'states.a.on.go.actions.1'])
  })
})

describe('the rules notice', () => {
  const doc = '/** Says what it is for. */\n'
  const found = (path: string, text: string): string[] => violations(sourceFile(path, doc + text))

  test.each([
    ['an import that the table does not allow', 'src/runtime/a.ts', `import { x } from '../agents/b.ts'`],
    [
      'a type that the table does not allow',
      'eventstore/a.ts',
      `import type { X } from '../src/runtime/b.ts'`,
    ],
    ['an import() that the table does not allow', 'actors/a.ts', `await import('../eventstore/event.ts')`],
    ['a re-export that the table does not allow', 'src/query/a.ts', `export * from '../agents/b.ts'`],
    ['an import over several lines', 'machines/a.ts', `import {\n  x,\n} from '../actors/b.ts'`],
    ['an index that is imported', 'src/agents/a.ts', `import { x } from '../index.ts'`],
    ['a second file that imports level', 'eventstore/a.ts', `import { Level } from 'level'`],
    ['a package in a machine', 'machines/a.ts', `import { z } from 'zod'`],
    ['a node module in a machine', 'machines/a.ts', `import { join } from 'node:path'`],
    ['a clock in a machine', 'machines/a.ts', 'export const now = () => Date.now()'],
    ['a clock in a template of a machine', 'machines/a.ts', 'export const now = `${Date.now()}`'],
    ['randomness in a machine', 'machines/a.ts', 'export const r = Math.random()'],
    ['waiting in a machine', 'machines/a.ts', 'export const w = async () => 1'],
    ["XState's values outside the runtime", 'src/agents/a.ts', `import { createActor } from 'xstate'`],
    [
      "XState's values beside its types",
      'src/agents/a.ts',
      `import { type AnyActor, createActor } from 'xstate'`,
    ],
    ['a file that is not about anything', 'src/runtime/utils.ts', 'export {}'],
    ['a file that is too long', 'src/runtime/a.ts', '\n'.repeat(LINE_CAP)],
  ])('%s', (_what, path, text) => {
    expect(found(path, text)).toHaveLength(1)
  })

  test('a file that does not say what it is for', () => {
    expect(violations(sourceFile('src/runtime/a.ts', 'export {}\n/** Late. */'))).toHaveLength(1)
  })

  test('nothing in comments, strings and what is allowed', () => {
    const text = `
      // Date.now() belongs to the runtime; import { x } from '../src/a.ts'
      import { setup, type AnyActor } from 'xstate'
      import { verdictOf } from './testimony.ts'
      export const late = Date.parse('2030-01-01T00:00:00.000Z')
      export const dated = 'Date.now()' + verdictOf(setup)`
    expect(found('machines/a.ts', text)).toEqual([])
    expect(found('src/agents/a.ts', `import type { AnyActor } from 'xstate'`)).toEqual([])
    expect(found('src/agents/a.ts', `import { type A, type B } from 'xstate'`)).toEqual([])
    expect(found('src/runtime/a.ts', `import { createActor } from 'xstate'`)).toEqual([])
  })

  test('a cycle, and how it runs', () => {
    const file = (name: string, to: string): SourceFile =>
      sourceFile(`src/runtime/${name}.ts`, `import type { X } from './${to}.ts'`)
    expect(findCycle([file('a', 'b'), file('b', 'c'), file('c', 'b')])).toEqual([
      'src/runtime/b.ts',
      'src/runtime/c.ts',
      'src/runtime/b.ts',
    ])
    expect(findCycle([file('a', 'b'), file('b', 'c'), file('c', 'd')])).toBeUndefined()
  })
})

/** All that a source file does against the rules. */
function violations(file: SourceFile): string[] {
  const found = [...shape(file), ...reach(file)]
  if (file.path.startsWith('machines/')) found.push(...impurities(file))
  return found
}

/** What every file owes its reader. */
function shape({ path, text }: SourceFile): string[] {
  const found: string[] = []
  if (NAMELESS.test(path)) found.push('is named after nothing in particular')
  if (text.split('\n').length > LINE_CAP) found.push(`has more than ${LINE_CAP} lines`)
  if (!/^(?:#![^\n]*\n)?\/\*\*\s*(?:\*\s*)?\S/.test(text))
    found.push('does not begin with a comment that says what it is for')
  return found
}

/** What a file imports and may not. */
function reach({ path, imports }: SourceFile): string[] {
  const part = partOf(path) ?? ''
  return imports.flatMap(({ specifier, file, typeOnly }) => {
    if (file === undefined) return packageTrouble(path, specifier, typeOnly)
    if (file.endsWith('/index.ts')) return [`imports ${file}: an index is for users of the package`]
    const allowed = [part, ...(MATRIX[part] ?? [])]
    return allowed.some((prefix) => file.startsWith(prefix)) ? [] : [`imports ${file}, which ${part} may not`]
  })
}

function packageTrouble(path: string, specifier: string, typeOnly: boolean): string[] {
  const [first = '', second = ''] = specifier.split('/')
  const name = first.startsWith('@') ? `${first}/${second}` : first
  const allowed = PACKAGES[name]
  if (allowed !== undefined && !allowed.some((prefix) => path.startsWith(prefix)))
    return [`imports ${name}, which belongs to ${allowed.join(', ')}`]
  if (path.startsWith('machines/') && name !== 'xstate')
    return [`imports ${specifier}; a machine knows only xstate`]
  if (name === 'xstate' && !typeOnly && path.startsWith('src/') && !path.startsWith('src/runtime/'))
    return ['imports values of xstate, which belong to src/runtime/']
  return []
}

/**
 * A machine decides on what its events say, so that a replay decides the same. A name before a colon is only a key;
 * `Date.parse` reads no clock.
 */
function impurities({ code }: SourceFile): string[] {
  const impure =
    /(?<![\w$.])(?:Date(?!\.parse\()|setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|crypto|globalThis|console|fetch|async|await|Promise)(?![\w$]|\??\s*:)|(?<![\w$])Math\s*\.\s*random(?![\w$])/g
  return Array.from(code.matchAll(impure), ([word]) => `uses ${word}: a machine is pure`)
}

/** Where a machine's configuration holds a function that has no name; context and input are mappings, not behaviour. */
function inlineIn(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === 'function') return [path.join('.')]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'context' || key === 'input' ? [] : inlineIn(inner, [...path, key]),
  )
}

function partOf(path: string): string | undefined {
  return Object.keys(MATRIX)
    .filter((part) => path.startsWith(part))
    .sort((a, b) => b.length - a.length)[0]
}

function tsFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .sort()
}
