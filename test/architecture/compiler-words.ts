/** What the TypeScript compiler says of a folder that has a `tsconfig.json`. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { root } from './source-file.ts'

type End = { readonly failed: boolean; readonly stdout: string; readonly stderr: string }

/**
 * The lines about the folder's own files; what is wrong in the sources themselves, `npm run typecheck` says.
 *
 * @throws Error when the compiler could not do its work, so that its silence is never taken for agreement
 */
export async function compilerWords(
  folder: string,
  compiler = join(root, 'node_modules/typescript/bin/tsc'),
): Promise<string[]> {
  const { failed, stdout, stderr } = await new Promise<End>((resolve) =>
    execFile(process.execPath, [compiler, '-p', folder], { cwd: root }, (error, out, err) =>
      resolve({ failed: error !== null, stdout: out, stderr: err }),
    ),
  )
  if (failed && !stdout.includes('error TS')) throw new Error(`the compiler did not run: ${stderr || stdout}`)
  return stdout.split('\n').filter((line) => !/^(?:src|eventstore|machines|actors)\/| {2}|^$/.test(line))
}
