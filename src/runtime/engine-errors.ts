/** The errors of the engine's doors, in the words of whoever meets them. */
import { RuntimeError } from './runtime-error.ts'

type Named = { readonly name: string; readonly label: string }

/** @throws RuntimeError `ACTOR_MACHINE_MISMATCH` */
export function assertSameMachine(
  cell: { readonly id: string; readonly machine: Named },
  machine: Named,
): void {
  if (cell.machine.name === machine.name) return
  throw machineMismatch(cell.id, { has: cell.machine.label, asked: machine.label })
}

function machineMismatch(
  id: string,
  machines: { readonly has: string; readonly asked: string },
): RuntimeError {
  return new RuntimeError('ACTOR_MACHINE_MISMATCH', {
    happened: `"${id}" is an actor of machine "${machines.has}", not of "${machines.asked}".`,
    expected: 'An id belongs to one machine for ever.',
    todo: 'Use another id, or ask for it with its own machine.',
    details: { stream_id: id, machine: machines.has },
  })
}

export function actorExists(id: string): RuntimeError {
  return new RuntimeError('ACTOR_EXISTS', {
    happened: `There is an actor "${id}" already.`,
    expected: "With ifExists: 'error', an id that is new.",
    todo: "Use another id, or leave ifExists at 'get' to have the existing actor.",
  })
}

export function noActor(id: string): RuntimeError {
  return new RuntimeError('ACTOR_NOT_FOUND', {
    happened: `There is no actor "${id}".`,
    expected: 'The id of an actor that was spawned in this folder.',
    todo: 'Check the id; `agentctl log` lists what is there.',
  })
}

export function invalidId(id: unknown, longest: number): RuntimeError {
  return new RuntimeError('INPUT_INVALID', {
    happened: `${typeof id === 'string' ? JSON.stringify(id.slice(0, 80)) : `A ${typeof id}`} cannot be the id of an actor.`,
    expected: `1 to ${longest} printable characters that neither begin with "machine/" nor end with "~refused", "~fork", "~dead", "~effects" or ":<number>:<number>", as children do.`,
    todo: 'Choose another id; nothing was written.',
  })
}

export function duplicateMachine(name: string): RuntimeError {
  return new RuntimeError('MACHINE_DUPLICATE', {
    happened: `Two machines have the id "${name}".`,
    expected: 'Each registered machine has an id of its own.',
    todo: 'Rename one of them.',
  })
}

export function unregisteredMachine(name: string, known: readonly string[]): RuntimeError {
  return new RuntimeError('MACHINE_UNKNOWN', {
    happened: `Machine "${name}" is not registered.`,
    expected: `One of: ${known.join(', ')}.`,
    todo: 'Give it to createRuntime({ machines: [...] }), so that its actors can recover.',
  })
}

export function unknownMachine(id: string, label: string, known: readonly string[]): RuntimeError {
  return new RuntimeError('MACHINE_UNKNOWN', {
    happened: `"${id}" was written by machine "${label}", which is not registered.`,
    expected: `A registered machine of that name and version; there are: ${known.join(', ')}.`,
    todo: 'Register the machine that wrote it; until then the actor stays parked, and nothing of it is lost.',
    details: { stream_id: id, machine: label },
  })
}

export function closed(): RuntimeError {
  return new RuntimeError('RUNTIME_CLOSED', {
    happened: 'The runtime is closed.',
    expected: 'An open runtime.',
    todo: 'Open it again with createRuntime; what is on disk is intact.',
  })
}
