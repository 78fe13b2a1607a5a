/** `plugwork connection …`: what connectors there are, and how to use them. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { closest } from '@plugwork/core'
import { describeConnector } from '@plugwork/core/node'
import { connectorsOf, type KnownConnector, type KnownConnectors } from '../connectors.ts'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { lookForPackages, type NeededPackage } from '../package-need.ts'
import { findProjectFolder } from '../project-folder.ts'
import { showPath } from '../render/path.ts'
import { count, table } from '../render/text.ts'
import { folderOf } from './runs.ts'
import { listStored, printStored, shownConnection, type ConnectionFlags } from './stored-connection.ts'

interface JsonFlag {
  readonly json?: boolean
}

/** The connector of this name among those that the project of the working directory can use. */
export function connectorNamed({ connectors, leftOut }: KnownConnectors, name: string): KnownConnector {
  const found = connectors.find(({ connector }) => connector.name === name)
  if (found) return found
  const names = connectors.map(({ connector }) => connector.name)
  const meant = closest(name, names)
  const faults = leftOut.map(
    (one) => ` The connector package ${one.name}@${one.version} is left out. ${one.fault ?? ''}`,
  )
  throw new UsageError(
    `There is no connector ${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`}${faults.join('')}`,
    `Connectors: ${names.join(', ')}.`,
  )
}

export interface ListFlags extends ConnectionFlags {
  /** Leave the connectors out. */
  readonly stored?: boolean
}

/** Connectors, and below them the connections that are stored. */
export async function list(context: Context, options: ListFlags): Promise<number> {
  const { directory } = folderOf(context, options)
  using known = await connectorsOf(directory)
  const stored = await listStored(
    context,
    options,
    known.connectors.map(({ connector }) => connector),
  )
  if (options.stored) {
    if (options.json) context.json({ stored: stored.map(shownConnection) })
    else if (stored.length === 0) context.note('Nothing is stored yet: plugwork connection add CONNECTOR')
    else printStored(context, stored)
    return EXIT.done
  }
  const shown = await Promise.all(
    known.connectors.map(async ({ connector, from }) => {
      const { name, title, description, version, actions } = connector
      const packages = await lookForPackages(directory, connector.packages ?? [])
      return { name, title, description, version, from: origin(from), actions: Object.keys(actions), packages }
    }),
  )
  if (options.json) {
    const leftOut = known.leftOut.map(({ name, version, fault }) => ({ name, version, reason: fault }))
    context.json({ connectors: shown, left_out: leftOut, stored: stored.map(shownConnection) })
    return EXIT.done
  }
  const { bold, dim, warn } = context.style
  const rows = shown.map(({ name, description, from, actions, packages }) => [
    bold(name),
    from === null ? description : `${description} ${dim(`from ${from.package}@${from.version}`)}`,
    dim(count(actions.length, 'action')),
    packages.map((need) => packageState(context, need)).join(', '),
  ])
  context.print(table(rows, context.wrapAt))
  if (stored.length > 0) {
    context.print(`\n${bold('Stored')}`)
    printStored(context, stored)
  }
  for (const { name, version, fault } of known.leftOut) {
    context.note(`${warn('!')} The connector package ${name}@${version} is left out. ${fault ?? ''}`)
  }
  return EXIT.done
}

function origin(from: KnownConnector['from']): { readonly package: string; readonly version: string } | null {
  return from === null ? null : { package: from.name, version: from.version }
}

function packageState(context: Context, { name, range, status, installed }: NeededPackage): string {
  const { dim, warn } = context.style
  if (status === 'ok') return dim(`${name} ${installed ?? ''}`)
  return status === 'missing' ? warn(`${name} missing`) : warn(`${name} ${installed ?? ''}, not ${range}`)
}

export async function info(context: Context, name: string, options: JsonFlag): Promise<number> {
  const directory = findProjectFolder(context.workingDirectory)
  using known = await connectorsOf(directory)
  const { connector, from } = connectorNamed(known, name)
  const described = describeConnector(connector)
  const packages = await lookForPackages(directory, connector.packages ?? [])
  if (options.json) {
    context.json({ ...described, title: connector.title, version: connector.version, from: origin(from), packages })
    return EXIT.done
  }
  const { bold, dim, accent } = context.style
  const brings = from === null ? '' : `, from ${from.name}@${from.version}`
  context.print(
    `${bold(connector.title)} ${dim(`${connector.name} ${connector.version}${brings}`)}\n${connector.description}\n`,
  )
  if (packages.length > 0) {
    context.print(`${bold('Packages')}  ${packages.map((need) => packageState(context, need)).join(', ')}\n`)
  }
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

export async function scaffold(context: Context, name: string, options: { readonly name?: string }): Promise<number> {
  using known = await connectorsOf(findProjectFolder(context.workingDirectory))
  const { connector } = connectorNamed(known, name)
  context.print(connector.scaffold({ name: options.name ?? connector.name }).trimEnd())
  return EXIT.done
}

export interface ExampleOptions {
  readonly name?: string
  readonly output?: string
}

export async function example(context: Context, name: string, options: ExampleOptions): Promise<number> {
  using known = await connectorsOf(findProjectFolder(context.workingDirectory))
  const { connector } = connectorNamed(known, name)
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
