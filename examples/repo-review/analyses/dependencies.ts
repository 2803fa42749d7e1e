/** npm dependencies that are declared and never used, or used and never declared; in doubt it says nothing. */
import {
  type Analysis,
  type AnalysisInput,
  compareText,
  type Finding,
  measured,
  notMeasured,
} from './finding.ts'
import { type Import, importsIn } from './imports.ts'
import { type Installed, installedIn } from './installed-tools.ts'
import { lineOfDependency, type Manifest, manifestsAbove, readManifests } from './package-manifests.ts'
import {
  baseName,
  extensionOf,
  folderOf,
  isExample,
  isFixture,
  isLockFile,
  isTestFile,
} from './source-files.ts'
import { openTree, readTexts, type Tree } from './tree.ts'

type Use = { readonly file: string; readonly found: Import }

type Project = {
  readonly tree: Tree
  /** By folder. */
  readonly manifests: ReadonlyMap<string, Manifest>
  readonly imports: readonly Use[]
  /** Dependencies of each manifest that no file mentions in any way. */
  readonly unmentioned: ReadonlyMap<Manifest, ReadonlySet<string>>
  /** Names that a compiler or bundler resolves to something else. */
  readonly aliases: string
}

const SCRIPT = /\.[cm]?[jt]sx?$/
const CONFIGURATION =
  /(^|\/)([tj]sconfig[^/]*\.json|deno\.jsonc?|import_map\.json|[^/]+\.config\.[cm]?[jt]s|[^/]*\.d\.[cm]?ts|\.babelrc[^/]*|BUILD(\.bazel)?)$/
/** Their loaders find them by a short name, or without any. */
const PLUGIN =
  /(^|[/-])(eslint|prettier|babel|postcss|stylelint|remark|rehype|commitlint|semantic-release|karma|grunt|gulp|tailwindcss|vite|rollup|webpack|jest|mocha|cypress|storybook|docusaurus|gatsby|textlint|markdownlint|lint-staged|release-it|conventional-changelog|swc|parcel|hardhat|expo|metro|serverless|nx|turbo)(-|$|\/)|-(loader|plugin|preset|config|theme|types|reporter|transformer|adapter)s?(-|$)|^@types\/|\/(plugin|preset|config|theme)s?[-/]?/
/** Loaded by other packages when they are there. */
const IMPLICIT = new Set(
  (
    'typescript tslib @babel/core @babel/runtime jquery popper.js @popperjs/core prop-types core-js regenerator-runtime react react-dom react-native sass sass-embedded less ' +
    'stylus terser esbuild lightningcss jsdom happy-dom husky bufferutil utf-8-validate encoding supports-color ' +
    'pino-pretty sqlite3 pg mysql mysql2 tedious oracledb pg-hstore fsevents source-map-support ts-node tsx jiti ' +
    'web-streams-polyfill c8 nyc npm yarn pnpm node bun'
  ).split(' '),
)

export const dependencies: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const { manifests, invalid } = await readManifests(tree, input.signal)
  if (manifests.length + invalid.length === 0)
    return notMeasured('no package.json: only npm dependencies are checked')
  const project = await readProject(tree, manifests, input)
  const unused = await unusedFindings(project, await installedIn(tree.root))
  const undeclared = undeclaredFindings(project)
  input.log?.(`${manifests.length} package.json files, ${project.imports.length} imports of packages`)
  return measured([...invalid, ...unused, ...undeclared], {
    package_files: manifests.length,
    declared: new Set(manifests.flatMap(({ declared }) => [...declared.keys()])).size,
    imports: project.imports.length,
    unused: unused.length,
    undeclared: undeclared.length,
  })
}

async function readProject(tree: Tree, all: readonly Manifest[], input: AnalysisInput): Promise<Project> {
  const manifests = new Map(all.map((manifest) => [manifest.folder, manifest]))
  const unmentioned = new Map(all.map((manifest) => [manifest, new Set(manifest.declared.keys())]))
  const imports: Use[] = []
  const aliases: string[] = []
  const files = tree.files.filter((file) => !isLockFile(file) && baseName(file) !== 'package.json')
  for await (const { file, text } of readTexts(tree.root, files, input.signal)) {
    if (CONFIGURATION.test(file)) aliases.push(text)
    if (SCRIPT.test(file) && !tree.generated.has(file)) {
      for (const found of importsIn(text)) imports.push({ file, found })
    }
    // Documents talk about packages without using them; code blocks in MDX are pages.
    if (/^(md|markdown|txt|rst|adoc|svg|map|snap)$/.test(extensionOf(file))) continue
    const above = manifestsAbove(manifests, file)
    // A file beside all packages (a CI job, a shared configuration) can use what any of them declares.
    const users = (above[0]?.folder ?? '') === '' ? all : above
    for (const manifest of users) forgetMentioned(unmentioned.get(manifest), text)
  }
  for (const manifest of all) {
    for (const above of manifestsAbove(manifests, manifest.file))
      forgetMentioned(unmentioned.get(above), manifest.rest)
  }
  return { tree, manifests, imports, unmentioned, aliases: aliases.join('\n') }
}

function forgetMentioned(names: Set<string> | undefined, text: string): void {
  for (const name of names ?? []) if (mentions(text, name)) names?.delete(name)
}

/** As a word of its own, or with a path behind it. */
function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const before = text[at - 1] ?? ' '
    const after = text[at + name.length] ?? ' '
    if (!/[\w@-]/.test(before) && !/[\w-]/.test(after)) return true
  }
  return false
}

async function unusedFindings(project: Project, installed: Installed): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [manifest, names] of project.unmentioned) {
    if (isFixture(manifest.file) || isTestFile(manifest.file)) continue
    const wanted = names.size === 0 ? new Set<string>() : await peersOf(manifest, installed)
    for (const name of names) {
      const kind = manifest.declared.get(name)
      if (kind !== 'dependencies' && kind !== 'devDependencies') continue
      if (IMPLICIT.has(name) || PLUGIN.test(name) || wanted.has(name)) continue
      const tool = await installed(manifest, name)
      const used =
        tool === undefined
          ? kind === 'devDependencies' || soundsLikeCommand(name, manifest.scripts)
          : tool.bins.some((bin) => isRun(project, manifest, bin))
      if (used) continue
      const message = `${name} is declared in ${kind} and nothing mentions it`
      const severity =
        kind === 'dependencies' && tool !== undefined && !isExample(manifest.file) ? 'medium' : 'low'
      findings.push({
        ...at(manifest.file, lineOfDependency(manifest, name)),
        rule: 'dependency.unused',
        severity,
        message,
      })
    }
  }
  return findings
}

async function peersOf(manifest: Manifest, installed: Installed): Promise<Set<string>> {
  const tools = await Promise.all([...manifest.declared.keys()].map((name) => installed(manifest, name)))
  return new Set(tools.flatMap((tool) => tool?.peers ?? []))
}

/** In a script of this package or of one above it. */
function isRun(project: Project, manifest: Manifest, bin: string): boolean {
  return [manifest, ...manifestsAbove(project.manifests, manifest.file)].some(({ scripts }) =>
    mentions(scripts, bin),
  )
}

/** Nothing is known of its commands: then a script's word that is like its name counts. */
function soundsLikeCommand(name: string, scripts: string): boolean {
  if (name.endsWith('cli')) return true
  const words = scripts.split(/[^\w-]+/).filter((word) => word.length >= 4)
  const parts = name.split(/[^a-z0-9]+/i).filter((part) => part.length >= 4)
  return parts.some((part) => words.some((word) => word.includes(part) || part.includes(word)))
}

function undeclaredFindings(project: Project): Finding[] {
  const siblings = new Set([...project.manifests.values()].flatMap(({ name }) => name ?? []))
  const first = new Map<string, { use: Use; files: Set<string>; manifest: Manifest; test: boolean }>()
  for (const use of project.imports) {
    const { file, found } = use
    if (found.guarded || isFixture(file) || siblings.has(found.name)) continue
    const above = manifestsAbove(project.manifests, file)
    const nearest = above[0]
    if (nearest === undefined || above.some((manifest) => declares(manifest, found))) continue
    if (isAlias(project, file, found.name)) continue
    const key = `${nearest.file}\0${found.name}`
    const known = first.get(key)
    if (known === undefined)
      first.set(key, { use, files: new Set([file]), manifest: nearest, test: isTestFile(file) })
    else known.files.add(file)
  }
  return [...first.values()]
    .sort((a, b) => compareText(a.use.file, b.use.file))
    .map(({ use, files, manifest, test }) => {
      const others = files.size === 1 ? '' : ` (${files.size} files import it)`
      const message = `imports ${use.found.name}, which ${manifest.file} does not declare${others}`
      const severity = test || use.found.typeOnly || isExample(use.file) ? 'low' : 'high'
      return { ...at(use.file, use.found.line), rule: 'dependency.undeclared', severity, message }
    })
}

function declares({ declared }: Manifest, { name, typeOnly }: Import): boolean {
  if (declared.has(name)) return true
  const types = `@types/${name.startsWith('@') ? name.slice(1).replace('/', '__') : name}`
  return declared.has(types) && (typeOnly || declared.has(types))
}

/** A folder at hand, a path of the compiler, an alias of the bundler, a module declared by hand. */
function isAlias({ tree, aliases }: Project, file: string, name: string): boolean {
  const first = name.split('/')[0] ?? name
  const quoted = [name, first].flatMap((one) => [`"${one}`, `'${one}`, `${one}:`])
  if (quoted.some((one) => aliases.includes(one))) return true
  for (let folder = folderOf(file); ; folder = folderOf(folder.slice(0, -1))) {
    if (
      tree.files.some(
        (other) => other.startsWith(`${folder}${first}/`) || other.startsWith(`${folder}src/${first}`),
      )
    )
      return true
    if (folder === '') return false
  }
}

function at(file: string, line: number | null): Pick<Finding, 'area' | 'file' | 'line'> {
  return { area: 'dependencies', file, line }
}
