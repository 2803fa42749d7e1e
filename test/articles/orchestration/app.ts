/** What the article's code calls and leaves to the reader's application: each call is noted, and can be made to fail. */

export const calls: string[] = []
/** Calls that throw, by their note. */
export const failing = new Set<string>()

async function note(what: string): Promise<void> {
  calls.push(what)
  if (failing.has(what)) throw new Error(`${what} failed`)
}

export const updateDeploymentStatus = (status: string): Promise<void> => note(`deployment ${status}`)
export const proceedWithDeployment = (): Promise<void> => note('deployed')
export const executeMigration = (): Promise<void> => note('migrated')
export const executeStep = (step: string, _files: readonly string[]): Promise<void> => note(`step ${step}`)

/** What an item takes; the tests move their clock here. */
export const work: { each: (item: number) => Promise<void> } = { each: async () => {} }

export async function processItem(item: number): Promise<void> {
  await note(`item ${item}`)
  await work.each(item)
}
