/** Every machine of ours, so that whoever needs them all has one list. */
import type { AnyStateMachine } from 'xstate'
import { agentMachine } from './agent.machine.ts'
import { approvalMachine } from './approval.machine.ts'
import { budgetMachine } from './budget.machine.ts'
import { inboxMachine } from './inbox.machine.ts'
import { projectMachine } from './project.machine.ts'
import { sessionMachine } from './session.machine.ts'
import { toolCallMachine } from './tool-call.machine.ts'
import { webhookMachine } from './webhook.machine.ts'

export const OUR_MACHINES: readonly AnyStateMachine[] = [
  sessionMachine,
  agentMachine,
  toolCallMachine,
  projectMachine,
  approvalMachine,
  budgetMachine,
  inboxMachine,
  webhookMachine,
]
