/** Looks at actors of which some may be nobody's any more: one whose subject was erased is passed over. */

/** What `find` gives; `undefined` for an actor that was erased. Everything else that goes wrong is thrown. */
export async function unlessErased<T>(find: Promise<T>): Promise<T | undefined> {
  try {
    return await find
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === 'ACTOR_ERASED') return undefined
    throw error
  }
}
