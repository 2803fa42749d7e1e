/** What is said when the log's own record had to do, because the code of a machine was not given. */

/** To be said on stderr, after the answer. */
export function needsMachinesText(machine: string): string {
  return `needs --machines ./dist/machines.js: the context of "${machine}" can only be folded by its code; the state is the one that the log recorded`
}
