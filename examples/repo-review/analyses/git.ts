/** Runs git for reading only: arguments as an array, no hooks, no foreign programs, no index refresh, bounded output. */
import { spawn } from 'node:child_process'
import { devNull } from 'node:os'

/** Where git runs, and the `-c` settings that switch off what the repository's own configuration would start. */
export type GitPlace = { readonly root: string; readonly overrides: readonly string[] }

export type GitOptions = {
  readonly signal?: AbortSignal | undefined
  /** Written to git's standard input. */
  readonly input?: string
  readonly maxBytes?: number
}

export type GitErrorCode = 'GIT_MISSING' | 'GIT_FAILED' | 'GIT_OUTPUT_TOO_LARGE'

export class GitError extends Error {
  readonly code: GitErrorCode
  /** The first line of what git said, without its `fatal:`. */
  readonly said: string

  constructor(code: GitErrorCode, message: string, details: { said?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause })
    this.name = 'GitError'
    this.code = code
    this.said = details.said ?? ''
  }
}

const MAX_BYTES = 256 * 1024 * 1024

// Pathspecs are literal: a file called `:(top)*` is a file. Filters, pagers, signature checks and external
// diffs are programs that a foreign repository could name in its configuration.
const SAFE_ARGUMENTS = [
  '--no-pager',
  '--no-optional-locks',
  '--literal-pathspecs',
  ...[
    'core.quotepath=off',
    'core.fsmonitor=false',
    `core.hooksPath=${devNull}`,
    'color.ui=false',
    'diff.external=',
    'diff.renameLimit=400',
    'log.showSignature=false',
    'blame.ignoreRevsFile=',
    'blame.coloring=none',
  ].flatMap((setting) => ['-c', setting]),
]

/** All of git's answer as text. */
export async function git(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions = {},
): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of gitChunks(place, args, options)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Git's `-z` answer, one NUL-ended field at a time, without holding all of it. */
export async function* gitFields(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions = {},
): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of gitChunks(place, args, options)) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = data.indexOf(0); end !== -1; end = data.indexOf(0, from)) {
      yield data.toString('utf8', from, end)
      from = end + 1
    }
    rest = data.subarray(from)
  }
  if (rest.length > 0) yield rest.toString('utf8')
}

async function* gitChunks(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions,
): AsyncGenerator<Buffer> {
  options.signal?.throwIfAborted()
  const overrides = place.overrides.flatMap((setting) => ['-c', setting])
  const child = spawn('git', [...SAFE_ARGUMENTS, ...overrides, '-C', place.root, ...args], {
    env: quietEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  // Not spawn's own `signal`: its error would race with the stream's end.
  const kill = (): void => void child.kill('SIGKILL')
  options.signal?.addEventListener('abort', kill, { once: true })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 4000) said += text
  })
  const ended = new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }))
    child.once('close', (code) => resolve({ code }))
  })
  // A git that ends before it has read everything closes the pipe; its exit code tells what happened.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  let bytes = 0
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > (options.maxBytes ?? MAX_BYTES)) throw tooLarge(args)
      yield chunk
    }
    const end = await ended
    options.signal?.throwIfAborted()
    if (end.code !== 0) throw failed(args, said, end.error)
  } finally {
    options.signal?.removeEventListener('abort', kill)
    kill()
  }
}

function tooLarge(args: readonly string[]): GitError {
  return new GitError(
    'GIT_OUTPUT_TOO_LARGE',
    `git ${args[0]} answered more than the limit; an answer below it was expected; review a smaller folder`,
  )
}

function failed(args: readonly string[], stderr: string, cause?: Error): GitError {
  if (cause !== undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') {
    return new GitError(
      'GIT_MISSING',
      'git was not found; a git command on the PATH was expected; install git',
      {
        cause,
      },
    )
  }
  const said = (stderr.split('\n').find((line) => line.trim() !== '') ?? '').replace(/^(fatal|error): /, '')
  return new GitError('GIT_FAILED', `git ${args[0]} failed: ${said || (cause?.message ?? 'no message')}`, {
    said,
    cause,
  })
}

/** The caller's environment without what would point git elsewhere (as inside a hook) or let it ask or fetch. */
function quietEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !name.startsWith('GIT_') || (/^GIT_(CONFIG_|CEILING_)/.test(name) && name !== 'GIT_CONFIG_PARAMETERS'),
  )
  return {
    ...Object.fromEntries(kept),
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: 'none',
    LC_ALL: 'C',
  }
}
