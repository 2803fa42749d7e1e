/** Waits in tests for a condition instead of for a time, and gives up loudly. */

import { setTimeout as delay } from 'node:timers/promises'

/** The first value of `probe` that is neither `undefined` nor `false`; throws after `withinMs` (default 15,000 ms). */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  withinMs = 15_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    if (performance.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}`)
    await delay(10)
  }
}
