/** `plugwork connection …`: what connectors there are, and how to use them. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { closest } from '@plugwork/core'
import { describeConnector, type Connector, type PackageNeed } from '@plugwork/core/node'
import { installedConnectors } from '../connectors.ts'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { showPath } from '../render/path.ts'
import { table } from '../render/text.ts'

interface JsonFlag {
  readonly json?: boolean
}

async function connectorNamed(name: string): Promise<Connector> {
  const connectors = await installedConnectors()
  const found = connectors.find((connector) => connector.name === name)
  if (found) return found
  const names = connectors.map((connector) => connector.name)
  const meant = closest(name, names)
  throw new UsageError(
    `There is no connector ${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    `Connectors: ${names.join(', ')}.`,
  )
}

export async function list(context: Context, options: JsonFlag): Promise<number> {
  const connectors = await installedConnectors()
  if (options.json) {
    context.json({
      connectors: connectors.map(({ name, title, description, version, actions }) => ({
        name,
        title,
        description,
        version,
        actions: Object.keys(actions),
      })),
    })
    return EXIT.done
  }
  const { bold, dim } = context.style
  const rows = connectors.map(({ name, description, actions }) => {
    const number = Object.keys(actions).length
    return [bold(name), description, dim(`${number} action${number === 1 ? '' : 's'}`)]
  })
  context.print(table(rows, context.wrapAt))
  return EXIT.done
}

export async function info(context: Context, name: string, options: JsonFlag): Promise<number> {
  const connector = await connectorNamed(name)
  const described = describeConnector(connector)
  if (options.json) {
    context.json({
      ...described,
      title: connector.title,
      version: connector.version,
      packages: connector.packages ?? [],
    })
    return EXIT.done
  }
  const { bold, dim, accent } = context.style
  context.print(`${bold(connector.title)} ${dim(`${connector.name} ${connector.version}`)}\n${connector.description}\n`)
  context.print(bold('Config'))
  context.print(table(propertyRows(context, described.config), context.wrapAt))
  for (const action of described.actions) {
    const { effect, idempotency, needsConnection } = action
    const facts = [
      effect,
      `repeating it: ${REPEATING[idempotency]}`,
      ...(needsConnection ? [] : ['connection optional']),
    ]
    context.print(`\n${accent(`${connector.name}.${action.name}`)}  ${dim(facts.join(', '))}\n  ${action.description}`)
    context.print(table(propertyRows(context, action.input), context.wrapAt))
    const outputs = Object.keys((action.output['properties'] ?? {}) as object)
    if (outputs.length > 0) context.print(`  ${dim('outputs')}  ${outputs.join(', ')}`)
  }
  return EXIT.done
}

const REPEATING = {
  natural: 'the same as once',
  key: 'recognised by the service',
  lookup: 'looked up first',
  none: 'may happen twice',
} as const

function propertyRows(context: Context, schema: { readonly [key: string]: unknown }): string[][] {
  const { dim } = context.style
  const properties = (schema['properties'] ?? {}) as { readonly [name: string]: { readonly [key: string]: unknown } }
  const required = (schema['required'] ?? []) as readonly string[]
  return Object.entries(properties).map(([name, property]) => {
    const given = property['default'] === undefined ? '' : `default ${JSON.stringify(property['default'])}`
    const facts = [typeName(property), required.includes(name) && given === '' ? 'required' : given].filter(
      (fact) => fact !== '',
    )
    return [
      `  ${name}`,
      dim(facts.join(', ')),
      typeof property['description'] === 'string' ? property['description'] : '',
    ]
  })
}

function typeName(schema: { readonly [key: string]: unknown }): string {
  const { type, anyOf } = schema
  if (Array.isArray(schema['enum'])) return schema['enum'].join(' | ')
  if (schema['const'] !== undefined) return JSON.stringify(schema['const'])
  if (typeof type === 'string') return type
  if (Array.isArray(type)) return type.join(' | ')
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map((one) => typeName(one as typeof schema)))].join(' | ')
  return 'any'
}

export interface DepsOptions extends JsonFlag {
  readonly check?: boolean
  readonly install?: boolean
}

export async function deps(context: Context, name: string, options: DepsOptions): Promise<number> {
  const connector = await connectorNamed(name)
  const needs = connector.packages ?? []
  const missing = needs.filter((need) => !isInstalled(context, need))
  if (options.install && missing.length > 0) return installPackages(context, missing)
  if (options.json) {
    const installed = (need: PackageNeed): boolean => !missing.includes(need)
    context.json({ packages: needs.map((need) => ({ ...need, installed: installed(need) })) })
  } else if (needs.length === 0) {
    context.print(`${connector.name} needs no packages.`)
  } else {
    const { good, bad } = context.style
    context.print(
      table(
        needs.map((need) => [
          missing.includes(need) ? bad('missing') : good('installed'),
          `${need.name}@${need.range}`,
        ]),
      ),
    )
    if (missing.length > 0) context.note(`Install with: plugwork connection deps ${connector.name} --install`)
  }
  return options.check && missing.length > 0 ? EXIT.failed : EXIT.done
}

function isInstalled(context: Context, need: PackageNeed): boolean {
  for (const from of [join(context.workingDirectory, 'package.json'), import.meta.filename]) {
    try {
      createRequire(from).resolve(need.name)
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A package without a CommonJS entry is there all the same.
      if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return true
      if (code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  return false
}

/** The project's own npm does it; its output goes to stderr. */
async function installPackages(context: Context, needs: readonly PackageNeed[]): Promise<number> {
  const names = needs.map((need) => `${need.name}@${need.range}`)
  context.note(context.noteStyle.dim(`npm install ${names.join(' ')}`))
  const child = spawn('npm', ['install', '--no-audit', '--no-fund', ...names], {
    cwd: context.workingDirectory,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  const code = await new Promise<number>((done, fail) => {
    child.once('error', fail)
    child.once('exit', (status) => done(status ?? 1))
  })
  return code === 0 ? EXIT.done : EXIT.failed
}

export async function scaffold(context: Context, name: string, options: { readonly name?: string }): Promise<number> {
  const connector = await connectorNamed(name)
  context.print(connector.scaffold({ name: options.name ?? connector.name }).trimEnd())
  return EXIT.done
}

export interface ExampleOptions {
  readonly name?: string
  readonly output?: string
}

export async function example(context: Context, name: string, options: ExampleOptions): Promise<number> {
  const connector = await connectorNamed(name)
  const { fileName, source } = connector.example({ name: options.name ?? connector.name })
  if (options.output === undefined) {
    context.print(source.trimEnd())
    return EXIT.done
  }
  const path = join(resolve(context.workingDirectory, options.output), fileName)
  if (existsSync(path))
    throw new UsageError(`${showPath(context, path)} exists; remove it first, or name another --output.`)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, source)
  context.print(`${context.style.good('✔')} ${showPath(context, path)}`)
  return EXIT.done
}
