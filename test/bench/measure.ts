/** Measures repeated work: how many per second, and how long one takes. */

/** What one scenario came to. */
export type Measurement = {
  readonly name: string
  /** What is counted: events, or openings. */
  readonly unit: string
  readonly perSecond: number
  /** ms; of one awaited operation. */
  readonly p50: number
  /** ms */
  readonly p99: number
  /** How many operations were timed. */
  readonly samples: number
}

export type Load = {
  readonly name: string
  readonly unit?: string
  /** Operations under way at any moment; default 1. */
  readonly concurrency?: number
  /** Units per operation; default 1. */
  readonly size?: number
  /** ms of measuring, after a quarter of that to warm up; default 2,000. */
  readonly forMs?: number
}

/** Keeps `concurrency` lanes busy with `operation(lane)` for a time, and times each one. */
export async function measure(load: Load, operation: (lane: number) => Promise<void>): Promise<Measurement> {
  const { concurrency = 1, forMs = 2_000 } = load
  await keepBusy({ concurrency, forMs: forMs / 4 }, operation)
  const { samples, elapsed } = await keepBusy({ concurrency, forMs }, operation)
  return summary(load, samples, elapsed)
}

/** Sums up operations that took `samples` ms each and `elapsed` ms in all (less than their sum if they overlapped). */
export function summary(load: Load, samples: readonly number[], elapsed: number): Measurement {
  const { name, size = 1, unit = 'events' } = load
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    name,
    unit,
    perSecond: (sorted.length * size * 1000) / elapsed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    samples: sorted.length,
  }
}

type Busy = { readonly concurrency: number; readonly forMs: number }

async function keepBusy(
  { concurrency, forMs }: Busy,
  operation: (lane: number) => Promise<void>,
): Promise<{ samples: number[]; elapsed: number }> {
  const samples: number[] = []
  const start = performance.now()
  const lane = async (index: number): Promise<void> => {
    for (let from = performance.now(); from - start < forMs;) {
      await operation(index)
      const until = performance.now()
      samples.push(until - from)
      from = until
    }
  }
  await Promise.all(Array.from({ length: concurrency }, (_, index) => lane(index)))
  return { samples, elapsed: performance.now() - start }
}

/** The value below which this share of the sorted samples lies. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
