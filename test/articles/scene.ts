/** A runtime on which the article's code is run: time that stands still, notices and log lines that can be read. */
import { beforeEach } from 'vitest'
import type { NoticeSender } from '../../src/index.ts'
import { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from '../../src/testing/index.ts'
import { calls, failing, work } from './orchestration/app.ts'

export type Scene = {
  readonly notices: string[]
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[]
  open(options?: TestRuntimeOptions): Promise<TestRuntime>
}

export function scene(): Scene {
  const notices: string[] = []
  const lines: { level: string; message: string; fields: object }[] = []
  beforeEach(() => {
    notices.length = 0
    lines.length = 0
    calls.length = 0
    failing.clear()
    work.each = async () => {}
  })
  const sender: NoticeSender = {
    name: 'test',
    send: async ({ channel, message }) => void notices.push(`${channel} ${message}`),
  }
  const write =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, message, fields })
  const logger = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    isLevelEnabled: (level: string) => level !== 'debug',
  }
  return {
    notices,
    lines,
    open: ({ providers, ...options } = {}) =>
      createTestRuntime({ logger, ...options, providers: { senders: [sender], ...providers } }),
  }
}

/** Runs printed code in a scope of its own; what it returns has the article's types, which are none. */
// oxlint-disable-next-line typescript/no-explicit-any
export function play(runtime: TestRuntime, code: () => Promise<any>): Promise<any> {
  return runtime.run(code)
}
