/** Says where a fork comes from, for `log` and `show`. */
import type { ForkLink } from '../runtime/forks/fork-link.ts'

export function forkText({ from, paused }: ForkLink): string {
  const held = paused ? ', paused: its effects are held back' : ''
  return `forked from ${from.stream_id} at version ${from.version} (event ${from.event_id})${held}`
}
