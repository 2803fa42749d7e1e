/** The documents that a stranger looks for first: README, LICENSE, CHANGELOG, and headings in their order. */
import { type Analysis, type Finding, measured, notMeasured } from './finding.ts'
import { readMarkdown } from './markdown.ts'
import { baseName, folderOf, isFixture, isTestFile } from './source-files.ts'
import { openTree, readText, readTexts, type Tree } from './tree.ts'

/** A short README needs no sections. */
const SHORT_LINES = 30
const REPORTED_JUMPS = 20

const README = /^readme(\.(md|markdown|rst|adoc|txt|org))?$/i
const LICENSE = /^(licen[cs]e|copying|unlicense)([.-].*)?$/i
const CHANGELOG = /^(changelog|changes|history|news|releases?|release-notes)([.-].*)?$/i
const USAGE =
  /install|usage|use\b|using|set.?up|get(ting)? started|quick.?start|start|example|how to|run|build|develop|tutorial|guide|documentation|docs|features|overview/i

export const readme: Analysis = async (input) => {
  const tree = await openTree(input)
  if ('unusable' in tree) return notMeasured(tree.unusable)
  const top = tree.files.filter((file) => folderOf(file) === '')
  const findings = [
    ...missing(tree, top),
    ...(await sections(tree, top)),
    ...(await jumps(tree, input.signal)),
  ]
  return measured(findings, {
    readme: top.find((file) => README.test(file)) ?? null,
    license: tree.files.find((file) => LICENSE.test(baseName(file))) ?? null,
    changelog: tree.files.find((file) => CHANGELOG.test(baseName(file))) ?? null,
  })
}

function missing(tree: Tree, top: readonly string[]): Finding[] {
  const findings: Finding[] = []
  const report = (file: string, message: string): void => {
    findings.push({ rule: 'document.missing', severity: 'low', area: 'documents', file, line: null, message })
  }
  const inFolder = (folder: RegExp, name: RegExp): boolean =>
    tree.files.some((file) => folder.test(folderOf(file)) && name.test(baseName(file)))
  const isPart = 'work_tree' in tree.repository && tree.repository.work_tree !== tree.root
  if (!top.some((file) => README.test(file)) && !inFolder(/^(docs|\.github)\/$/i, README)) {
    report('README.md', 'there is no README: nobody learns what this is')
  }
  // The rest of a repository can have them for the reviewed part of it.
  if (isPart) return findings
  if (!inFolder(/^(licen[cs]es?\/)?$/i, LICENSE) && !inFolder(/^LICENSES\/$/, /./)) {
    report('LICENSE', 'there is no licence: without one, nobody may use it')
  }
  const released = top.some((file) =>
    /^(package\.json|pyproject\.toml|setup\.py|Cargo\.toml|.*\.gemspec)$/.test(file),
  )
  if (
    released &&
    !tree.files.some((file) => CHANGELOG.test(baseName(file))) &&
    !tree.files.some((file) => file.startsWith('.changeset/'))
  ) {
    report('CHANGELOG.md', 'there is no changelog: users cannot tell what an update brings')
  }
  return findings
}

async function sections(tree: Tree, top: readonly string[]): Promise<Finding[]> {
  const file = top.find((name) => README.test(name) && /\.(md|markdown)$/i.test(name))
  const read = file === undefined ? undefined : await readText(tree.root, file)
  if (file === undefined || read === undefined) return []
  const { headings } = readMarkdown(read.text)
  const needsNone = read.text.split('\n').length < SHORT_LINES || /```|\n {4}\S/.test(read.text)
  if (needsNone || headings.some(({ text }) => USAGE.test(text))) return []
  const message = 'no section says how to install or use it'
  return [{ rule: 'document.no-usage', severity: 'low', area: 'documents', file, line: null, message }]
}

async function jumps(tree: Tree, signal?: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = []
  const files = tree.files.filter(
    (file) =>
      /\.(md|markdown)$/i.test(file) &&
      !tree.generated.has(file) &&
      !isTestFile(file) &&
      !isFixture(file) &&
      !CHANGELOG.test(baseName(file)) &&
      !/(^|\/)\.[^/]+\//.test(file),
  )
  for await (const { file, text } of readTexts(tree.root, files, signal)) {
    let level: number | undefined
    for (const heading of readMarkdown(text).headings) {
      if (level !== undefined && heading.level > level + 1) {
        const message = `heading jumps from level ${level} to ${heading.level}: outlines and screen readers lose the thread`
        findings.push({
          rule: 'document.heading-jump',
          severity: 'low',
          area: 'documents',
          file,
          line: heading.line,
          message,
        })
        // One a file tells that its headings want a look.
        break
      }
      level = heading.level
    }
  }
  return findings.slice(0, REPORTED_JUMPS)
}
