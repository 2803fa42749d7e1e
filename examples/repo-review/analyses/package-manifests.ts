/** Reads the package.json files of a tree: what each declares, where it says so, and which one rules over a file. */
import { type Finding, type JsonValue } from './finding.ts'
import { folderOf, isFixture } from './source-files.ts'
import { readTexts, type Tree } from './tree.ts'

export type DependencyKind = 'dependencies' | 'devDependencies' | 'peerDependencies' | 'optionalDependencies'

export type Manifest = {
  readonly file: string
  /** With its slash; `''` for the root. */
  readonly folder: string
  readonly name: string | undefined
  readonly declared: ReadonlyMap<string, DependencyKind>
  /** The file without its blocks of dependencies, as text: a name in it is a use. */
  readonly rest: string
  readonly scripts: string
  readonly text: string
}

const KINDS: readonly DependencyKind[] = [
  'peerDependencies',
  'optionalDependencies',
  'devDependencies',
  'dependencies',
]

export async function readManifests(
  tree: Tree,
  signal?: AbortSignal,
): Promise<{ manifests: Manifest[]; invalid: Finding[] }> {
  const manifests: Manifest[] = []
  const invalid: Finding[] = []
  const files = tree.files.filter((file) => /(^|\/)package\.json$/.test(file) && !tree.generated.has(file))
  for await (const { file, text } of readTexts(tree.root, files, signal)) {
    const json = parse(text)
    if (json !== undefined) manifests.push(manifestOf(file, text, json))
    else if (!isFixture(file)) {
      const message = 'not valid JSON: no package manager can read it'
      invalid.push({
        rule: 'dependency.invalid-manifest',
        severity: 'high',
        area: 'dependencies',
        file,
        line: null,
        message,
      })
    }
  }
  return { manifests, invalid }
}

/** The manifests above a file, nearest first; Node looks for packages beside each of them. */
export function manifestsAbove(manifests: ReadonlyMap<string, Manifest>, file: string): Manifest[] {
  const above: Manifest[] = []
  for (let folder = folderOf(file); ; folder = folderOf(folder.slice(0, -1))) {
    const manifest = manifests.get(folder)
    if (manifest !== undefined) above.push(manifest)
    if (folder === '') return above
  }
}

/** The line that declares a dependency. */
export function lineOfDependency(manifest: Manifest, name: string): number | null {
  const kind = manifest.declared.get(name)
  const block = kind === undefined ? -1 : manifest.text.search(new RegExp(`"${kind}"\\s*:\\s*\\{`))
  const at = block === -1 ? -1 : manifest.text.indexOf(JSON.stringify(name), block)
  return at === -1 ? null : manifest.text.slice(0, at).split('\n').length
}

function manifestOf(file: string, text: string, json: { readonly [name: string]: JsonValue }): Manifest {
  const declared = new Map<string, DependencyKind>()
  for (const kind of KINDS) {
    const block = json[kind]
    if (isRecord(block)) for (const name of Object.keys(block)) declared.set(name, kind)
  }
  const rest = Object.entries(json).filter(([key]) => !(KINDS as readonly string[]).includes(key))
  return {
    file,
    folder: folderOf(file),
    name: typeof json['name'] === 'string' ? json['name'] : undefined,
    declared,
    rest: JSON.stringify(Object.fromEntries(rest)),
    scripts: JSON.stringify(json['scripts'] ?? {}),
    text,
  }
}

function parse(text: string): { readonly [name: string]: JsonValue } | undefined {
  try {
    const json = JSON.parse(text) as JsonValue
    return isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}

export function isRecord(value: unknown): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
