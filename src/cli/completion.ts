/** `agentctl completion <shell>`: a script with which bash, zsh or fish completes commands and options. */
import { Argument, type Command } from 'commander'
import { EXIT } from './exit-codes.ts'
import type { CliShared } from './shared-options.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

type Completed = {
  readonly name: string
  readonly summary: string
  readonly options: readonly {
    readonly flags: readonly string[]
    readonly summary: string
    readonly takes: boolean
  }[]
}

/** `program` has all its commands by now. */
export function defineCompletionCommand(program: Command, shared: CliShared): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in bash, zsh or fish')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  agentctl completion bash >> ~/.bashrc
  agentctl completion zsh > ~/.zfunc/_agentctl        with fpath+=~/.zfunc before compinit
  agentctl completion fish > ~/.config/fish/completions/agentctl.fish`,
    )
    .action(
      shared.action(async ({ args, output }) => {
        const [shell] = args as [(typeof SHELLS)[number]]
        const script = SCRIPTS[shell](commandsOf(program), optionsOf(program))
        if (output.json) output.record({ completion: { shell, script } })
        else output.line(script.trimEnd())
        return EXIT.ok
      }),
    )
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

function commandsOf(program: Command): Completed[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.description(),
    options: optionsOf(command),
  }))
}

function optionsOf(command: Command): Completed['options'] {
  return command.options.map(({ long, short, description, required, optional }) => ({
    flags: [long, short].filter((flag) => flag !== undefined && flag !== null),
    summary: description,
    takes: required || optional,
  }))
}

function bashScript(commands: readonly Completed[], shared: Completed['options']): string {
  const words = (options: Completed['options']): string => options.flatMap(({ flags }) => flags).join(' ')
  const cases = commands.map(
    ({ name, options }) =>
      `    ${name}) COMPREPLY=($(compgen -W "${words([...options, ...shared])}" -- "$word")) ;;`,
  )
  return `# Completes agentctl in bash.
_agentctl() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      -p|--project) ((index++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[index]}"; break ;;
    esac
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -p|--project|--into|-o|--out|-m|--machines) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [[ "$word" != -* && -n "$command" ]]; then COMPREPLY=($(compgen -f -- "$word")); return; fi
  case "$command" in
    "") COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')} ${words(shared)}" -- "$word")) ;;
${cases.join('\n')}
  esac
}
complete -F _agentctl agentctl
`
}

function zshScript(commands: readonly Completed[], shared: Completed['options']): string {
  const quoted = (text: string): string =>
    text.replaceAll("'", `'\\''`).replaceAll(/[[\]:]/g, String.raw`\$&`)
  const specs = (options: Completed['options']): string =>
    options
      .flatMap(({ flags, summary, takes }) =>
        flags.map((flag) => `'${flag}[${quoted(summary)}]${takes ? ':value:_files' : ''}'`),
      )
      .join(' ')
  const cases = commands.map(
    ({ name, options }) => `    ${name}) _arguments ${specs([...options, ...shared])} '*:file:_files' ;;`,
  )
  return `#compdef agentctl
# Completes agentctl in zsh.
_agentctl() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join('\n')}
  )
  if (( CURRENT == 2 )) && [[ "$PREFIX" != -* ]]; then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
    *) _arguments ${specs(shared)} ;;
  esac
}
# Found through fpath it is called; sourced, it is announced.
if [[ "\${funcstack[1]}" == _agentctl ]]; then _agentctl "$@"; else compdef _agentctl agentctl; fi
`
}

function fishScript(commands: readonly Completed[], shared: Completed['options']): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const spec = ({ flags, summary, takes }: Completed['options'][number]): string =>
    [
      ...flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)),
      takes ? '-r' : '',
      `-d ${quoted(summary)}`,
    ]
      .filter((part) => part !== '')
      .join(' ')
  return `# Completes agentctl in fish.
${commands.map(({ name, summary }) => `complete -c agentctl -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`).join('\n')}
${shared.map((option) => `complete -c agentctl ${spec(option)}`).join('\n')}
${commands
  .flatMap(({ name, options }) =>
    options.map((option) => `complete -c agentctl -n '__fish_seen_subcommand_from ${name}' ${spec(option)}`),
  )
  .join('\n')}
`
}
