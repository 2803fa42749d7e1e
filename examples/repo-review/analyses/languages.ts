/** Which language a file is in, and as much of its syntax as it takes to tell comments and strings from code. */
import { baseName, extensionOf } from './source-files.ts'

export type Syntax = {
  readonly lineComments: readonly string[]
  readonly blockComments: readonly (readonly [open: string, close: string])[]
  /** Quotes of strings that end on their line. */
  readonly quotes: string
  /** Delimiters of strings that may span lines, longest first. */
  readonly longQuotes: readonly string[]
  /** JavaScript's regular expressions and templates with holes. */
  readonly script: boolean
  /** A `#` or a quote only counts at the start of a word (shell, YAML). */
  readonly loose: boolean
  /** `'` is a character, or a lifetime (Rust), not a string. */
  readonly charQuote: boolean
}

export type Blocks = 'braces' | 'indent' | 'none'

export type Language = {
  readonly id: string
  /** Written by programmers and worth a look at its size; not configuration or markup. */
  readonly code: boolean
  readonly blocks: Blocks
  readonly syntax: Syntax
}

const NONE: Syntax = {
  lineComments: [],
  blockComments: [],
  quotes: '',
  longQuotes: [],
  script: false,
  loose: false,
  charQuote: false,
}
const C: Syntax = {
  ...NONE,
  lineComments: ['//'],
  blockComments: [['/*', '*/']],
  quotes: '"',
  charQuote: true,
}
const SCRIPT: Syntax = { ...C, quotes: `"'`, script: true, charQuote: false }
const HASH: Syntax = { ...NONE, lineComments: ['#'], quotes: `"'`, loose: true }
const PYTHON: Syntax = { ...NONE, lineComments: ['#'], quotes: `"'`, longQuotes: ['"""', "'''"] }
const MARKUP: Syntax = { ...NONE, blockComments: [['<!--', '-->']] }

function language(id: string, syntax: Syntax, blocks: Blocks = 'none'): Language {
  return { id, syntax, blocks, code: syntax !== MARKUP && (blocks !== 'none' || !NOT_CODE.has(id)) }
}

const NOT_CODE = new Set(['yaml', 'config', 'css', 'markup', 'schema'])

const script = language('javascript', SCRIPT, 'braces')
const cLike = language('c', C, 'braces')
const css = language('css', { ...C, lineComments: [], quotes: `"'`, charQuote: false })
const sass = language('css', { ...C, quotes: `"'`, charQuote: false })
const php = language(
  'php',
  { ...SCRIPT, lineComments: ['//', '#'], script: false, longQuotes: ['"', "'"] },
  'braces',
)
const go = language('go', { ...C, longQuotes: ['`'] }, 'braces')
const python = language('python', PYTHON, 'indent')
const ruby = language('ruby', HASH)
const shell = language('shell', HASH)
const yaml = language('yaml', HASH)
const config = language('config', { ...HASH, lineComments: ['#', ';'] })
const dashes = language('sql', { ...NONE, lineComments: ['--'], blockComments: [['/*', '*/']], quotes: `"'` })
const percent = language('erlang', { ...NONE, lineComments: ['%'], quotes: '"', loose: true })
const lisp = language('lisp', { ...NONE, lineComments: [';'], quotes: '"', loose: true })
const markup = language('markup', MARKUP)

const BY_EXTENSION: ReadonlyMap<string, Language> = new Map(
  (
    [
      [script, 'js mjs cjs jsx ts mts cts tsx'],
      [
        cLike,
        'c h cc cpp cxx hpp hh java cs kt kts swift scala dart groovy m mm rs zig sol v glsl wgsl proto',
      ],
      [css, 'css'],
      [sass, 'scss less'],
      [go, 'go'],
      [php, 'php'],
      [python, 'py pyi pyx'],
      [ruby, 'rb rake ex exs cr r jl pl pm nim tcl'],
      [shell, 'sh bash zsh fish ps1 mk cmake'],
      [yaml, 'yml yaml'],
      [config, 'toml ini cfg conf properties tf hcl env'],
      [dashes, 'sql lua hs elm'],
      [percent, 'erl hrl tex'],
      [lisp, 'clj cljs cljc el lisp scm'],
      [markup, 'html htm xml md markdown vue svelte astro'],
    ] as const
  ).flatMap(([found, extensions]) => extensions.split(' ').map((extension) => [extension, found] as const)),
)

const BY_NAME: ReadonlyMap<string, Language> = new Map([
  ['makefile', shell],
  ['gnumakefile', shell],
  ['dockerfile', shell],
  ['containerfile', shell],
  ['cmakelists.txt', shell],
  ['gemfile', ruby],
  ['rakefile', ruby],
  ['jenkinsfile', cLike],
  ['.gitignore', config],
  ['.editorconfig', config],
])

export function languageOf(file: string): Language | undefined {
  return BY_EXTENSION.get(extensionOf(file)) ?? BY_NAME.get(baseName(file).toLowerCase())
}

/** The two languages that live inside markup files. */
export const EMBEDDED: { readonly script: Language; readonly style: Language } = { script, style: sass }
