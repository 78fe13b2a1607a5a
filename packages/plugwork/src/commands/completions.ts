/** `plugwork completions`: scripts for shells, made from the command tree. They complete commands, options and files. */
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'

interface Entry {
  /** Words after `plugwork`: `runs list`. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly Flag[]
}

interface Flag {
  readonly long: string
  readonly short: string | undefined
  readonly summary: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
}

const SHELLS = { bash, zsh, fish }

/** `program` is the whole command tree. */
export async function completions(context: Context, shell: string, program: Command): Promise<number> {
  if (!Object.hasOwn(SHELLS, shell)) {
    throw new UsageError(`There are no completions for ${shell}.`, `Shells: ${Object.keys(SHELLS).join(', ')}.`)
  }
  const entries = collectEntries(program, '')
  context.print(SHELLS[shell as keyof typeof SHELLS](entries))
  return EXIT.done
}

function collectEntries(command: Command, path: string): Entry[] {
  const visible = command.commands.filter((child) => child.name() !== 'help')
  const help: Flag = { long: '--help', short: '-h', summary: 'show help', takesValue: false, choices: [] }
  const options = command.options
    .filter((option) => !option.hidden && option.long && option.long !== '--version')
    .map((option) => ({
      long: option.long!,
      short: option.short ?? undefined,
      summary: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    }))
  return [
    {
      path,
      commands: visible.map((child) => ({ name: child.name(), summary: child.summary() || child.description() })),
      options: [...options, help],
    },
    ...visible.flatMap((child) => collectEntries(child, path === '' ? child.name() : `${path} ${child.name()}`)),
  ]
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

function bash(entries: readonly Entry[]): string {
  const cases = entries.map(({ path, commands, options }) => {
    const flags = options.flatMap((option) => [option.long, ...(option.short ? [option.short] : [])])
    return `    ${quoted(path)}) words=${quoted([...commands.map((child) => child.name), ...flags].join(' '))} ;;`
  })
  const groups = entries.filter((entry) => entry.commands.length > 0 && entry.path !== '').map((entry) => entry.path)
  const choices = entries.flatMap(({ path, options }) =>
    options
      .filter((option) => option.choices.length > 0)
      .map((option) => `    ${quoted(`${path} ${option.long}`)}) words=${quoted(option.choices.join(' '))} ;;`),
  )
  return `# plugwork completions for bash: source <(plugwork completions bash)
_plugwork() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    if [[ -z $path ]]; then path=$word
    elif [[ " ${groups.join(' ')} " == *" $path "* ]]; then path="$path $word"; break
    else break
    fi
  done
  case "$path $previous" in
${choices.join('\n')}
  esac
  [[ -z $words ]] && case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ $current != -* && \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _plugwork plugwork`
}

function zsh(entries: readonly Entry[]): string {
  const describe = (text: string): string => text.replaceAll(/([[\]:\\])/g, '\\$1')
  const functions = entries.map(({ path, commands, options }) => {
    const name = `_plugwork${path === '' ? '' : `_${path.replaceAll(/[^a-z]/g, '_')}`}`
    const flags = options.map((option) => {
      const value =
        option.choices.length > 0 ? `:value:(${option.choices.join(' ')})` : option.takesValue ? ':value:_files' : ''
      return `    ${quoted(`${option.long}[${describe(option.summary)}]${value}`)}`
    })
    if (commands.length === 0) return `${name}() {\n  _arguments \\\n${flags.join(' \\\n')} \\\n    '*:file:_files'\n}`
    const list = commands.map((child) => `    ${quoted(`${child.name}:${describe(child.summary)}`)}`)
    const dispatch = commands.map((child) => `      ${child.name}) ${name}_${child.name} ;;`)
    return `${name}() {
  local -a commands=(
${list.join('\n')}
  )
  _arguments -C \\
${flags.join(' \\\n')} \\
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument) case $words[1] in
${dispatch.join('\n')}
    esac ;;
  esac
}`
  })
  return `#compdef plugwork\n# plugwork completions for zsh: source <(plugwork completions zsh)\n${functions.join('\n')}\ncompdef _plugwork plugwork`
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ path, commands, options }) => {
    const condition =
      path === ''
        ? '__fish_use_subcommand'
        : path
            .split(' ')
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join('; and ')
    const siblings = commands.map((child) => child.name).join(' ')
    const inside =
      path === '' || commands.length === 0 ? condition : `${condition}; and not __fish_seen_subcommand_from ${siblings}`
    return [
      ...commands.map(
        (child) => `complete -c plugwork -n ${quoted(inside)} -f -a ${child.name} -d ${quoted(child.summary)}`,
      ),
      ...options.map((option) => {
        const short = option.short ? ` -s ${option.short.slice(1)}` : ''
        const value =
          option.choices.length > 0 ? ` -x -a ${quoted(option.choices.join(' '))}` : option.takesValue ? ' -r' : ''
        return `complete -c plugwork -n ${quoted(condition)} -l ${option.long.slice(2)}${short}${value} -d ${quoted(option.summary)}`
      }),
    ]
  })
  return `# plugwork completions for fish\n${lines.join('\n')}`
}
