/** The article's `SessionLifecycle`: the functions for one session after another, as one object with short arguments. */
import type { Role } from '../../machines/session-record.ts'
import {
  endSession,
  generateHandoff,
  nameSession,
  pauseSession,
  resumeCurrent,
  startSession,
} from '../sessions/ambient.ts'
import type { Session } from '../sessions/session.ts'
import { continueSession } from './session-work.ts'

export type HandoffType = `${Role}_continuation` | `${Role}_completion` | `${Role}_to_${Role}`

/** Every member resolves when it is on disk; those of the article return at once. */
export interface SessionLifecycle {
  start(role: Role): Promise<Session>
  generateHandoff(type: HandoffType, context: Record<string, unknown>): Promise<string>
  nameSession(name: string, tags: readonly string[]): Promise<Session>
  pause(reason: string): Promise<void>
  /** `named_session`: the same session goes on. `handoff`: a successor does, from its latest handoff. */
  resume(from: 'handoff' | 'named_session'): Promise<Session>
  end(reason: 'completed' | 'interrupted' | 'exit'): Promise<void>
}

/** Works on the scope's current session. @throws RuntimeError `NO_AMBIENT_SESSION` */
export const sessionLifecycle: SessionLifecycle = {
  start: (role) => startSession({ role }),
  generateHandoff: (type, context) => generateHandoff({ type, context }),
  nameSession: (session_name, tags) => nameSession({ session_name, tags }),
  pause: (reason) => pauseSession({ reason }),
  resume: (from) => (from === 'handoff' ? continueSession() : resumeCurrent()),
  end: (reason) => endSession({ reason }),
}
