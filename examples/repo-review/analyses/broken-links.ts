/** Relative links and images in Markdown that lead nowhere: no such file, or no such heading in it. */
import { lstat, realpath } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { type Analysis, type Finding, measured, notMeasured } from './finding.ts'
import { type MarkdownFile, type MarkdownLink, readMarkdown } from './markdown.ts'
import { baseName, folderOf, isFixture, isTestFile } from './source-files.ts'
import { openTree, readTexts, type Tree } from './tree.ts'

type Documents = {
  readonly tree: Tree
  /** Files that lie there, and every folder above them. */
  readonly present: ReadonlySet<string>
  readonly parsed: ReadonlyMap<string, MarkdownFile>
  /** Folders whose documents a site generator turns into pages, with addresses and anchors of its own. */
  readonly sites: readonly string[]
}

const MARKDOWN = /\.(md|markdown|mdown|mkd)$/i
const SITE =
  /(^|\/)(\.vitepress\/|\.vuepress\/|docusaurus\.config\.\w+$|mkdocs\.ya?ml$|book\.toml$|_config\.yml$|astro\.config\.\w+$|hugo\.toml$|conf\.py$|antora\.yml$|sidebars\.\w+$|mint\.json$|docs\.json$|rspress\.config\.\w+$|typedoc\.json$)/

export const brokenLinks: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const markdown = tree.files.filter((file) => MARKDOWN.test(file) && !tree.generated.has(file))
  if (markdown.length === 0) return notMeasured('no Markdown files')
  const parsed = new Map<string, MarkdownFile>()
  for await (const { file, text } of readTexts(tree.root, markdown, input.signal))
    parsed.set(file, readMarkdown(text))
  const documents: Documents = { tree, present: await presentPaths(tree), parsed, sites: sitesOf(tree.files) }

  const findings: Finding[] = []
  let checked = 0
  for (const [file, { links }] of parsed) {
    // Documents that are input of tests are often broken on purpose.
    if (isFixture(file) || isTestFile(file)) continue
    for (const link of links) {
      const target = targetOf(file, link.target)
      if (target === undefined) continue
      checked += 1
      const finding = await check(documents, { file, link, target })
      if (finding !== undefined) findings.push(finding)
    }
  }
  input.log?.(`${checked} relative links in ${parsed.size} Markdown files checked`)
  return measured(distinct(findings), { markdown_files: parsed.size, links_checked: checked })
}

type Target = { readonly path: string; readonly anchor: string; readonly absolute: boolean }

/** `undefined` for what is not a path in the repository: addresses, placeholders, what lies above the root. */
function targetOf(file: string, raw: string): Target | undefined {
  if (raw === '' || /^[a-z][a-z0-9+.-]*:|^\/\/|[{}<>*|$\\]|%[A-Z_]+%/i.test(raw)) return undefined
  const [beforeHash = '', ...hash] = raw.split('#')
  const path = decoded(beforeHash.replace(/\?.*$/, ''))
  const anchor = decoded(hash.join('#'))
  if (path === undefined || anchor === undefined || path.includes('\0')) return undefined
  const absolute = path.startsWith('/')
  const joined =
    path === '' ? file : posix.normalize(absolute ? path.slice(1) || '.' : posix.join(folderOf(file), path))
  if (joined === '..' || joined.startsWith('../')) return undefined
  return { path: joined.replace(/\/$/, '').replace(/^\.$/, ''), anchor, absolute }
}

async function check(
  documents: Documents,
  found: { file: string; link: MarkdownLink; target: Target },
): Promise<Finding | undefined> {
  const { file, link, target } = found
  const site = documents.sites.some((folder) => file.startsWith(folder))
  const page = await resolvePage(documents, target.path, site)
  const what = link.image ? 'image' : 'link'
  if (page === undefined) {
    // Below a site's root, `/x` is the site's; a page without an extension can be made by its generator.
    if (target.absolute && (site || folderOf(file) !== '')) return undefined
    if (site && !/\.\w{1,5}$/.test(target.path)) return undefined
    const message = `${what} to a missing file: ${shown(link.target)}${otherCase(documents, target.path)}`
    return { ...place(found), rule: 'link.missing-file', severity: 'medium', message }
  }
  const anchors = documents.parsed.get(page)?.anchors
  if (target.anchor === '' || anchors === undefined || hasAnchor(anchors, target.anchor, site))
    return undefined
  const where = page === file ? 'this document' : page
  return {
    ...place(found),
    rule: 'link.missing-heading',
    severity: 'low',
    message: `${what} to #${shown(target.anchor)}, which no heading of ${where} makes`,
  }
}

function place(found: { file: string; link: MarkdownLink }): Pick<Finding, 'area' | 'file' | 'line'> {
  return { area: 'documents', file: found.file, line: found.link.line }
}

/** The path that a link means, as a file or a folder that is there. */
async function resolvePage(documents: Documents, path: string, site: boolean): Promise<string | undefined> {
  const { present, tree } = documents
  if (path === '' || present.has(path)) return path
  if (site) {
    const stem = path.replace(/\.html?$/, '')
    const page = [`${stem}.md`, `${stem}.mdx`, `${stem}/index.md`, `${stem}/README.md`].find((name) =>
      present.has(name),
    )
    if (page !== undefined) return page
  }
  return (await liesThere(tree.root, path)) ? path : undefined
}

/** Not tracked, but there, spelled exactly so also where the file system does not mind case. */
async function liesThere(root: string, path: string): Promise<boolean> {
  try {
    const real = await realpath(join(root, path))
    return baseName(real.replaceAll('\\', '/')) === baseName(path)
  } catch {
    return false
  }
}

function hasAnchor(anchors: ReadonlySet<string>, anchor: string, site: boolean): boolean {
  const wanted = anchor.toLowerCase().replace(/^user-content-/, '')
  if (anchors.has(wanted) || wanted === 'top' || /^l\d+(-l?\d+)?$|^:~:|^[!/]/.test(wanted)) return true
  if (!site) return false
  const loose = lettersOf(wanted)
  return [...anchors].some((one) => lettersOf(one) === loose)
}

function lettersOf(anchor: string): string {
  return anchor.normalize('NFKD').replace(/[^\p{L}\p{N}]/gu, '')
}

function otherCase(documents: Documents, path: string): string {
  const wanted = path.toLowerCase()
  const other = documents.tree.files.find((file) => file !== path && file.toLowerCase() === wanted)
  return other === undefined ? '' : ` (there is ${other}: case matters)`
}

function shown(target: string): string {
  return target.length > 120 ? `${target.slice(0, 120)}…` : target
}

async function presentPaths(tree: Tree): Promise<Set<string>> {
  const present = new Set<string>()
  for (const file of tree.files) {
    const there = await lstat(join(tree.root, file)).then(
      () => true,
      () => false,
    )
    if (!there) continue
    for (let path = file; path !== '' && !present.has(path); path = folderOf(path).slice(0, -1))
      present.add(path)
  }
  return present
}

function sitesOf(files: readonly string[]): string[] {
  return [
    ...new Set(
      files.flatMap((file) => {
        const found = SITE.exec(file)
        return found === null ? [] : [file.slice(0, found.index + (found[1]?.length ?? 0))]
      }),
    ),
  ]
}

/** One place says it once, also when it is an image inside a link to the same file. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [`${one.file}\0${one.line}\0${one.message}`, one])).values()]
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
