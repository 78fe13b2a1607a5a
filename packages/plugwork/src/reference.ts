/** docs/cli.md: the reference of the command line, made from the command tree and the table of settings. */
import type { Command } from 'commander'
import { SETTINGS, settingNames } from '@plugwork/core/node'
import { exampleOf } from './program.ts'

const INTRODUCTION = `# Command line

Generated from the command tree (\`node scripts/generate-cli-docs.ts\`). \`plugwork help COMMAND\` shows the same.

Output is for people: colour on a terminal (unless \`NO_COLOR\` or \`CI\` is set), progress on stderr, results on stdout. With \`--json\`
stdout is one JSON document and nothing else; when a command fails before it has a result, that document is
\`{ "error": { "code", "message" } }\`. While a server owns a data folder, the other commands on that folder work through it, with the
same output.

| exit code | means |
|---|---|
| 0 | done; also when a run is parked (an approval, an event, a long wait), which is how it was meant |
| 1 | the run, check or test failed, or a run needs a decision |
| 2 | wrong usage, or a file or folder that cannot be used; also a data folder that a live process owns, for \`start\`, \`migrate\` and \`restore\`, which need it for themselves |
| 130 | interrupted |
`

/** The whole page. */
export function renderCliReference(program: Command): string {
  const commands = leaves(program, [])
  return [INTRODUCTION, ...commands.map(([path, command]) => renderCommand(path, command)), renderSettings()].join('\n')
}

function leaves(command: Command, path: readonly string[]): (readonly [readonly string[], Command])[] {
  return command.commands.flatMap((child) => {
    const inner = [...path, child.name()]
    if (child.name() === 'help') return []
    return child.commands.length > 0 ? leaves(child, inner) : [[inner, child] as const]
  })
}

function renderCommand(path: readonly string[], command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? '…' : '')
    return argument.required ? name.toUpperCase() : `[${name.toUpperCase()}]`
  })
  const options = command.options.filter((option) => !option.hidden)
  const lines = [
    `## ${path.join(' ')}`,
    '',
    `\`${['plugwork', ...path, ...words].join(' ')}\``,
    '',
    command.description(),
    '',
  ]
  if (options.length > 0) {
    lines.push('| option | does |', '|---|---|')
    for (const option of options) {
      const choices = option.argChoices ? `: ${option.argChoices.join(', ')}` : ''
      lines.push(`| \`${option.flags}\` | ${cell(option.description + choices)} |`)
    }
    lines.push('')
  }
  const example = exampleOf(command)
  if (example !== undefined) lines.push('```sh', example, '```', '')
  return lines.join('\n')
}

function renderSettings(): string {
  const rows = settingNames().map((name) => {
    const { key, variable, summary, default: initial, secret } = SETTINGS[name]
    const place = secret ? '(environment only)' : `\`${key}\``
    return `| \`${variable}\` | ${place} | ${initial === null || initial === '' ? '' : `\`${String(initial)}\``} | ${cell(summary)} |`
  })
  return [
    '## Settings',
    '',
    'A flag wins over the environment, the environment over `plugwork.yaml` in the project folder, that over the default.',
    '`plugwork doctor` shows what is in force and from where. `secrets.NAME` of flows is `PLUGWORK_SECRET_NAME`, or the line',
    '`NAME=value` of `secrets.env` in the project folder. An unknown `PLUGWORK_…` name or key is a warning.',
    '',
    '| variable | key in `plugwork.yaml` | default | is |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
