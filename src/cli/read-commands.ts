/** Reads what a person types at a prompt, line by line, until Ctrl-C, Ctrl-D, or whoever asks has heard enough. */
import { createInterface } from 'node:readline'
import type { CliShared } from './shared-options.ts'

/** The prompt goes to stderr: what is on stdout is data. */
export async function* readCommands(
  { stdin, stderr }: CliShared,
  prompt: () => string,
): AsyncGenerator<string, void, undefined> {
  const lines = createInterface({
    input: stdin as NodeJS.ReadableStream,
    output: stderr as unknown as NodeJS.WritableStream,
    terminal: true,
  })
  // In a terminal readline takes Ctrl-C for itself.
  lines.on('SIGINT', () => lines.close())
  try {
    lines.setPrompt(prompt())
    lines.prompt()
    for await (const line of lines) {
      yield line
      lines.setPrompt(prompt())
      lines.prompt()
    }
    // The prompt's line has no end yet.
    stderr.write('\n')
  } finally {
    lines.close()
  }
}
