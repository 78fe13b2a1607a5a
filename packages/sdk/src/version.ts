import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Version of this package, told to other processes on a store. */
export function readVersion(): string {
  const manifest = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
