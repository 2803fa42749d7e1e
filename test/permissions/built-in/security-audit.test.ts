/** The audit hook writes down every request and its end. */
import { expect, it } from 'vitest'
import { runAftermath } from '../../../src/permissions/aftermath.ts'
import { dataProtectionHook } from '../../../src/permissions/built-in/data-protection.ts'
import {
  type SecurityAuditEntry,
  securityAuditHook,
} from '../../../src/permissions/built-in/security-audit.ts'
import { PermissionHookRegistry } from '../../../src/permissions/hook-registry.ts'
import { judge } from '../../../src/permissions/judge.ts'

const request = {
  tool_name: 'rm',
  capabilities: ['execute:file:delete'],
  parameters: { path: 'dist', password: 'x' },
  agent_role: 'workagent',
  project: 'p',
  session_id: 'sess_1',
}

it('O-155 allows everything and records it, JSON-safe and without secrets', async () => {
  const entries: SecurityAuditEntry[] = []
  const audit = securityAuditHook({ record: (entry) => void entries.push(entry) })
  const { verdict, hooks, context } = await judge(PermissionHookRegistry.from({ audit }), request)
  expect(verdict.allowed).toBe(true)
  await runAftermath(hooks, context, { outcome: { kind: 'succeeded', result: 1, actual_cost: 2 } })
  await runAftermath(hooks, context, { outcome: { kind: 'failed', error: new Error('x') } })
  expect(entries.map((entry) => entry.phase)).toEqual(['requested', 'succeeded', 'error'])
  expect(entries[0]).toEqual({
    phase: 'requested',
    tool_name: 'rm',
    capabilities: ['execute:file:delete'],
    agent_role: 'workagent',
    project: 'p',
    session_id: 'sess_1',
    parameters: { path: 'dist', password: '[redacted]' },
  })
  expect(JSON.parse(JSON.stringify(entries))).toEqual(entries)
})

it('O-155 records a denial by an earlier hook', async () => {
  const entries: SecurityAuditEntry[] = []
  const registry = PermissionHookRegistry.from({
    protection: dataProtectionHook(),
    audit: securityAuditHook({ record: (entry) => void entries.push(entry) }),
  })
  const { verdict, hooks, context } = await judge(registry, request)
  await runAftermath(hooks, context, { outcome: { kind: 'denied', reason: verdict.reason } })
  expect(entries).toMatchObject([
    { phase: 'denied', reason: 'Destructive operations require human approval' },
  ])
})

it('O-155 nothing runs unaudited: a record that fails denies', async () => {
  const audit = securityAuditHook({ record: () => Promise.reject(new Error('disk full')) })
  const { verdict } = await judge(PermissionHookRegistry.from({ audit }), request)
  expect(verdict).toMatchObject({ allowed: false, reason: 'hook_error:audit: Error: disk full' })
})

it('O-155 watches everything, or what it is told to', () => {
  expect(securityAuditHook({ record: () => {} }).triggers).toEqual(['*'])
  expect(securityAuditHook({ record: () => {}, triggers: ['execute'] }).triggers).toEqual(['execute'])
})
