/** An error on its way over the socket: its name, code, message and facts arrive; its class and stack do not. */
import type { ErrorData } from './protocol.ts'

export function errorAsData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), facts: {} }
  const { name, message } = error
  const { code, ...facts } = error as Error & Record<string, unknown>
  const own = Object.entries(facts).filter(
    ([key]) => key !== 'name' && key !== 'cause' && key !== 'stack' && key !== 'message',
  )
  return {
    name,
    message,
    ...(typeof code === 'string' && { code }),
    facts: carried(Object.fromEntries(own)),
  }
}

/** The error that the owner threw, told apart by its code as it would be there. */
export function errorFromData({ name, message, code, facts }: ErrorData): Error {
  const error = new Error(message)
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return Object.assign(error, code === undefined ? {} : { code }, facts)
}

/** What JSON cannot carry is left out: the message has said the important part. */
function carried(facts: Record<string, unknown>): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(facts)) as Record<string, unknown>
  } catch {
    return {}
  }
}
