/** The machines that every log may hold, sessions, runs, tool calls and the rest of ours, beside those of a user. */
import { OUR_MACHINES } from '../../machines/our-machines.ts'
import { knownMachines, type Given, type KnownMachines } from './state-at.ts'
import { machineName } from './tree.ts'

const NAMES: ReadonlySet<string> = new Set(OUR_MACHINES.map(({ id }) => id))

/** Whether a label (`name@version`) is that of a machine of ours. */
export function isOurs(label: string): boolean {
  return NAMES.has(machineName(label))
}

/**
 * A user's machine takes the place of ours of the same name and version.
 *
 * @throws RuntimeError `MACHINE_NOT_DURABLE`; QueryError `QUERY_MACHINE_INVALID`
 */
export function withOurMachines(theirs: Iterable<Given>): KnownMachines {
  return new Map([...knownMachines(OUR_MACHINES), ...knownMachines(theirs)])
}
