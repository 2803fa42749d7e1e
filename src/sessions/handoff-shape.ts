/** What a handoff's context may hold: the fields that are known by name have their shape, whatever else is kept as it is. */
import { z } from 'zod'
import { checkedInput } from '../runtime/checked-input.ts'

const lines = z.union([z.string(), z.array(z.string()).readonly()]).optional()
const list = z.array(z.string()).readonly().optional()

const known = z.looseObject({
  work_completed: lines,
  current_phase: z.string().optional(),
  next_steps: lines,
  blockers: list,
  objective: z.string().optional(),
  files_to_modify: list,
  success_criteria: lines,
  work_assignment: lines,
})

/** What each kind of handoff has to say, where it is asked to be strict. */
const REQUIRED: readonly (readonly [type: RegExp, fields: readonly string[]])[] = [
  [/_continuation$/, ['work_completed', 'next_steps']],
  [/_completion$/, ['work_completed']],
  [/^orchestrator_to_supervisor$/, ['objective', 'requirements', 'success_criteria']],
  [/^supervisor_to_workagent$/, ['work_assignment', 'objective']],
]

/** @throws RuntimeError `INPUT_INVALID`, with the path of the field */
export function assertHandoffShape(
  { type, context }: { readonly type: string; readonly context: Readonly<Record<string, unknown>> },
  options: { readonly strict: boolean },
): void {
  const required = options.strict ? (REQUIRED.find(([kind]) => kind.test(type))?.[1] ?? []) : []
  const demand = known.superRefine((value, issues) => {
    for (const field of required) {
      if (value[field] === undefined)
        issues.addIssue({ code: 'custom', path: [field], message: `expected by every "${type}"` })
    }
  })
  checkedInput(z.object({ context: demand }), { context }, 'generateHandoff')
}
