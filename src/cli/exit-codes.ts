/** The exit codes of `agentctl`, in one table, and which error leads to which. */

/** What a calling script can rely on. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  denied: 3,
  notFound: 4,
  locked: 5,
  conflict: 6,
  /** The log does not hold: a record is damaged, or a replay does not agree with what was recorded. */
  integrity: 7,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** By the `code` of the error; every code that is not here is unexpected. */
const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  ATTACH_ACT_UNKNOWN: EXIT.usage,
  CLI_USAGE: EXIT.usage,
  ES_INVALID_OPTION: EXIT.usage,
  INPUT_INVALID: EXIT.usage,
  PM_INVALID_CAPABILITY: EXIT.usage,
  PM_INVALID_HOOK: EXIT.usage,
  PM_INVALID_OPTION: EXIT.usage,
  PM_INVALID_TRIGGER: EXIT.usage,
  QUERY_INVALID: EXIT.usage,
  QUERY_MACHINE_INVALID: EXIT.usage,
  PROJECT_FOLDER_TAKEN: EXIT.usage,
  PROJECT_FORMAT: EXIT.usage,
  PM_DENIED: EXIT.denied,
  SESSION_REFUSED: EXIT.denied,
  ACTOR_NOT_FOUND: EXIT.notFound,
  AGENT_UNKNOWN: EXIT.notFound,
  APPROVAL_UNKNOWN: EXIT.notFound,
  CLI_NOT_FOUND: EXIT.notFound,
  CLI_NO_OWNER: EXIT.notFound,
  ES_NOT_FOUND: EXIT.notFound,
  DEAD_LETTER_UNKNOWN: EXIT.notFound,
  HANDOFF_NOT_FOUND: EXIT.notFound,
  QUERY_NOT_FOUND: EXIT.notFound,
  RUN_UNKNOWN: EXIT.notFound,
  SESSION_UNKNOWN: EXIT.notFound,
  SUBJECT_UNKNOWN: EXIT.notFound,
  ES_LOCKED: EXIT.locked,
  CLI_LOCKED: EXIT.locked,
  INSPECTOR_UNAVAILABLE: EXIT.conflict,
  ACTOR_ERASED: EXIT.notFound,
  QUERY_ERASED: EXIT.notFound,
  ACTOR_EXISTS: EXIT.conflict,
  APPROVAL_DECIDED: EXIT.conflict,
  APPROVAL_EXPIRED: EXIT.conflict,
  APPROVAL_MISMATCH: EXIT.conflict,
  ES_VERSION_CONFLICT: EXIT.conflict,
  ACTOR_DIVERGED: EXIT.integrity,
  ES_CORRUPT: EXIT.integrity,
  ES_DATABASE_MISSING: EXIT.integrity,
  ES_NOT_A_STORE: EXIT.integrity,
  HANDLER_DIVERGED: EXIT.integrity,
  QUERY_REPLAY_DIVERGED: EXIT.integrity,
  CLI_INTERRUPTED: EXIT.interrupted,
}

/** The exit code that an error ends the process with. */
export function exitCodeOf(error: unknown): ExitCode {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && Object.hasOwn(EXIT_BY_CODE, code)
    ? (EXIT_BY_CODE[code] ?? EXIT.unexpected)
    : EXIT.unexpected
}
