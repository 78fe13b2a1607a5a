/**
 * What a connector package says of itself, read without running any of it. Only packages that the project's own
 * `package.json` names are looked at: what they bring along as their dependencies is never loaded as a connector.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  fileInside,
  findInstalled,
  isVersionRange,
  packageEntry,
  readManifest,
  versionFits,
  type InstalledPackage,
  type PackageManifest,
} from './installed-package.ts'

/** The keyword by which npm lists connector packages. */
export const CONNECTOR_KEYWORD = 'plugwork-connector'

export interface ConnectorPackage extends Omit<InstalledPackage, 'manifest'> {
  /** The module that exports its connectors; null when there is a fault. */
  readonly entry: string | null
  /** Names and prefixes of its connectors, where the manifest tells them: it is then imported only when one is used. */
  readonly names: readonly string[] | null
  /** Why it cannot be used, as a sentence; null when nothing is wrong so far. */
  readonly fault: string | null
}

export interface ProjectManifest {
  /** Absolute path of the `package.json`. */
  readonly file: string
  readonly text: string
  /** Dependencies of all kinds, sorted; null when the file cannot be read as JSON. */
  readonly dependencies: readonly string[] | null
}

/** The nearest `package.json` from a folder upward; null where there is none. */
export function readProjectManifest(directory: string): ProjectManifest | null {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    const text = readText(file)
    if (text !== null) return { file, text, dependencies: dependenciesOf(text) }
    if (dirname(folder) === folder) return null
  }
}

/** The connector packages among the project's dependencies, in the order of their names; the project itself, if it is one. */
export async function findConnectorPackages(
  { file, dependencies }: ProjectManifest,
  version: string,
): Promise<readonly ConnectorPackage[]> {
  const found: ConnectorPackage[] = []
  const own = ownPackage(dirname(file))
  if (own !== null) found.push(await readPackage(own, version))
  for (const name of dependencies ?? []) {
    const installed = findInstalled(name, dirname(file))
    if (installed !== null && isConnectorPackage(installed.manifest)) found.push(await readPackage(installed, version))
  }
  return found
}

/** A project that is a connector package itself: its author's flows use what was built last. */
function ownPackage(directory: string): InstalledPackage | null {
  const manifest = readManifest(directory)
  if (manifest === null || !isConnectorPackage(manifest)) return null
  const { name, version } = manifest
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return { name: text(name), version: text(version), directory, manifest }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function dependenciesOf(text: string): readonly string[] | null {
  try {
    const manifest = JSON.parse(text) as PackageManifest | null
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'].map((kind) => manifest?.[kind])
    const names = kinds.flatMap((kind) => (typeof kind === 'object' && kind !== null ? Object.keys(kind) : []))
    return [...new Set(names)].toSorted()
  } catch {
    return null
  }
}

function isConnectorPackage(manifest: PackageManifest): boolean {
  const { keywords } = manifest
  if (Array.isArray(keywords) && keywords.includes(CONNECTOR_KEYWORD)) return true
  const { plugwork } = manifest
  return typeof plugwork === 'object' && plugwork !== null && 'connectors' in plugwork
}

async function readPackage(installed: InstalledPackage, running: string): Promise<ConnectorPackage> {
  const { name, version, directory, manifest } = installed
  const field = (manifest['plugwork'] ?? {}) as PackageManifest
  const { connectors, names } = field
  const declared = Array.isArray(names) && names.every((one) => typeof one === 'string') ? (names as string[]) : null
  const entry =
    connectors === undefined
      ? packageEntry(installed)
      : typeof connectors === 'string'
        ? fileInside(directory, connectors)
        : null
  const fault =
    entry === null
      ? connectors === undefined
        ? 'Its package.json names no module: add "plugwork": { "connectors": "./dist/index.js" }.'
        : `There is no file ${JSON.stringify(connectors)} in it, which its package.json names as "plugwork.connectors". Is it built?`
      : names !== undefined && declared === null
        ? 'Its "plugwork.names" is no list of strings.'
        : await versionFault(manifest, field['api'], running)
  return { name, version, directory, entry: fault === null ? entry : null, names: declared, fault }
}

/** The range stands in `plugwork.api`, or is that of its peer dependency on the core. */
async function versionFault(manifest: PackageManifest, api: unknown, running: string): Promise<string | null> {
  const peers = (manifest['peerDependencies'] ?? {}) as PackageManifest
  const range = api ?? peers['@plugwork/core'] ?? peers['plugwork']
  if (typeof range !== 'string') {
    return 'It does not say which versions of Plugwork it is made for: add "plugwork": { "api": "^0.1.0" }.'
  }
  if (!(await isVersionRange(range))) return `Its version range ${JSON.stringify(range)} cannot be read.`
  if (await versionFits(running, range)) return null
  return `It is made for Plugwork ${range}, and this is ${running}. Install a version of it that fits.`
}
