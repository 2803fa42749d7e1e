/** Amounts as people read them: dollars, tokens, spans of time. */

/** `$0.0425`; of whole millionths no digit is lost. */
export function dollars(microUsd: number): string {
  const text = (microUsd / 1e6).toFixed(6)
  return `$${text.replace(/(\.\d{2}\d*?)0+$/, '$1')}`
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** `250ms`, `13.5s`, `12m 05s`, `3h 07m`: how long, in its two largest units. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms}ms`
  if (ms < 60_000) return `${Math.floor(ms / 100) / 10}s`
  const [large, small, units] = ms < 3_600_000 ? [60_000, 1000, 'ms'] : [3_600_000, 60_000, 'hm']
  const rest = String(Math.floor((ms % large) / small)).padStart(2, '0')
  return `${Math.floor(ms / large).toLocaleString('en')}${units.charAt(0)} ${rest}${units.charAt(1)}`
}

/** `5s`, `3m`, `2h`, `4d`: how long, in its largest unit. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
