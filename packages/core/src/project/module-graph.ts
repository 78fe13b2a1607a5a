/** What a TypeScript file is made of: itself and the files it imports relatively. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

export interface ModuleGraph {
  /** Changes when the file or one that it imports relatively changes. */
  readonly hash: string
  /** Absolute paths, the file itself first. Files that do not exist (yet) are among them, so that they can be watched. */
  readonly files: readonly string[]
}

/**
 * Specifiers after `from`, `import` and `import(`. Found by pattern, not by parsing: text that only looks like an import
 * makes the hash depend on one file more, nothing worse.
 */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.{1,2}\/[^'"\n]+)\1/g

/** Reads the graph of a file. */
export function readModuleGraph(file: string): ModuleGraph {
  const files: string[] = []
  const hash = createHash('sha256')
  const queue = [file]
  const seen = new Set(queue)
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    files.push(path)
    const source = readText(path)
    hash.update(`${path}\0${source === null ? 'missing' : `${source.length}\0${source}`}\0`)
    for (const match of source?.matchAll(SPECIFIER) ?? []) {
      const next = resolve(dirname(path), match[2]!)
      if (!seen.has(next)) {
        seen.add(next)
        queue.push(next)
      }
    }
  }
  return { hash: hash.digest('hex').slice(0, 32), files }
}

/** Null for a file that is not there: the import of it fails with its own message when the module is loaded. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
