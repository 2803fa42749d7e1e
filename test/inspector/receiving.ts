/** What arrives at the receiver of `@statelyai/inspect`, and machines and agents that give it something to receive. */
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect'
import { expect } from 'vitest'
import { assign, sendTo, setup } from 'xstate'
import { z } from 'zod'
import { defineAgent, defineTool } from '../../src/index.ts'

export type Received = StatelyInspectionEvent & {
  readonly snapshot?: { status?: string; value?: unknown; context?: unknown }
  readonly event?: { type: string; [key: string]: unknown }
  readonly parentId?: string
  readonly sourceId?: string
  readonly definition?: string
  readonly name?: string
}

/** Where a program connects that was told of a page's address. */
export const socketUrlOf = (pageUrl: string | null): string => {
  const { host, hash } = new URL(pageUrl ?? '')
  return `ws://${host}/?token=${hash.slice(1)}`
}

export type Receiver = {
  readonly messages: Received[]
  readonly until: (matches: (message: Received) => boolean) => Promise<Received>
}

export function receive(server: string): Receiver {
  const messages: Received[] = []
  createWebSocketReceiver({ server }).subscribe((message) => void messages.push(message))
  return {
    messages,
    async until(matches) {
      await expect.poll(() => messages.some(matches), { timeout: 20_000, interval: 5 }).toBe(true)
      return messages.find(matches) as Received
    },
  }
}

const bulbMachine = setup({
  types: { context: {} as { turns: number } },
  actions: { count: assign({ turns: ({ context }: { context: { turns: number } }) => context.turns + 1 }) },
}).createMachine({
  id: 'bulb',
  version: '1',
  context: { turns: 0 },
  initial: 'off',
  states: {
    off: { on: { turn: { target: 'on', actions: 'count' } } },
    on: { on: { turn: { target: 'off', actions: 'count' }, burn: 'burnt' } },
    burnt: { type: 'final' },
  },
})

export const lampMachine = setup({ actors: { bulb: bulbMachine } }).createMachine({
  id: 'lamp',
  version: '2',
  description: 'A lamp with one bulb',
  invoke: { src: 'bulb', id: 'bulb', onDone: '.dark' },
  initial: 'lit',
  states: {
    lit: {
      on: {
        press: { actions: sendTo('bulb', { type: 'turn' }) },
        hit: { actions: sendTo('bulb', { type: 'burn' }) },
      },
    },
    dark: {},
  },
})

export const readTool = defineTool({
  name: 'read',
  capabilities: ['read:file'],
  input: z.object({ path: z.string(), api_key: z.string() }),
  inDoubt: 'retry',
  execute: () => 'content',
})

export const reader = defineAgent('reader', (ctx) => ctx.tool(readTool, { path: 'a', api_key: 'hunter2' }))
