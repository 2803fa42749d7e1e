/** The largest source files of a tree, by lines of text: what a close reading begins with. */
import { compareText } from './analyses/finding.ts'
import { languageOf } from './analyses/languages.ts'
import { linesOf, openTree, readTexts } from './analyses/tree.ts'

/** Relative paths, largest first; ties by name. */
export async function largestSources(options: {
  readonly root: string
  readonly limit: number
  readonly signal: AbortSignal
}): Promise<string[]> {
  const { root, limit, signal } = options
  const tree = await openTree({ root, startedAt: '', signal })
  if ('unusable' in tree) return []
  const sources = tree.files.filter((file) => !tree.generated.has(file) && isSource(file))
  const sizes: { readonly file: string; readonly lines: number }[] = []
  for await (const { file, text } of readTexts(tree.root, sources, signal)) {
    sizes.push({ file, lines: linesOf(text).length })
  }
  return sizes
    .sort((a, b) => b.lines - a.lines || compareText(a.file, b.file))
    .slice(0, limit)
    .map(({ file }) => file)
}

function isSource(file: string): boolean {
  return (languageOf(file)?.blocks ?? 'none') !== 'none'
}
