/**
 * Packages that are installed where a folder can see them: in `node_modules` beside it or above, as Node looks. Node itself
 * resolves from the importing file only; vendors' clients and connector packages are looked for from the project.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface InstalledPackage {
  readonly name: string
  readonly version: string
  /** Its folder, links resolved. */
  readonly directory: string
  readonly manifest: PackageManifest
}

/** A `package.json`, as far as it is used; everything in it is somebody else's. */
export interface PackageManifest {
  readonly [field: string]: unknown
}

const PACKAGE_NAME = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/i

/** The package of this name that code in `folder` would get; null where there is none. */
export function findInstalled(name: string, folder: string): InstalledPackage | null {
  // A name such as `../x` in a package.json must not lead out of node_modules.
  if (!PACKAGE_NAME.test(name)) return null
  for (let above = resolve(folder); ; above = dirname(above)) {
    const directory = join(above, 'node_modules', name)
    const manifest = readManifest(directory)
    if (manifest !== null) {
      const { version } = manifest
      return {
        name,
        version: typeof version === 'string' ? version : '',
        directory: realpathSync(directory),
        manifest,
      }
    }
    if (dirname(above) === above) return null
  }
}

/** The `package.json` of a folder; null when there is none, or none that is a JSON object. */
export function readManifest(directory: string): PackageManifest | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as PackageManifest) : null
  } catch {
    return null
  }
}

/** The file that `import` of the package loads; null when it offers none. */
export function packageEntry({ directory, manifest }: InstalledPackage): string | null {
  const { exports, main } = manifest
  if (exports !== undefined && exports !== null) {
    const target = conditional(rootExport(exports))
    return target === null ? null : fileInside(directory, target)
  }
  const names = typeof main === 'string' ? [main, `${main}.js`, join(main, 'index.js')] : []
  for (const name of [...names, 'index.js']) {
    const file = fileInside(directory, name)
    if (file !== null) return file
  }
  return null
}

/**
 * Imports a package as code in `folder` would. Null where it is not installed there. What the import throws is thrown.
 */
export async function importInstalled(name: string, folder: string): Promise<unknown> {
  const installed = findInstalled(name, folder)
  const entry = installed === null ? null : packageEntry(installed)
  return entry === null ? null : import(/* @vite-ignore */ pathToFileURL(entry).href)
}

/** True when the version lies in the range; false too where one of them cannot be read. */
export async function versionFits(version: string, range: string): Promise<boolean> {
  const { default: satisfies } = await import('semver/functions/satisfies.js')
  return satisfies(version, range, { includePrerelease: true })
}

/** True for a range that can be read. */
export async function isVersionRange(range: string): Promise<boolean> {
  const { default: validRange } = await import('semver/ranges/valid.js')
  return validRange(range) !== null
}

/** A file below `directory`; null when the name leads out of it or there is no such file. */
export function fileInside(directory: string, name: string): string | null {
  const file = resolve(directory, name)
  if (!file.startsWith(directory + sep)) return null
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : null
}

function rootExport(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null || Array.isArray(exports)) return exports
  return '.' in exports ? exports['.'] : exports
}

const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'module-sync', 'default'])

/** Node's rule: the first condition of the object that holds; of a list the first that gives something. */
function conditional(target: unknown): string | null {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return null
  const choices = Array.isArray(target)
    ? target
    : Object.entries(target).flatMap(([key, value]) => (CONDITIONS.has(key) ? [value as unknown] : []))
  for (const choice of choices) {
    const found = conditional(choice)
    if (found !== null) return found
  }
  return null
}
