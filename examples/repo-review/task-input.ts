/** The input of every task agent. */
import { z } from 'zod'
import { reviewSchema } from './review-input.ts'

export const taskSchema = reviewSchema.extend({
  /** The review's recorded start, from which ages are counted; ISO 8601. */
  started_at: z.string(),
})
export type TaskInput = z.infer<typeof taskSchema>
