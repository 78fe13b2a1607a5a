/** Writes docs/connectors/<name>.md, the reference page of each connector, from its definition. `--check` only compares. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtinConnectors } from '../packages/connectors/src/index.ts'
import { renderReference } from '../packages/core/src/connector/reference.ts'

const folder = join(import.meta.dirname, '../docs/connectors')

/** The pages by file name. */
export function connectorDocs(): Map<string, string> {
  return new Map(builtinConnectors.map((connector) => [`${connector.name}.md`, renderReference(connector)]))
}

/** Names of the files that are not what the connectors say: outdated, missing, or of no connector. */
export function outdated(): string[] {
  const pages = connectorDocs()
  const strangers = readdirSync(folder).filter((name) => !pages.has(name))
  const different = [...pages].filter(([name, text]) => {
    const file = join(folder, name)
    return !existsSync(file) || readFileSync(file, 'utf8') !== text
  })
  return [...different.map(([name]) => name), ...strangers]
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--check')) {
    for (const name of outdated()) {
      process.stderr.write(
        `docs/connectors/${name} is not what the connector says; run \`node scripts/generate-connector-docs.ts\`.\n`,
      )
      process.exitCode = 1
    }
  } else {
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of connectorDocs()) writeFileSync(join(folder, name), text)
  }
}
