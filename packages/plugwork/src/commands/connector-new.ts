/** `plugwork connector new`: a package with a connector, its tests and an example flow. */
import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { Script } from 'node:vm'
import { readBuild } from '../build.ts'
import { installedConnectors } from '../connectors.ts'
import type { Context } from '../context.ts'
import { copyTemplate } from '../copy-template.ts'
import { EXIT, UsageError } from '../exit.ts'
import { showPath } from '../render/path.ts'

export interface ConnectorNewOptions {
  readonly dir?: string
  readonly template: string
  readonly json?: boolean
}

export async function connectorNew(context: Context, name: string, options: ConnectorNewOptions): Promise<number> {
  await checkName(name)
  const directory = resolve(context.workingDirectory, options.dir ?? `plugwork-connector-${name.replaceAll('_', '-')}`)
  const shown = showPath(context, directory)
  if (existsSync(directory) && readdirSync(directory).some((entry) => entry !== '.git')) {
    throw new UsageError(`${shown} is not empty.`, 'Name another folder with --dir.')
  }
  const fill = filling(name)
  const files = ['common', options.template].flatMap((part) => copyTemplate(`connector/${part}`, directory, fill))
  if (options.json) {
    context.json({ directory, template: options.template, files: files.toSorted() })
    return EXIT.done
  }
  const { good, bold, dim } = context.style
  context.print(
    `${good('✔')} ${bold(shown)} ${dim(`from the template ${options.template}: ${files.toSorted().join(', ')}`)}`,
  )
  context.print(`  ${dim('Test it')}    cd ${shown} && npm install && npm test`)
  context.print(`  ${dim('Pack it')}    npm pack`)
  context.print(`  ${dim('Write it')}   src/${name}.ts, and docs/connectors.md of Plugwork says how`)
  return EXIT.done
}

/** The templates are a connector called `acme`. */
function filling(name: string): (text: string) => string {
  const words = name.split('_').filter((word) => word !== '')
  const title = words.map((word) => word[0]!.toUpperCase() + word.slice(1))
  return (text) =>
    text
      .replaceAll('{{version}}', readBuild().version)
      .replaceAll('plugwork-connector-acme', `plugwork-connector-${words.join('-')}`)
      .replaceAll('AcmeClient', `${title.join('')}Client`)
      .replaceAll('AcmeExample', `${title.join('')}Example`)
      .replaceAll('api.acme.example', `api.${words.join('-')}.example`)
      .replaceAll('acme.example', `${words.join('-')}.example`)
      .replaceAll('Acme', title.join(' '))
      .replaceAll('ACME', name.toUpperCase())
      .replaceAll('acme', name)
}

async function checkName(name: string): Promise<void> {
  if (!/^[a-z][a-z0-9_]*[a-z0-9]$/.test(name) || !isIdentifier(name)) {
    throw new UsageError(
      `A connector cannot be called ${name}.`,
      'Its name stands in flows (`type: my_service`) and code: small letters, digits and `_`, no word of JavaScript.',
    )
  }
  const taken = (await installedConnectors()).find((one) => one.name === name || one.prefixes.includes(name))
  if (taken !== undefined) {
    throw new UsageError(
      `The name ${name} is taken by the connector ${taken.name} of Plugwork.`,
      'Choose another name.',
    )
  }
}

function isIdentifier(name: string): boolean {
  try {
    // Throws where it is no name of a constant.
    const script = new Script(`"use strict"; const ${name} = 1`)
    return script instanceof Script
  } catch {
    return false
  }
}
