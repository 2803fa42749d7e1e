/** How much is logged: by option, by environment, or warnings and errors; and the logger that is made for it. */
import { destination, pino } from 'pino'
import { RuntimeError } from '../runtime/runtime-error.ts'
import type { RuntimeLogger } from '../runtime/event-logger.ts'

/** From the most to the least; each includes those after it. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

const isLogLevel = (text: string): text is LogLevel => (LOG_LEVELS as readonly string[]).includes(text)

/**
 * A logger of lines of JSON on stderr. Its level: the option's, else that of `AGENTCTL_LOG_LEVEL`, else `warn`.
 *
 * @throws RuntimeError `INPUT_INVALID` for a level in the environment that there is not
 */
export function defaultLogger(
  option: LogLevel | undefined,
  env: Readonly<Record<string, string | undefined>>,
): RuntimeLogger {
  return pino({ name: 'agent-orchestration', level: option ?? levelOf(env) ?? 'warn' }, destination(2))
}

/** For what needs a logger and must not be heard. */
export const silentLogger: RuntimeLogger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isLevelEnabled: () => false,
}

function levelOf(env: Readonly<Record<string, string | undefined>>): LogLevel | undefined {
  const level = env['AGENTCTL_LOG_LEVEL']?.trim().toLowerCase()
  if (level === undefined || level === '') return undefined
  if (isLogLevel(level)) return level
  throw new RuntimeError('INPUT_INVALID', {
    happened: `The environment's AGENTCTL_LOG_LEVEL is ${JSON.stringify(level)}.`,
    expected: `One of ${LOG_LEVELS.join(', ')}.`,
    todo: 'Correct or unset the variable; the option logLevel of createRuntime comes before it.',
    details: { what: 'AGENTCTL_LOG_LEVEL', path: 'AGENTCTL_LOG_LEVEL' },
  })
}
