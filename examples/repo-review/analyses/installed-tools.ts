/** Which commands a dependency brings and what it wants beside it, from the lock file or from what is installed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonValue } from './finding.ts'
import { isRecord, type Manifest } from './package-manifests.ts'

export type InstalledTool = { readonly bins: readonly string[]; readonly peers: readonly string[] }

/** `undefined` for a package of which nothing is known: it may bring any command. */
export type Installed = (manifest: Manifest, name: string) => Promise<InstalledTool | undefined>

const MAX_LOCK_BYTES = 64 * 1024 * 1024

export async function installedIn(root: string): Promise<Installed> {
  const lock = await readJson(join(root, 'package-lock.json'))
  const packages = isRecord(lock?.['packages']) ? lock['packages'] : {}
  return async (manifest, name) => {
    for (const folder of [`${manifest.folder}node_modules/${name}`, `node_modules/${name}`]) {
      const entry = packages[folder] ?? (await readJson(join(root, folder, 'package.json')))
      if (isRecord(entry)) return toolOf(name, entry)
    }
    return undefined
  }
}

function toolOf(name: string, entry: { readonly [name: string]: JsonValue }): InstalledTool {
  const bin = entry['bin']
  const bins = isRecord(bin)
    ? Object.keys(bin)
    : typeof bin === 'string'
      ? [name.replace(/^@[^/]+\//, '')]
      : []
  const peers = entry['peerDependencies']
  return { bins, peers: isRecord(peers) ? Object.keys(peers) : [] }
}

async function readJson(path: string): Promise<{ readonly [name: string]: JsonValue } | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    const json = text.length > MAX_LOCK_BYTES ? undefined : (JSON.parse(text) as JsonValue)
    return isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}
