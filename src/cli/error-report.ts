/** How an error is told at the end of a command: to a person in its three parts, to a program as one line of JSON. */
import { exitCodeOf } from './exit-codes.ts'

type Told = {
  readonly code?: unknown
  readonly details?: unknown
  readonly message: string
  readonly name: string
}

/** The error for a person; its first word in a style. No stack: that is for `NODE_DEBUG`, not for a user. */
export function errorStory(error: unknown, highlight: (text: string) => string): string {
  const told = asTold(error)
  const code = typeof told.code === 'string' ? ` ${told.code}` : ''
  return `${highlight(`error${code}:`)} ${told.message}`
}

/** The error for a program: `{"error":{code,message,exit_code,…details}}`. */
export function errorLine(error: unknown): string {
  const told = asTold(error)
  return JSON.stringify({
    error: {
      code: typeof told.code === 'string' ? told.code : 'UNEXPECTED',
      message: told.message,
      exit_code: exitCodeOf(error),
      ...facts(error),
    },
  })
}

/** The facts that an error carries beside its message: those of the store as properties, of the rest as details. */
function facts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return {}
  const { details } = error as { details?: unknown }
  if (typeof details === 'object' && details !== null && Object.keys(details).length > 0) return { details }
  const { name: _name, code: _code, details: _details, ...own } = error as Error & Record<string, unknown>
  return Object.keys(own).length > 0 ? { details: own } : {}
}

function asTold(error: unknown): Told {
  if (error instanceof Error) return error
  return { name: 'Error', message: String(error) }
}
