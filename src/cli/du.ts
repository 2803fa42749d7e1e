/** `agentctl du`: how much room the project's folder takes, and what to do when it is much. */
import type { Command } from 'commander'
import { bytesText, folderSize, LARGE_BYTES } from '../embedding/folder-size.ts'
import { projectFormat } from '../embedding/project-folder.ts'
import { counted } from './amounts.ts'
import { noProject } from './no-project.ts'
import { printable } from './printable.ts'
import type { CliCall, CliShared } from './shared-options.ts'

export function defineDuCommand(program: Command, shared: CliShared): void {
  program
    .command('du')
    .description('print how much room the project folder takes, by its parts')
    .addHelpText(
      'after',
      `
Also of a folder that a process has open. What is not the log can be built again from it.

Example:
  agentctl du`,
    )
    .action(shared.action(measure))
}

async function measure({ output, projectPath, command }: CliCall): Promise<void> {
  const format = await projectFormat(projectPath)
  if (format === undefined) throw noProject(projectPath)
  const size = await folderSize(projectPath)
  if (output.json) {
    output.record({ du: { path: projectPath, format, ...size, large: size.bytes >= LARGE_BYTES } })
    return
  }
  for (const { name, bytes, files } of size.parts)
    output.line(`${bytesText(bytes).padStart(10)}  ${printable(name)} (${counted(files, 'file')})`)
  output.line(`${bytesText(size.bytes).padStart(10)}  in all, ${counted(size.files, 'file')}`)
  if (size.bytes >= LARGE_BYTES)
    output.say(
      `more than ${bytesText(LARGE_BYTES)}: \`${command} archive --into <folder>\` moves out what has ended`,
    )
}
