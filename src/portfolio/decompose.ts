/** Breaks a feature into tasks by rule: one for each requirement, so that the same feature gives the same tasks. Pure. */

export type Task = {
  readonly id: string
  readonly description: string
  readonly steps: readonly string[]
  readonly files: readonly string[]
  readonly objective: string
  readonly criteria: readonly string[]
  /** The article's other name for `criteria`. */
  readonly acceptance_tests: readonly string[]
}

/** Requirements may be a list of texts, one text with lines, or absent: then the objective is the only task. */
export function decomposeByRule(
  objective: string,
  requirements: unknown,
  files: readonly string[] = [],
): Task[] {
  const wanted = textsOf(requirements)
  const parts = wanted.length > 0 ? wanted : [objective]
  const ids = new Set<string>()
  return parts.map((part) => {
    const criteria = [`${part} is done`]
    return {
      id: freeId(slugOf(part), ids),
      description: part,
      steps: [`Implement: ${part}`, `Test: ${part}`, 'Report what was done'],
      files: [...files],
      objective,
      criteria,
      acceptance_tests: criteria,
    }
  })
}

/** A numbered list, one step a line. */
export function formatTaskSteps(steps: readonly string[]): string {
  return steps.map((step, index) => `${index + 1}. ${step}`).join('\n')
}

function textsOf(value: unknown): string[] {
  const parts = Array.isArray(value) ? value.map(String) : typeof value === 'string' ? value.split('\n') : []
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}

function slugOf(text: string): string {
  const slug = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replaceAll(/^-+|-+$/g, '')
  return slug === '' ? 'task' : slug
}

function freeId(wanted: string, taken: Set<string>): string {
  let id = wanted
  for (let n = 2; taken.has(id); n += 1) id = `${wanted}-${n}`
  taken.add(id)
  return id
}
