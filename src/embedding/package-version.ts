/** The version of this package, from its own package.json: the sources and the build stand at different depths below it. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const NAME = '@agent-orchestration/core'

/** `unknown` if the file is not there, which no command needs to fail for. */
export async function packageVersion(from: string = import.meta.dirname): Promise<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
    const record = text === undefined ? undefined : (JSON.parse(text) as { name?: string; version?: string })
    if (record?.name === NAME) return record.version ?? 'unknown'
    if (dirname(folder) === folder) return 'unknown'
  }
}
