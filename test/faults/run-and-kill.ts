/** Runs one of the fault programs and kills it while it is at work. */
import { spawn } from 'node:child_process'

/**
 * Kills with SIGKILL once the program has told `count` lines; resolves with its whole lines.
 *
 * @throws Error when the program ends by itself
 */
export async function runAndKill(args: readonly string[], count: number): Promise<string[]> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8')
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.on('close', (_code, signal) => resolve(signal)),
  )
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    if (text.split('\n').length > count) child.kill('SIGKILL')
  })
  if ((await exited) !== 'SIGKILL') throw new Error(`the program ended by itself: ${text}`)
  return text.slice(0, text.lastIndexOf('\n')).split('\n')
}
