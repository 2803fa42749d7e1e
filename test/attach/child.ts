/** Starts a built program of the fault tests and resolves when it has said a word. Needs `npm run build`. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export async function startProgram(
  name: 'log-follower' | 'log-owner',
  args: readonly string[],
  word: string,
): Promise<ChildProcess> {
  const program = fileURLToPath(new URL(`../../dist/test/faults/programs/${name}.js`, import.meta.url))
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await new Promise<void>((resolve, reject) => {
    child.once('close', (code) => reject(new Error(`${name} ended with ${code}`)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes(word)) resolve()
    })
  })
  return child
}

export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
}
