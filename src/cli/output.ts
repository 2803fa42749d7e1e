/** How a command speaks: data on stdout, talk on stderr, colour only where a person reads it. */
import { styleText } from 'node:util'
import { errorLine, errorStory } from './error-report.ts'

export type CliStream = {
  /** False when the reader is behind; `drain` comes when it has caught up. */
  write(text: string): unknown
  once?(event: 'drain', listener: () => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** A style of `node:util`'s `styleText`, or several. */
export type Style = Parameters<typeof styleText>[0]

export type CliOutput = {
  /** `--json`: data as JSON lines, errors as one JSON line. */
  readonly json: boolean
  readonly quiet: boolean
  /** Whether a person reads stdout. */
  readonly isTerminal: boolean
  /** Columns of stdout; 80 if it has none. */
  readonly columns: number
  /** A line of data on stdout. */
  line(text?: string): void
  /** One JSON object on a line of stdout. */
  record(value: unknown): void
  /** Resolves when stdout takes more: awaited between the lines of something long, so that it is not held in memory. */
  ready(): Promise<void>
  /** A line of talk on stderr; silent with `--quiet` and with `--json`. */
  say(text: string): void
  /** An error on stderr: its three parts, or one JSON line. */
  fail(error: unknown): void
  /** Text for stdout in a style; plain where stdout has no colour. */
  paint(style: Style, text: string): string
  /** The same for stderr. */
  paintTalk(style: Style, text: string): string
}

type Flags = { readonly json?: boolean; readonly quiet?: boolean; readonly color?: boolean }

type Streams = {
  readonly stdout: CliStream
  readonly stderr: CliStream
  readonly env: Readonly<Record<string, string | undefined>>
}

export function createOutput({ stdout, stderr, env }: Streams, flags: Flags): CliOutput {
  const json = flags.json === true
  const quiet = flags.quiet === true
  const coloured = flags.color !== false && !json && (env['NO_COLOR'] ?? '') === ''
  const painter =
    (stream: CliStream) =>
    (style: Style, text: string): string =>
      coloured && stream.isTTY === true ? styleText(style, text, { validateStream: false }) : text
  const paintTalk = painter(stderr)
  let behind = false
  const print = (text: string): void => {
    behind = stdout.write(text) === false
  }
  return {
    json,
    quiet,
    isTerminal: stdout.isTTY === true,
    columns: stdout.columns ?? 80,
    line: (text = '') => print(`${text}\n`),
    record: (value) => print(`${JSON.stringify(value)}\n`),
    async ready() {
      if (!behind || stdout.once === undefined) return
      await new Promise<void>((resolve) => stdout.once?.('drain', resolve))
      behind = false
    },
    say: (text) => {
      if (!quiet && !json) stderr.write(`${text}\n`)
    },
    fail: (error) =>
      void stderr.write(
        json ? `${errorLine(error)}\n` : `${errorStory(error, (text) => paintTalk('red', text))}\n`,
      ),
    paint: painter(stdout),
    paintTalk,
  }
}
