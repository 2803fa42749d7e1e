/** Where the package runs: in Node.js, and nowhere that only calls itself so. */
import { afterEach, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'

const versions = Object.getOwnPropertyDescriptor(process, 'versions')
afterEach(() => {
  if (versions !== undefined) Object.defineProperty(process, 'versions', versions)
})

test.each([
  ['bun', 'Bun 1.3.0'],
  ['deno', 'Deno 1.3.0'],
])('%s is refused with a sentence', async (key, name) => {
  Object.defineProperty(process, 'versions', { ...versions, value: { ...process.versions, [key]: '1.3.0' } })
  await expect(createRuntime()).rejects.toMatchObject({
    code: 'HOST_UNSUPPORTED',
    message: expect.stringMatching(
      new RegExp(`^This is ${name}\\. .*Run the program with node\\.$`),
    ) as string,
  })
})
