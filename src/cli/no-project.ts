/** What is said where there is no project folder at all. */
import { CliError } from './cli-error.ts'

export function noProject(path: string): CliError {
  return new CliError('CLI_NOT_FOUND', {
    happened: `There is no project folder ${path}.`,
    expected: 'Expected a project folder, as `agentctl run` or createRuntime({ path }) makes it.',
    todo: 'Go to the folder that has it, or name it: agentctl --project <folder> …',
    details: { path },
  })
}
