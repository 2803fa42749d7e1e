/** The machines that a command can replay: our own, and those of a module that the user names. */
import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withOurMachines } from '../query/our-machines.ts'
import { knownMachines, type Given, type KnownMachines } from '../query/state-at.ts'
import { CliError } from './cli-error.ts'

/**
 * Our machines, and all that the modules export by any name, also in lists. A user's machine takes the place of ours
 * of the same name and version. Loading a module runs its top-level code.
 *
 * @throws CliError `CLI_NOT_FOUND`, `CLI_USAGE`; RuntimeError `MACHINE_NOT_DURABLE`
 */
export async function loadMachines(files: readonly string[], cwd: string): Promise<KnownMachines> {
  const theirs = new Set<Given>()
  for (const file of files) for (const machine of await machinesOf(file, cwd)) theirs.add(machine)
  return withOurMachines(theirs)
}

/** How a generated file comes by a machine. */
export type MachineSource = {
  /** `import { machines } from './machines.js'` */
  readonly statement: string
  /** `machines[0]` */
  readonly expression: string
}

/**
 * Where among the modules the machine of a label is; `undefined` for one of ours. `folder` is that of the file that is
 * to import it.
 */
export async function locateMachine({
  files,
  cwd,
  label,
  folder,
}: {
  readonly files: readonly string[]
  readonly cwd: string
  readonly label: string
  readonly folder: string
}): Promise<MachineSource | undefined> {
  for (const file of files) {
    const path = resolve(cwd, file)
    const below = relative(folder, path).replaceAll('\\', '/')
    const from = JSON.stringify(below.startsWith('.') ? below : `./${below}`)
    for (const [name, exported] of Object.entries(await imported(path))) {
      const list = Array.isArray(exported) ? (exported as readonly unknown[]) : [exported]
      const index = list.findIndex((each) => isMachine(each) && knownMachines([each]).has(label))
      if (index < 0) continue
      const local = name === 'default' ? 'machine' : name
      const statement = `import ${name === 'default' ? local : `{ ${local} }`} from ${from}`
      const expression = Array.isArray(exported) ? `${local}[${index}]` : local
      return {
        statement,
        expression: 'machine' in (list[index] as object) ? `${expression}.machine` : expression,
      }
    }
  }
  return undefined
}

async function machinesOf(file: string, cwd: string): Promise<Given[]> {
  const path = resolve(cwd, file)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() !== true) {
    throw new CliError('CLI_NOT_FOUND', {
      happened: `There is no module ${path}.`,
      expected: 'Expected a JavaScript module that exports your machines.',
      todo: 'Correct the path after --machines; TypeScript is built first.',
      details: { path },
    })
  }
  const exported = Object.values(await imported(path))
  const machines = exported.flat().filter(isMachine)
  if (machines.length > 0) return machines
  throw new CliError('CLI_USAGE', {
    happened: `${path} exports no machine.`,
    expected: 'Expected an export that setup({…}).createMachine({…}) made, by any name, or a list of them.',
    todo: 'Export your machines from it.',
    details: { path },
  })
}

async function imported(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    throw new CliError('CLI_USAGE', {
      happened: `${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}.`,
      expected: 'Expected a JavaScript module that loads without an error.',
      todo: 'Correct the module; nothing was read from the log.',
      cause: error,
      details: { path },
    })
  }
}

/** A machine, or one with its policies. */
function isMachine(value: unknown): value is Given {
  if (typeof value !== 'object' || value === null) return false
  return '__xstatenode' in value || ('machine' in value && isMachine(value.machine))
}
