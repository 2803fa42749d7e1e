/** The commands of `agentctl`, each loaded only when it is called. */
import type { Command } from 'commander'
import type { CliShared } from './shared-options.ts'

type Define = (program: Command, shared: CliShared) => void

type CommandEntry = { readonly name: string; readonly summary: string; load(): Promise<Define> }

/** In the order of the help. The summaries are here so that the help loads no command. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run a job; the same command goes on where an interrupted one was',
    load: async () => (await import('./run.ts')).defineRunCommand,
  },
  {
    name: 'ps',
    summary: 'list sessions, runs and other actors: what each is doing and waits for',
    load: async () => (await import('./ps.ts')).definePsCommand,
  },
  {
    name: 'log',
    summary: 'print what happened, event by event',
    load: async () => (await import('./log.ts')).defineLogCommand,
  },
  {
    name: 'show',
    summary: 'print the state of a session, run, tool call or other actor, now or at a version',
    load: async () => (await import('./show.ts')).defineShowCommand,
  },
  {
    name: 'diff',
    summary: 'print what changed in an actor between two versions',
    load: async () => (await import('./diff.ts')).defineDiffCommand,
  },
  {
    name: 'blame',
    summary: 'print which event last wrote each place of a state, or one place and its history',
    load: async () => (await import('./blame.ts')).defineBlameCommand,
  },
  {
    name: 'replay',
    summary: 'step through what happened to an actor, and print what each event changed',
    load: async () => (await import('./replay.ts')).defineReplayCommand,
  },
  {
    name: 'causes',
    summary: 'print what led to an event and what it led to, over all streams',
    load: async () => (await import('./causes.ts')).defineCausesCommand,
  },
  {
    name: 'timeline',
    summary: 'print the messages between sessions, runs, tool calls and other actors',
    load: async () => (await import('./timeline.ts')).defineTimelineCommand,
  },
  {
    name: 'why',
    summary: 'explain a refusal, a failure, a pause or an end: who, which hook, why, what instead',
    load: async () => (await import('./why.ts')).defineWhyCommand,
  },
  {
    name: 'permissions',
    summary: 'list what hooks and guards decided, or explain whether an agent may do something',
    load: async () => (await import('./permissions.ts')).definePermissionsCommand,
  },
  {
    name: 'billing',
    summary: 'print what it cost: booked costs and tokens, time at work and what it costs',
    load: async () => (await import('./billing.ts')).defineBillingCommand,
  },
  {
    name: 'compliance',
    summary: 'score how well the protocol was kept, with the events that show what broke it',
    load: async () => (await import('./compliance.ts')).defineComplianceCommand,
  },
  {
    name: 'pause',
    summary: 'pause a session or run and all that it started, in the process that runs it',
    load: async () => (await import('./acts.ts')).definePauseCommand,
  },
  {
    name: 'resume',
    summary: 'resume a paused session or run and all that it started',
    load: async () => (await import('./acts.ts')).defineResumeCommand,
  },
  {
    name: 'cancel',
    summary: 'give up a session or run and all that it started, for good',
    load: async () => (await import('./acts.ts')).defineCancelCommand,
  },
  {
    name: 'approve',
    summary: 'allow what waits for a person, once',
    load: async () => (await import('./acts.ts')).defineApproveCommand,
  },
  {
    name: 'deny',
    summary: 'refuse what waits for a person, for good',
    load: async () => (await import('./acts.ts')).defineDenyCommand,
  },
  {
    name: 'retry',
    summary: 'try again what was given up on: a dead letter',
    load: async () => (await import('./acts.ts')).defineRetryCommand,
  },
  {
    name: 'verify',
    summary: "check every record, and whether today's machines still decide as the log recorded",
    load: async () => (await import('./verify.ts')).defineVerifyCommand,
  },
  {
    name: 'fork',
    summary: 'begin a new log with the first events of an actor, to ask what if from there',
    load: async () => (await import('./fork.ts')).defineForkCommand,
  },
  {
    name: 'export',
    summary: 'write the log as NDJSON, or a stream as a test that replays it',
    load: async () => (await import('./export.ts')).defineExportCommand,
  },
  {
    name: 'import',
    summary: 'put what was exported into the log of a project folder, verified line by line',
    load: async () => (await import('./import.ts')).defineImportCommand,
  },
  {
    name: 'salvage',
    summary: 'copy what verifies out of a damaged log into a new folder, and name what is lost',
    load: async () => (await import('./salvage.ts')).defineSalvageCommand,
  },
  {
    name: 'archive',
    summary: 'move sessions, runs and actors that have ended out of the log into files',
    load: async () => (await import('./archive.ts')).defineArchiveCommand,
  },
  {
    name: 'erase',
    summary: 'erase a subject, such as a person, for good: destroy the key of what was sealed for it',
    load: async () => (await import('./erase.ts')).defineEraseCommand,
  },
  {
    name: 'migrate',
    summary: 'copy the project into a new folder of the present format, and verify the copy',
    load: async () => (await import('./migrate.ts')).defineMigrateCommand,
  },
  {
    name: 'du',
    summary: 'print how much room the project folder takes, by its parts',
    load: async () => (await import('./du.ts')).defineDuCommand,
  },
  {
    name: 'doctor',
    summary: 'hold the log against the readiness checklist: pass, fail, or cannot tell',
    load: async () => (await import('./doctor.ts')).defineDoctorCommand,
  },
  {
    name: 'inspect',
    summary: "show the machines in Stately's Inspector: live, or a recorded log at any speed",
    load: async () => (await import('./inspect.ts')).defineInspectCommand,
  },
  {
    name: 'machines',
    summary: "list the machines the log was written by, or print one for Stately's editor or as a chart",
    load: async () => (await import('./machines.ts')).defineMachinesCommand,
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands and options in bash, zsh or fish',
    load: async () => (await import('./completion.ts')).defineCompletionCommand,
  },
]
