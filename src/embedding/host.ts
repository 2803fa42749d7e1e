/** Which JavaScript runtimes this package works in: those it is tested in. */
import { RuntimeError } from '../runtime/runtime-error.ts'

/**
 * Refuses what calls itself Node and is not: durability rests on a compiled LevelDB, on fsync and on asynchronous context,
 * and none of that is tested there.
 *
 * @throws RuntimeError `HOST_UNSUPPORTED`
 */
export function assertSupportedHost(versions: Readonly<Record<string, string | undefined>>): void {
  for (const [key, name] of [
    ['bun', 'Bun'],
    ['deno', 'Deno'],
  ] as const) {
    const version = versions[key]
    if (version === undefined) continue
    throw new RuntimeError('HOST_UNSUPPORTED', {
      happened: `This is ${name} ${version}.`,
      expected: 'Node.js 20.19 or later: what is on disk is only known to hold there.',
      todo: 'Run the program with node.',
      details: { host: key, version },
    })
  }
}
