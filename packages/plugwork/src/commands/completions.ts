/** `plugwork completions`: scripts for shells, made from the command tree. They complete commands, options and files. */
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'

interface Entry {
  /** Words after `plugwork`: `runs list`. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly Flag[]
  /** What its arguments are. */
  readonly positional: Value
}

interface Flag {
  readonly long: string
  readonly short: string | undefined
  readonly summary: string
  readonly value: Value | null
}

/** `text` is for the user to know: an id, a name. */
type Value =
  { readonly kind: 'files' | 'folders' | 'text' } | { readonly kind: 'words'; readonly words: readonly string[] }

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
  const help: Flag = { long: '--help', short: '-h', summary: 'show help', value: null }
  const options = command.options
    .filter((option) => !option.hidden && option.long && option.long !== '--version')
    .map((option) => ({
      long: option.long!,
      short: option.short ?? undefined,
      summary: option.description,
      value: option.required || option.optional ? valueOf(option.flags, option.argChoices) : null,
    }))
  const [argument] = command.registeredArguments
  const commands = visible.map((child) => ({ name: child.name(), summary: child.summary() || child.description() }))
  return [
    {
      path,
      commands: path === '' ? [...commands, { name: 'help', summary: 'Show the help of a command.' }] : commands,
      options: [...options, help],
      positional: argument ? valueOf(`<${argument.name()}>`, argument.argChoices) : { kind: 'text' },
    },
    ...visible.flatMap((child) => collectEntries(child, path === '' ? child.name() : `${path} ${child.name()}`)),
    ...(path === '' ? [helpEntry(visible)] : []),
  ]
}

function helpEntry(commands: readonly Command[]): Entry {
  const words = commands.map((child) => child.name())
  return { path: 'help', commands: [], options: [], positional: { kind: 'words', words } }
}

/** The names in usage lines say what stands there: `<file>`, `<dir>`. */
function valueOf(flags: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: 'words', words: choices }
  if (/<(file|paths|source)>/.test(flags)) return { kind: 'files' }
  return { kind: /<(dir|target)>/.test(flags) ? 'folders' : 'text' }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Commands that have commands, and so may be followed by a second word. */
function groupsOf(entries: readonly Entry[]): readonly string[] {
  return entries.filter((entry) => entry.commands.length > 0 && entry.path !== '').map((entry) => entry.path)
}

/** What bash's `compgen` is asked for. */
function compgenOf(value: Value): string {
  if (value.kind === 'words') return `-W ${quoted(value.words.join(' '))}`
  return value.kind === 'files' ? '-f' : value.kind === 'folders' ? '-d' : ''
}

function bash(entries: readonly Entry[]): string {
  const flags = entries.map(({ path, options }) => {
    const names = options.flatMap((option) => [option.long, ...(option.short ? [option.short] : [])])
    return `      ${quoted(path)}) wanted="-W ${quoted(names.join(' '))}" ;;`
  })
  const values = entries.flatMap(({ path, options }) =>
    options.flatMap(({ long, short, value }) => {
      if (value === null) return []
      const names = [long, ...(short ? [short] : [])].map((name) => quoted(`${path} ${name}`))
      return [`    ${names.join('|')}) wanted="${compgenOf(value)}" given=1 ;;`]
    }),
  )
  const words = entries.map(({ path, commands, positional }) => {
    const names = commands.map((child) => child.name)
    const value: Value = names.length > 0 ? { kind: 'words', words: names } : positional
    return `      ${quoted(path)}) wanted="${compgenOf(value)}" ;;`
  })
  return `# plugwork completions for bash: source <(plugwork completions bash)
_plugwork() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' wanted='' given='' word
  # \`--name=value\` arrives as three words.
  if [[ $current == '=' ]]; then current=''; elif [[ $previous == '=' ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    if [[ -z $path ]]; then path=$word
    elif [[ " ${groupsOf(entries).join(' ')} " == *" $path "* ]]; then path="$path $word"; break
    else break
    fi
  done
  case "$path $previous" in
${values.join('\n')}
  esac
  if [[ -n $given ]]; then :
  elif [[ $current == -* ]]; then
    case "$path" in
${flags.join('\n')}
    esac
  else
    case "$path" in
${words.join('\n')}
    esac
  fi
  COMPREPLY=()
  # A name per line: names of files may have spaces.
  local IFS=$'\\n'
  [[ -n $wanted ]] && COMPREPLY=($(IFS=$' \\t\\n'; eval "compgen $wanted -- \\"\\$current\\""))
}
complete -o filenames -F _plugwork plugwork`
}

function zshAction(value: Value): string {
  if (value.kind === 'words') return `(${value.words.join(' ')})`
  return value.kind === 'files' ? '_files' : value.kind === 'folders' ? '_files -/' : ' '
}

function zsh(entries: readonly Entry[]): string {
  const describe = (text: string): string => text.replaceAll(/([[\]:\\])/g, '\\$1')
  const functions = entries.map(({ path, commands, options, positional }) => {
    const name = `_plugwork${path === '' ? '' : `_${path.replaceAll(/[^a-z]/g, '_')}`}`
    const flags = options.map((option) => {
      const value = option.value === null ? '' : `:value:${zshAction(option.value)}`
      return `    ${quoted(`${option.long}[${describe(option.summary)}]${value}`)}`
    })
    if (commands.length === 0) {
      const rest = quoted(`*:${positional.kind === 'files' ? 'file' : 'argument'}:${zshAction(positional)}`)
      return `${name}() {\n  _arguments \\\n${flags.join(' \\\n')} \\\n    ${rest}\n}`
    }
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
  const lines = entries.flatMap(({ path, commands, options, positional }) => {
    const here = `complete -c plugwork -n ${quoted(`__plugwork_at ${path}`.trim())}`
    const described = (summary: string): string => `-d ${quoted(summary)}`
    const named = commands.map((child) => `${here} -a ${child.name} ${described(child.summary)}`)
    return [
      ...named,
      ...(commands.length > 0 ? [] : fishArguments(here, positional)),
      ...options.map((option) => {
        const short = option.short ? ` -s ${option.short.slice(1)}` : ''
        return `${here} -l ${option.long.slice(2)}${short}${fishValue(option.value)} ${described(option.summary)}`
      }),
    ]
  })
  return `# plugwork completions for fish
function __plugwork_at --description 'the command that is typed'
  set -l path
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; and continue
    if test (count $path) -eq 0
      set path $word
    else
      contains -- $path[1] ${groupsOf(entries).join(' ')}; and test (count $path) -eq 1; and set -a path $word
      break
    end
  end
  test "$path" = "$argv"
end
complete -c plugwork -f
${lines.join('\n')}`
}

function fishArguments(here: string, value: Value): string[] {
  if (value.kind === 'words') return [`${here} -a ${quoted(value.words.join(' '))}`]
  if (value.kind === 'text') return []
  return [value.kind === 'files' ? `${here} -F` : `${here} -a '(__fish_complete_directories)'`]
}

function fishValue(value: Value | null): string {
  if (value === null) return ''
  if (value.kind === 'words') return ` -x -a ${quoted(value.words.join(' '))}`
  if (value.kind === 'text') return ' -x'
  return value.kind === 'files' ? ' -r -F' : ` -x -a '(__fish_complete_directories)'`
}
