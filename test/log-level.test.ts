/** How much a runtime logs, by option and by environment; heard on the stderr of a real process. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createRuntime } from '../src/index.ts'
import { root } from './architecture/source-file.ts'

const run = promisify(execFile)
const entry = join(root, 'dist/src/index.js')
const program = (options: object): string =>
  `import { createRuntime } from ${JSON.stringify(new URL(`file://${entry}`).href)}
   const runtime = await createRuntime(${JSON.stringify(options)})
   await runtime.sessions.start({ role: 'supervisor' })
   await runtime.close()`

const heard = async (options: object, level: string | undefined): Promise<string[]> => {
  const { AGENTCTL_LOG_LEVEL: _, ...env } = process.env
  const { stderr } = await run(process.execPath, ['--input-type=module', '-e', program(options)], {
    env: { ...env, ...(level !== undefined && { AGENTCTL_LOG_LEVEL: level }) },
  })
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
}

test('every event is logged at level debug: by option, or by environment, where the option comes first', async () => {
  const [quiet, option, environment, both] = await Promise.all([
    heard({}, undefined),
    heard({ logLevel: 'debug' }, undefined),
    heard({}, 'debug'),
    heard({ logLevel: 'error' }, 'debug'),
  ])
  expect({ quiet, both }).toEqual({ quiet: [], both: [] })
  expect(option).toContain('session.created')
  expect(environment).toContain('session.created')
}, 60_000)

test('a level that there is not is refused before anything is opened, whoever asks for it', async () => {
  await expect(heard({}, 'loud')).rejects.toThrow(/AGENTCTL_LOG_LEVEL is "loud"/)
  await expect(createRuntime({ logLevel: 'loud' as never })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    details: { path: 'logLevel' },
  })
})
