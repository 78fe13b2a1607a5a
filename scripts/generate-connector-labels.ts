/**
 * Writes packages/connectors/src/labels.ts: what is known of each connector before it is loaded.
 *
 *   node scripts/generate-connector-labels.ts [--check]
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connector } from '@plugwork/core/node'
import { format, resolveConfig } from 'prettier'

const folder = join(import.meta.dirname, '../packages/connectors/src')
const file = join(folder, 'labels.ts')

const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, `${name}.ts`)))
const labels: unknown[] = []
for (const name of names.toSorted()) {
  const module = (await import(join(folder, name, `${name}.ts`))) as Record<string, Connector | undefined>
  const connector = module[name]
  // A folder of shared parts may be called like its main file.
  if (connector?.actions === undefined) continue
  const { title, description, version, prefixes } = connector
  labels.push({ name: connector.name, title, description, version, prefixes })
}
const source = `/** Written by scripts/generate-connector-labels.ts from the connectors themselves; a test compares. */
import type { ConnectorLabel } from './lazy-connector.ts'

export const LABELS: readonly ConnectorLabel[] = ${JSON.stringify(labels)}
`
const text = await format(source, { ...(await resolveConfig(file)), parser: 'typescript' })
if (process.argv.includes('--check')) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    process.stderr.write(
      'packages/connectors/src/labels.ts is out of date: run node scripts/generate-connector-labels.ts\n',
    )
    process.exitCode = 1
  }
} else {
  writeFileSync(file, text)
}
