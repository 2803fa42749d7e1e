/** `agentctl migrate --into <folder>`: copies a project into a new folder of the present format, and verifies the copy. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { cp, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { openLevelEventStore } from '../../eventstore/level-event-store.ts'
import { readStoreOwner } from '../../eventstore/owner.ts'
import { prepareProjectFolder, projectFormat, PROJECT_FORMAT } from '../embedding/project-folder.ts'
import { counted } from './amounts.ts'
import { CliError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { fingerprint, LEFT_OUT } from './folder-copy.ts'
import { noProject } from './no-project.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineMigrateCommand(program: Command, shared: CliShared): void {
  program
    .command('migrate')
    .description('copy the project into a new folder of the present format, and verify the copy')
    .requiredOption('--into <folder>', 'the new project folder; it must not be there yet, or be empty')
    .addHelpText(
      'after',
      `
The old folder is not changed; no process may have it open. Exits with 7 if the copied log does not verify; there is no
new folder then.

Example:
  agentctl migrate --into ./moved/.project`,
    )
    .action(shared.action((call) => migrate(call, shared)))
}

async function migrate(
  { options, output, projectPath, logPath }: CliCall,
  shared: CliShared,
): Promise<ExitCode> {
  const into = resolve(shared.cwd, options['into'] as string)
  const from = await projectFormat(projectPath)
  if (from === undefined) throw noProject(projectPath)
  if (
    ((await readdir(into).catch(() => [])) as string[]).length > 0 ||
    into.startsWith(join(projectPath, '/'))
  )
    throw notEmpty(into)
  await assertUnowned(logPath)
  // Whole or not at all: a half copy must not be taken for a project.
  const draft = `${into}.${randomBytes(4).toString('hex')}.part`
  try {
    const before = await fingerprint(projectPath)
    await cp(projectPath, draft, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (source) => !LEFT_OUT.has(basename(source)),
    })
    if ((await fingerprint(projectPath)) !== before) throw changed(projectPath)
    await prepareProjectFolder(draft)
    const { ok, events } = await verified(join(draft, 'log'))
    if (!ok) {
      output.line('the copied log does not verify: `agentctl verify` says what is damaged; nothing was kept')
      return EXIT.integrity
    }
    await rmdir(into).catch(() => {})
    await rename(draft, into)
    if (output.json) output.record({ migrate: { project: into, from, to: PROJECT_FORMAT, events } })
    else
      output.line(
        `copied ${counted(events, 'event')} from format ${from} to format ${PROJECT_FORMAT} into ${into}`,
      )
    return EXIT.ok
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function verified(path: string): Promise<{ readonly ok: boolean; readonly events: number }> {
  const store = await openLevelEventStore({ path, create: false })
  try {
    return await store.verify()
  } finally {
    await store.close()
  }
}

async function assertUnowned(logPath: string): Promise<void> {
  const ownership = await readStoreOwner(logPath)
  if (ownership.type !== 'live') return
  throw new CliError('CLI_LOCKED', {
    happened: `Process ${ownership.owner.pid} has the log in ${logPath} open.`,
    expected: 'Expected a project that nobody writes to.',
    todo: 'End that process, then try again.',
    details: { pid: ownership.owner.pid },
  })
}

function changed(path: string): CliError {
  return new CliError('CLI_LOCKED', {
    happened: `${path} changed while it was copied.`,
    expected: 'Expected a project that nobody writes to.',
    todo: 'Wait until the process that writes to it has ended, then try again.',
  })
}

function notEmpty(path: string): CliError {
  return new CliError('CLI_USAGE', {
    happened: `${path} holds something already, or lies inside the project.`,
    expected: 'Expected a folder that is not there yet, or an empty one.',
    todo: 'Name another one after --into.',
    details: { path },
  })
}
