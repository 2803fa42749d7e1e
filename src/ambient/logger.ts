/** The article's `logger`: a text first, then its fields; it writes where the scope's runtime writes. */
import { pino } from 'pino'
import type { RuntimeLogger } from '../runtime/event-logger.ts'
import { scopeIfAny } from './reading.ts'

type Write = (message: string, fields?: unknown) => void

let outside: RuntimeLogger | undefined

/** Outside of a scope lines go to standard output, as pino writes them. */
function target(): RuntimeLogger {
  outside ??= pino({ name: 'agent-orchestration' })
  return scopeIfAny()?.runtime.logger ?? outside
}

function fieldsOf(fields: unknown): object {
  if (fields === undefined) return {}
  if (fields instanceof Error) return { err: fields }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return { details: fields }
  const { error, ...rest } = fields as { error?: unknown }
  // Pino knows how to write an error under this name.
  return error instanceof Error ? { ...rest, err: error } : fields
}

const write =
  (level: 'debug' | 'info' | 'warn' | 'error'): Write =>
  (message, fields) =>
    target()[level](fieldsOf(fields), message)

export const logger: Readonly<Record<'debug' | 'info' | 'warn' | 'error', Write>> = {
  debug: write('debug'),
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
}
