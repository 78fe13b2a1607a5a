/**
 * Connectors that a project's packages bring: found by `connector-package.ts`, imported when a flow mentions one (or all,
 * for a server), checked, and left out with a reason when something is wrong. What is left out stops nothing else.
 *
 * The code of a connector package runs in this process, with its rights, also while flows are only checked: the schemas
 * of its actions are values of that code.
 */
import { readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { checkConnector } from '../connector/check-connector.ts'
import type { Connector } from '../connector/connector.ts'
import { describeConnector } from '../connector/describe-connector.ts'
import type { CatalogConnector } from '../flow/catalog.ts'
import { findConnectorPackages, readProjectManifest, type ConnectorPackage } from './connector-package.ts'
import type { ProjectManifest } from './connector-package.ts'
import { projectProblem } from './errors.ts'
import { createModuleLoader, importMessage, type ModuleLoader, type ModuleLoaderOptions } from './module-loader.ts'
import type { FileProblem } from './project.ts'

/** A connector package of the project, as commands show it. */
export interface ProjectPackage {
  readonly name: string
  readonly version: string
  /** Names of its connectors: those that were loaded, else those that it declares. */
  readonly connectors: readonly string[]
  /** Why it is left out; null for one that works, or was not needed yet. */
  readonly fault: string | null
}

export interface LoadedPackages {
  readonly packages: readonly ProjectPackage[]
  readonly connectors: readonly LoadedConnector[]
  readonly problems: readonly FileProblem[]
  /** Files that decide what is found, absolute. */
  readonly files: readonly string[]
}

export interface LoadedConnector {
  readonly connector: Connector
  readonly catalog: CatalogConnector
  /** Name of the package that brings it. */
  readonly from: string
}

export interface ConnectorPackages {
  /** Reads `package.json` again and loads the packages that `texts` mention; all of them for `null`. Never throws. */
  load(texts: readonly string[] | null): Promise<LoadedPackages>
}

export interface ConnectorPackagesOptions {
  /** Project folder. */
  readonly directory: string
  /** Connectors that are there already: their names and prefixes are taken. */
  readonly builtin: readonly Pick<CatalogConnector, 'name' | 'prefixes'>[]
  readonly loader: ModuleLoader
}

export const NO_PACKAGES: LoadedPackages = { packages: [], connectors: [], problems: [], files: [] }

/** A module that waits for something at its top level must not hold up everything else. */
const IMPORT_MS = 15_000

export function createConnectorPackages(options: ConnectorPackagesOptions): ConnectorPackages {
  const version = coreVersion()
  const imported = new Map<string, Promise<Imported>>()
  const importOnce = (found: ConnectorPackage, entry: string): Promise<Imported> => {
    const key = `${found.name}@${found.version} ${entry} ${statSync(entry).mtimeMs}`
    let work = imported.get(key)
    if (work === undefined) imported.set(key, (work = importPackage(entry, key, options.loader)))
    return work
  }
  return {
    async load(texts) {
      const manifest = readProjectManifest(options.directory)
      if (manifest === null) return NO_PACKAGES
      const place = (name?: string) => placeOf(options.directory, manifest, name)
      if (manifest.dependencies === null) {
        const { file, ...at } = place()
        const message = 'The file is not JSON; connectors of packages are not known.'
        return { ...NO_PACKAGES, problems: [projectProblem('PW1309', file, message, at)], files: [manifest.file] }
      }
      const taken = new Map(options.builtin.flatMap((one) => namesOf(one).map((name) => [name, 'Plugwork itself'])))
      const packages: ProjectPackage[] = []
      const connectors: LoadedConnector[] = []
      const problems: FileProblem[] = []
      for (const found of await findConnectorPackages(manifest, version)) {
        const outcome = await usePackage(found, { texts, taken, importOnce })
        const { name } = found
        packages.push({ name, version: found.version, connectors: outcome.names, fault: outcome.fault })
        if (outcome.fault === null) {
          connectors.push(...outcome.loaded)
        } else {
          const { file, ...at } = place(name)
          const message = `The connector package ${name}@${found.version} is left out. ${outcome.fault}`
          problems.push(projectProblem('PW1309', file, message, at))
        }
      }
      return { packages, connectors, problems, files: [manifest.file] }
    },
  }
}

/** Loads every connector package of a project, without its flows. Dispose of it when its connectors are no longer used. */
export async function loadConnectorPackages(
  options: Omit<ConnectorPackagesOptions, 'loader'> & ModuleLoaderOptions,
): Promise<LoadedPackages & Disposable> {
  const loader = createModuleLoader(options)
  const loaded = await createConnectorPackages({ ...options, loader }).load(null)
  return { ...loaded, [Symbol.dispose]: () => loader[Symbol.dispose]() }
}

/**
 * Says of a problem "there is no connector" which package was left out that would bring it: one that declares the name, or
 * is called so.
 */
export function explainMissing(problem: FileProblem, packages: readonly ProjectPackage[]): FileProblem {
  const asked = ['PW1030', 'PW1050'].includes(problem.code) ? /`([\w.]+)`/.exec(problem.message)?.[1] : undefined
  if (asked === undefined) return problem
  const reason = packages.find(({ fault, name, connectors }) => {
    if (fault === null) return false
    const names = [...connectors, ...name.split(/[^a-z0-9_]+/i)]
    return names.some((one) => mentions(asked, one))
  })
  if (reason === undefined) return problem
  return { ...problem, suggestion: `the package ${reason.name} is left out: ${reason.fault!.replace(/\.$/, '')}` }
}

interface Outcome {
  readonly names: readonly string[]
  readonly fault: string | null
  readonly loaded: readonly LoadedConnector[]
}

interface UseOptions {
  readonly texts: readonly string[] | null
  /** Names and prefixes so far, with who has them. Gains those of the package. */
  readonly taken: Map<string, string>
  importOnce(found: ConnectorPackage, entry: string): Promise<Imported>
}

async function usePackage(found: ConnectorPackage, { texts, taken, importOnce }: UseOptions): Promise<Outcome> {
  const declared = found.names ?? []
  const leftOut = (fault: string, names: readonly string[] = declared): Outcome => ({ names, fault, loaded: [] })
  if (found.entry === null) return leftOut(found.fault ?? 'It names no module.')
  const clash = takenName(declared, taken)
  if (clash !== null) return leftOut(clash)
  for (const name of declared) taken.set(name, found.name)
  const wanted = texts === null || texts.some((text) => declared.some((name) => mentions(text, name)))
  // Without declared names only the code itself tells them.
  if (!wanted && found.names !== null) return { names: declared, fault: null, loaded: [] }
  if (texts?.length === 0) return { names: declared, fault: null, loaded: [] }
  const { connectors, fault } = await importOnce(found, found.entry)
  if (fault !== null) return leftOut(fault)
  const names = connectors.map(({ connector }) => connector.name)
  const all = connectors.flatMap(({ connector }) => namesOf(connector))
  const undeclared = found.names === null ? [] : all.filter((name) => !declared.includes(name))
  if (undeclared.length > 0) {
    return leftOut(`Its "plugwork.names" leaves out ${undeclared.map((name) => `"${name}"`).join(' and ')}.`, names)
  }
  const own = new Set(declared)
  const other = takenName(
    all.filter((name) => !own.has(name)),
    taken,
  )
  if (other !== null) return leftOut(other, names)
  for (const name of all) taken.set(name, found.name)
  return { names, fault: null, loaded: connectors.map((one) => ({ ...one, from: found.name })) }
}

function takenName(names: readonly string[], taken: ReadonlyMap<string, string>): string | null {
  const name = names.find((one) => taken.has(one))
  return name === undefined ? null : `The name or prefix "${name}" is taken by ${taken.get(name)!}.`
}

function namesOf({ name, prefixes }: Pick<CatalogConnector, 'name' | 'prefixes'>): readonly string[] {
  return [...new Set([name, ...prefixes])]
}

/** Text as a part of a regular expression. */
const escaped = (text: string): string => text.replaceAll(/\W/g, '\\$&')

/** `todo`, `todo_add` and `todo.add` mention `todo`; `todos` does not. */
function mentions(text: string, name: string): boolean {
  return new RegExp(`(?<![A-Za-z0-9_])${escaped(name)}(?![A-Za-z0-9])`).test(text)
}

interface Imported {
  readonly connectors: readonly Omit<LoadedConnector, 'from'>[]
  readonly fault: string | null
}

async function importPackage(entry: string, key: string, loader: ModuleLoader): Promise<Imported> {
  try {
    const exports = await inTime(loader.loadPackage(entry, key))
    const given = exports['connectors'] ?? exports['default']
    const list: readonly unknown[] = Array.isArray(given) ? given : given === undefined ? [] : [given]
    if (list.length === 0) {
      return { connectors: [], fault: 'Its module exports no connectors: write `export const connectors = [todo]`.' }
    }
    return { connectors: list.map(described), fault: null }
  } catch (error) {
    return { connectors: [], fault: `It does not load: ${importMessage(error)}` }
  }
}

function described(value: unknown): Omit<LoadedConnector, 'from'> {
  if (!isConnector(value)) throw new TypeError('what it exports is no connector; make it with `defineConnector`.')
  const problems = checkConnector(value)
  if (problems.length > 0) throw new TypeError(`the connector "${value.name}" is not valid. ${problems.join(' ')}`)
  return { connector: value, catalog: describeConnector(value) }
}

/** The shape of what `defineConnector` gives; the package may have been made without types. */
function isConnector(value: unknown): value is Connector {
  if (typeof value !== 'object' || value === null) return false
  const some = value as Readonly<Record<string, unknown>>
  const texts = ['name', 'title', 'description', 'version'].every((key) => typeof some[key] === 'string')
  const functions = ['connect', 'scaffold', 'example'].every((key) => typeof some[key] === 'function')
  const { config, actions, prefixes } = some
  const schemas = typeof config === 'object' && config !== null && 'shape' in config
  return texts && functions && schemas && Array.isArray(prefixes) && typeof actions === 'object' && actions !== null
}

async function inTime<Value>(work: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`it took longer than ${IMPORT_MS / 1000} s.`)), IMPORT_MS)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Where the project's `package.json` names a dependency. */
function placeOf(directory: string, { file, text }: ProjectManifest, name?: string): Place {
  const shown = relative(directory, file).split(sep).join('/')
  const at = name === undefined ? -1 : text.search(new RegExp(`${escaped(JSON.stringify(name))}\\s*:`))
  const before = text.slice(0, Math.max(at, 0)).split('\n')
  return { file: shown, line: before.length, column: before.at(-1)!.length + 1 }
}

/** All packages of Plugwork have one version. */
function coreVersion(): string {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    readonly version: string
  }
  return manifest.version
}
