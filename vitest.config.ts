import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // The package imports itself by name in examples and docs; tests run its sources, not its build.
    alias: [
      { find: '@agent-orchestration/core/eventstore', replacement: source('./eventstore/index.ts') },
      { find: '@agent-orchestration/core/testing', replacement: source('./src/testing/index.ts') },
      { find: '@agent-orchestration/core', replacement: source('./src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    typecheck: { enabled: false },
    // Nothing of ours is global, so files can share what they import: loading it anew for each took a third of the time.
    isolate: false,
    // By default one CPU is left free: of two, half would stand idle.
    maxWorkers: Math.max(2, Math.min(4, availableParallelism() - 1)),
  },
})
