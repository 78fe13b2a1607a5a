/** Copies folders of `templates/` into new projects and packages. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { PACKAGE_DIRECTORY } from './build.ts'

/** Names that npm would leave out of a package, or read, under their own name. */
const RENAMED: { readonly [name: string]: string } = { _gitignore: '.gitignore', '_package.json': 'package.json' }

/** Copies the files that are not there yet, texts and names through `fill`; answers their names. */
export function copyTemplate(template: string, directory: string, fill: (text: string) => string): string[] {
  const source = join(PACKAGE_DIRECTORY, 'templates', template)
  const written: string[] = []
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const inside = join(entry.parentPath, entry.name).slice(source.length + 1)
    // What a check or run left in the template itself.
    if (inside.split(sep).includes('.plugwork')) continue
    const target = fill(RENAMED[inside] ?? inside)
    const path = join(directory, target)
    if (existsSync(path)) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, fill(readFileSync(join(entry.parentPath, entry.name), 'utf8')))
    written.push(target)
  }
  return written
}
