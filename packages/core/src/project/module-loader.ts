/**
 * Imports TypeScript files of a project with Node's own type stripping, anew whenever they change.
 *
 * Node keeps a module for each URL for as long as the process lives. A file is therefore imported under
 * `file:///…/tasks.ts?plugwork=<hash of its graph>`, and a resolve hook hands the query on to whatever the file imports
 * relatively: a change of any of them makes new URLs for all, while code that runs keeps the modules it has. What an
 * older version held in memory stays until the process ends, which is the price of reloading and why it is for development.
 */
import { createHash } from 'node:crypto'
import { createRequire, registerHooks, type ResolveFnOutput } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { readModuleGraph, type ModuleGraph } from './module-graph.ts'

const QUERY = '?plugwork='
/** Begins the version of modules of a connector package. */
const PACKAGE = 'package-'
/** Connector packages get the core that runs, not one of their own: errors and symbols are the same then. */
const CORE = /^@plugwork\/core(?:\/|$)/

export interface LoadedModule {
  readonly graph: ModuleGraph
  readonly exports: { readonly [name: string]: unknown }
}

export interface ModuleLoader extends Disposable {
  /** Imports a file; throws what the import throws. The same content is the same module. */
  load(file: string): Promise<LoadedModule>
  /** Imports the module of an installed connector package; another `key` (its version) makes it a new module. */
  loadPackage(file: string, key: string): Promise<LoadedModule['exports']>
}

export interface ModuleLoaderOptions {
  /**
   * Packages that a project may import without having installed them, with the URL that stands in: what the command line
   * itself brings (`plugwork`), so that a project works before its first `npm install`.
   */
  readonly provided?: { readonly [specifier: string]: string }
}

/** Opens a loader. Its hook is active until it is disposed of; imports of other code are not touched. */
export function createModuleLoader(options: ModuleLoaderOptions = {}): ModuleLoader {
  const provided = options.provided ?? {}
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier.includes(QUERY)) return asModule(nextResolve(specifier, context))
      const version = versionOf(context.parentURL)
      if (version === null) return nextResolve(specifier, context)
      if (version.startsWith(PACKAGE) && CORE.test(specifier)) {
        return { url: pathToFileURL(createRequire(import.meta.url).resolve(specifier)).href, shortCircuit: true }
      }
      try {
        const resolved = nextResolve(specifier, context)
        const relative = specifier.startsWith('.') && resolved.url.startsWith('file:')
        if (!relative || resolved.url.includes('?')) return resolved
        return asModule({ ...resolved, url: resolved.url + QUERY + version })
      } catch (error) {
        const url = provided[specifier]
        if (url === undefined || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
        return { url, shortCircuit: true }
      }
    },
  })
  return {
    async load(file) {
      const graph = readModuleGraph(file)
      const url = pathToFileURL(file).href + QUERY + graph.hash
      return { graph, exports: (await import(/* @vite-ignore */ url)) as LoadedModule['exports'] }
    },
    async loadPackage(file, key) {
      const version = PACKAGE + createHash('sha256').update(key).digest('hex').slice(0, 16)
      const url = pathToFileURL(file).href + QUERY + version
      return (await import(/* @vite-ignore */ url)) as LoadedModule['exports']
    },
    [Symbol.dispose]: () => hooks.deregister(),
  }
}

/**
 * TypeScript of a project is a module, whatever the nearest package.json says or leaves out: Node would have to guess, and
 * would warn about it.
 */
function asModule(resolved: ResolveFnOutput): ResolveFnOutput {
  return /\.m?ts(\?|$)/.test(resolved.url) ? { ...resolved, format: 'module-typescript' } : resolved
}

function versionOf(parent: string | undefined): string | null {
  const at = parent?.lastIndexOf(QUERY) ?? -1
  return at < 0 ? null : parent!.slice(at + QUERY.length)
}

/** Where in `file` an error of loading it arose, as far as its stack tells. */
export function errorPlace(error: unknown, file: string): { readonly line?: number; readonly column?: number } {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const name = pathToFileURL(file).href
  for (const text of [name, file]) {
    const at = stack.indexOf(text)
    const match = at < 0 ? null : /^(?:\?plugwork=[0-9a-f]+)?:(\d+)(?::(\d+))?/.exec(stack.slice(at + text.length))
    if (match) return { line: Number(match[1]), column: Number(match[2] ?? 1) }
  }
  return {}
}

/** The message of a failed import in one line, with paths instead of URLs. */
export function importMessage(error: unknown): string {
  const text =
    error instanceof Error ? `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}` : String(error)
  const line = text.replaceAll(/\?plugwork=[\w-]+/g, '').replaceAll(/file:\/\/[^\s'"]+/g, (url) => fileURLToPath(url))
  return line.replaceAll(/\s*\n\s*/g, ' ').trim()
}
