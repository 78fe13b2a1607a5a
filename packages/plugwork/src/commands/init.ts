/** `plugwork init`: a new project from a template. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { flowJsonSchema } from '@plugwork/core'
import { readBuild } from '../build.ts'
import type { Context } from '../context.ts'
import { copyTemplate } from '../copy-template.ts'
import { EXIT, UsageError } from '../exit.ts'
import { showPath } from '../render/path.ts'

export interface InitOptions {
  readonly template?: string
  readonly force?: boolean
  readonly json?: boolean
}

const TEMPLATES = [
  { value: 'basic', label: 'basic', hint: 'a flow in YAML with one task and its tests' },
  { value: 'webhook', label: 'webhook', hint: 'orders on a webhook, with an approval' },
  { value: 'typescript', label: 'typescript', hint: 'a flow, tasks with schemas and tests in TypeScript' },
] as const

export async function init(context: Context, name: string | undefined, options: InitOptions): Promise<number> {
  const directory = resolve(context.workingDirectory, name ?? '.')
  if (existsSync(directory) && readdirSync(directory).some((entry) => entry !== '.git') && !options.force) {
    throw new UsageError(
      `${directory === context.workingDirectory ? 'This folder' : showPath(context, directory)} is not empty.`,
      'Name another folder, or give --force: files that are there are kept.',
    )
  }
  const template = options.template ?? (await chooseTemplate(context, options))
  if (template === null) return EXIT.interrupted
  const written = writeProject(template, directory)
  if (options.json) {
    context.json({ directory, template, files: written })
    return EXIT.done
  }
  const { good, bold, dim } = context.style
  const there =
    name === undefined || directory === context.workingDirectory ? '' : `cd ${showPath(context, directory)} && `
  const flow =
    template === 'typescript'
      ? `flow.ts -i numbers='[1,2,3]'`
      : template === 'webhook'
        ? 'flow.yaml -i order_id=A-1 -i total=20 -i email=ada@example.com'
        : 'flow.yaml -i name=Ada'
  context.print(
    `${good('✔')} ${bold(showPath(context, directory))} ${dim(`from the template ${template}: ${written.join(', ')}`)}`,
  )
  context.print(`  ${dim('Run it')}    ${there}plugwork run ${flow} --trace`)
  context.print(`  ${dim('Test it')}   ${there}plugwork test`)
  context.print(`  ${dim('Serve it')}  ${there}plugwork start`)
  return EXIT.done
}

/** Null: the question was broken off. */
async function chooseTemplate(context: Context, options: InitOptions): Promise<string | null> {
  if (!context.canAsk || options.json) return 'basic'
  const { isCancel, select } = await import('@clack/prompts')
  const chosen = await select({ message: 'What shall it begin with?', options: [...TEMPLATES], output: context.stderr })
  return isCancel(chosen) ? null : chosen
}

/** Copies what is not there yet; answers the names of the files, sorted. */
function writeProject(template: string, directory: string): string[] {
  const values = { name: packageName(directory), version: readBuild().version }
  const written = copyTemplate(template, directory, (text) =>
    text.replaceAll('{{name}}', values.name).replaceAll('{{version}}', values.version),
  )
  const editor = join(directory, '.vscode')
  if (written.includes(join('.vscode', 'settings.json'))) {
    writeFileSync(join(editor, 'flow.schema.json'), `${JSON.stringify(flowJsonSchema(), null, 2)}\n`)
    written.push(join('.vscode', 'flow.schema.json'))
  }
  return written.toSorted()
}

/** The folder's name in the form that npm accepts. */
function packageName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
  return name === '' ? 'flows' : name
}
