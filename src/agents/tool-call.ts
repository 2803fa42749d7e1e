/** Carries one tool call from wherever its machine stands to settled: judged by hooks, begun on the record, ended. */
import { copyAsJson } from '../../eventstore/payload.ts'
import { toolCallMachine, type ToolCallContext } from '../../machines/tool-call.machine.ts'
import { runAftermath } from '../permissions/aftermath.ts'
import type { PermissionHookRegistry } from '../permissions/hook-registry.ts'
import { createHookContext, type PermissionRequest } from '../permissions/hook-context.ts'
import { judge, type Judgement } from '../permissions/judge.ts'
import { PermissionDeniedError } from '../permissions/permission-denied-error.ts'
import { isoTime } from '../runtime/clock.ts'
import type { DurableActor } from '../runtime/cell/durable-actor.ts'
import { RuntimeError } from '../runtime/runtime-error.ts'
import { checkedInput } from '../runtime/checked-input.ts'
import { estimateOf, type Tool, type ToolContext } from './define-tool.ts'
import {
  approvalFor,
  awaitApproval,
  doubtApproval,
  giveBack,
  isCovered,
  useUp,
  type ApprovalHost,
} from './approved-call.ts'
import type { BudgetDesk, BudgetRefusal } from './budget-desk.ts'
import { interrupted, isInterruption } from './journal-errors.ts'
import { errorFrom, errorRecord } from './recorded-error.ts'

export type ToolCaller = {
  readonly run_id: string
  readonly agent_id: string
  readonly session_id: string
  readonly role: string
  readonly project: string
  readonly signal: AbortSignal
  log(line: string): void
  /** `callId`: the call that spends it. */
  spend(
    cost: { readonly usd: number; readonly tokens?: number; readonly what?: string },
    callId: string,
  ): Promise<void>
}

export type ToolCallHost = ApprovalHost & {
  readonly budgets: BudgetDesk
  /** The tools that the runtime was given. */
  readonly tools: readonly Tool[]
  readonly registry: PermissionHookRegistry
  readonly hookTimeoutMs: number | undefined
}

type Call = {
  readonly host: ToolCallHost
  readonly caller: ToolCaller
  readonly tool: Tool
  readonly callId: string
  readonly actor: DurableActor<typeof toolCallMachine>
  readonly input: never
}

/**
 * Runs a tool call, or takes up the one with this id where a crash left it.
 *
 * @throws PermissionDeniedError when a hook says no; RuntimeError `TOOL_IN_DOUBT` when a person must say whether it
 * happened; otherwise what the tool threw.
 */
export async function callTool(
  host: ToolCallHost,
  caller: ToolCaller,
  wish: { readonly callId: string; readonly tool: Tool; readonly input: unknown },
): Promise<unknown> {
  const { callId } = wish
  const capabilities = capabilitiesOf(host, wish.tool)
  const tool: Tool = { ...wish.tool, capabilities }
  const input = checkedInput(tool.input, wish.input, `Tool "${tool.name}"`) as never
  const estimate = await estimateOf(tool, input)
  const found = await host.engine.find(callId)
  const run = await host.engine.find(caller.run_id)
  const actor =
    found === undefined
      ? await host.engine.spawn(toolCallMachine, {
          id: callId,
          createdAs: 'tool.requested',
          source: caller.run_id,
          correlationId: run?.correlationId ?? caller.run_id,
          input: {
            call_id: callId,
            tool: tool.name,
            capabilities,
            parameters: copyAsJson(wish.input ?? {}, { root: () => 'input', outcome: false }).value,
            run_id: caller.run_id,
            session_id: caller.session_id,
            agent_role: caller.role,
            project: caller.project,
            estimated_cost: estimate.usd,
            estimated_tokens: estimate.tokens,
            at: isoTime(host.engine.clock),
          },
        })
      : (found.actor as unknown as DurableActor<typeof toolCallMachine>)
  // What runs is what was recorded and judged, not what a changed handler might pass now.
  const recorded = checkedInput(
    tool.input,
    actor.getSnapshot().context.parameters,
    `Tool "${tool.name}"`,
  ) as never
  return carryOn({ host, caller, tool, callId, actor, input: recorded })
}

/** A copy of a registered tool cannot hide what that one says it does. */
function capabilitiesOf({ tools }: ToolCallHost, tool: Tool): readonly string[] {
  const registered = tools.find(({ name }) => name === tool.name)
  return [...new Set([...(registered?.capabilities ?? []), ...tool.capabilities])]
}

async function carryOn(call: Call): Promise<unknown> {
  const standing = (): unknown => call.actor.getSnapshot().value
  const before = standing()
  if (before === 'requested') await judged(call)
  if (standing() === 'waiting') await awaited(call)
  if (standing() === 'settled') {
    // The process may have died between the call's end and the end of its approval.
    if (before === 'settled') await paid(call)
    return settled(call.actor.getSnapshot().context)
  }
  if (before === 'executing') return doubted(call)
  return executed(call)
}

async function judged(call: Call): Promise<void> {
  const judgement = await asked(call)
  const approval_id = await approvalFor(call, judgement.verdict)
  await call.actor.send({
    type: 'tool.judged',
    testimony: judgement.testimony,
    ...(approval_id !== undefined && { approval_id }),
    at: isoTime(call.host.engine.clock),
  })
  if (judgement.verdict.allowed || approval_id !== undefined) return
  const { reason, alternatives } = judgement.verdict
  await aftermath(call, judgement, { kind: 'denied', reason, alternatives })
}

/** Waits for a person. The hooks hear of a refusal as they do of their own. */
async function awaited(call: Call): Promise<void> {
  await awaitApproval(call)
  await toldOfRefusal(call)
}

async function toldOfRefusal(call: Call): Promise<void> {
  const { outcome } = call.actor.getSnapshot().context
  if (outcome?.kind !== 'denied') return
  const { reason, alternatives } = outcome.verdict
  await aftermath(call, undefined, { kind: 'denied', reason, alternatives })
}

function asked(call: Call): Promise<Judgement> {
  const { host, caller } = call
  return judge(host.registry, permissionRequest(call), {
    clock: host.engine.clock,
    timeoutMs: host.hookTimeoutMs,
    signal: caller.signal,
  })
}

function permissionRequest({ caller, tool, actor, callId }: Call): PermissionRequest {
  const { estimated_cost, parameters } = actor.getSnapshot().context
  return {
    tool_name: tool.name,
    capabilities: tool.capabilities,
    parameters: parameters as Record<string, unknown>,
    agent_role: caller.role,
    project: caller.project,
    session_id: caller.session_id,
    agent_id: caller.agent_id,
    run_id: caller.run_id,
    call_id: callId,
    estimated_cost: estimated_cost ?? undefined,
  }
}

/** It was begun before a crash and nobody knows whether it happened: by the tool's own policy. */
async function doubted(call: Call): Promise<unknown> {
  const { tool } = call
  await doubtApproval(call)
  if (tool.inDoubt === 'retry') return executed(call)
  if (tool.inDoubt === 'ask' || tool.verify === undefined) throw await inDoubt(call)
  const answer = await verified(call, tool.verify)
  if (!answer.happened) return executed(call)
  return succeeded(call, answer.output)
}

async function verified(
  call: Call,
  verify: NonNullable<Tool['verify']>,
): Promise<Awaited<ReturnType<typeof verify>>> {
  try {
    return await verify(call.input, toolContext(call))
  } catch (error) {
    if (call.caller.signal.aborted) throw interrupted(call.caller.run_id)
    throw await inDoubt(call, error)
  }
}

/** Says on the record that a person is asked. */
async function inDoubt({ actor, tool, callId, host }: Call, cause?: unknown): Promise<RuntimeError> {
  const { attempts, in_doubt } = actor.getSnapshot().context
  if (!in_doubt) await actor.send({ type: 'tool.doubted', at: isoTime(host.engine.clock) })
  return new RuntimeError('TOOL_IN_DOUBT', {
    happened: `Tool "${tool.name}" (${callId}) was begun ${attempts} time(s) and its outcome is not known.`,
    expected: 'A recorded outcome; the process died in between.',
    todo: `Find out whether it happened, say so with runtime.agents.settleCall("${callId}", { happened: true, output } or { happened: false }), and resume the run.`,
    details: { call_id: callId, tool: tool.name },
    cause,
  })
}

async function executed(call: Call): Promise<unknown> {
  const { actor, tool, caller } = call
  const { clock } = call.host.engine
  if (caller.signal.aborted) {
    await giveBack(call, 'the run was stopped before the call began')
    throw interrupted(caller.run_id)
  }
  const overBudget = await reserved(call)
  if (overBudget !== undefined) return refused(call, overBudget)
  if (!(await isCovered(call))) return refused(call, GRANT_IS_GONE)
  await actor.send({ type: 'tool.started', at: isoTime(clock) })
  let output: unknown
  try {
    output = await tool.execute(call.input, toolContext(call))
  } catch (error) {
    // Stopped in the middle: what happened is not known, so nothing is recorded and the policy decides next time.
    if (caller.signal.aborted || isInterruption(error)) throw interrupted(caller.run_id)
    await actor.send({ type: 'tool.failed', error: errorRecord(error), at: isoTime(clock) })
    await paid(call)
    await aftermath(call, undefined, { kind: 'failed', error })
    throw error
  }
  return succeeded(call, output)
}

async function succeeded(call: Call, output: unknown): Promise<unknown> {
  const { engine } = call.host
  const fact = { type: 'tool.succeeded', output, at: isoTime(engine.clock) }
  await engine.sendOutcome(call.callId, fact, { source: call.caller.run_id })
  await paid(call)
  await aftermath(call, undefined, { kind: 'succeeded', result: output })
  return settled(call.actor.getSnapshot().context)
}

const GRANT_IS_GONE: BudgetRefusal = {
  by: 'runtime',
  reason: 'the approval is not there for this call any more',
  alternatives: [],
}

/** Reserves what the call may cost; the refusal, if there is no room and no person gives any. */
async function reserved(call: Call): Promise<BudgetRefusal | undefined> {
  const { caller, callId, tool, actor, host } = call
  const { estimated_cost, estimated_tokens = 0 } = actor.getSnapshot().context
  try {
    return await host.budgets.reserve({
      call_id: callId,
      tool: tool.name,
      project: caller.project,
      spender: caller,
      micro_usd: estimated_cost === null ? null : reservedMicroUsd(estimated_cost),
      tokens: estimated_tokens,
      signal: caller.signal,
      onWarning: (text) => caller.log(text),
    })
  } catch (error) {
    if (!caller.signal.aborted) throw error
    await giveBack(call, 'the run was stopped before the call began')
    throw interrupted(caller.run_id)
  }
}

/** Rounded up, so that nothing is reserved too little; what a binary fraction adds to 4.03 is no part of it. */
function reservedMicroUsd(usd: number): number {
  return Math.ceil(Math.round(usd * 1e9) / 1e3)
}

/** The call has ended: its grant is used up, and what it cost is settled. */
async function paid(call: Call): Promise<void> {
  await useUp(call)
  const { budgets } = call.host
  const { attempts } = call.actor.getSnapshot().context
  await (attempts > 0 ? budgets.settle(call.caller, call.callId) : budgets.release(call.caller, call.callId))
}

/** What it needs is not there: it ends before it began. */
async function refused(call: Call, refusal: BudgetRefusal): Promise<unknown> {
  await call.actor.send({ type: 'tool.denied', ...refusal, at: isoTime(call.host.engine.clock) })
  await giveBack(call, refusal.reason)
  await call.host.budgets.release(call.caller, call.callId)
  await toldOfRefusal(call)
  return settled(call.actor.getSnapshot().context)
}

function settled(context: ToolCallContext): unknown {
  const { outcome } = context
  if (outcome === null) throw new Error(`tool call ${context.call_id} settled without an outcome`)
  switch (outcome.kind) {
    case 'succeeded':
      return outcome.output
    case 'failed':
      throw errorFrom(outcome.error)
    case 'denied':
      throw new PermissionDeniedError(outcome.verdict.reason ?? 'denied', [...outcome.verdict.alternatives], {
        hook: outcome.verdict.by,
        tool_name: context.tool,
      })
  }
}

async function aftermath(
  call: Call,
  judgement: Judgement | undefined,
  outcome: Parameters<typeof runAftermath>[2]['outcome'],
): Promise<void> {
  const { registry, engine, hookTimeoutMs } = call.host
  const hooks = judgement?.hooks ?? registry.getTriggeredHooks(call.tool.name, call.tool.capabilities)
  if (hooks.every((hook) => hook.onSuccess === undefined && hook.onFailure === undefined)) return
  const context = judgement?.context ?? createHookContext(permissionRequest(call))
  try {
    await runAftermath(hooks, context, {
      outcome,
      onError: (error) => engine.onError(error),
      timeoutMs: hookTimeoutMs,
      clock: engine.clock,
    })
  } catch (error) {
    // The outcome stands, whatever becomes of telling it.
    engine.onError(error)
  }
}

function toolContext(call: Call): ToolContext {
  const { caller, callId } = call
  return {
    call_id: callId,
    idempotency_key: callId,
    run_id: caller.run_id,
    session_id: caller.session_id,
    project: caller.project,
    agent_role: caller.role,
    signal: caller.signal,
    log: (line) => caller.log(line),
    spend: (cost) => caller.spend(cost, callId),
  }
}
