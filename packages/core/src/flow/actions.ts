/** Finds actions by their spellings: `github.issues.create`, `github_issues_create`, `pg_query`. */
import { closest } from '../expression/suggest.ts'
import type { Catalog, CatalogAction, CatalogConnector } from './catalog.ts'

export type ActionLookup =
  | { readonly kind: 'found'; readonly connector: CatalogConnector; readonly action: CatalogAction }
  | { readonly kind: 'unknown_action'; readonly connector: CatalogConnector; readonly near: string | undefined }
  | { readonly kind: 'unknown_connector'; readonly name: string; readonly near: string | undefined }
  /** Has neither the dot nor the prefix of a known connector: not meant as an action. */
  | { readonly kind: 'none' }

const underscored = (name: string): string => name.replaceAll('.', '_')

/** Looks up what a step's key may name. */
export function findAction(catalog: Catalog, spelling: string): ActionLookup {
  return spelling.includes('.') ? findDotted(catalog, spelling) : findUnderscored(catalog, spelling)
}

function findDotted(catalog: Catalog, spelling: string): ActionLookup {
  const dot = spelling.indexOf('.')
  const name = spelling.slice(0, dot)
  const connector = catalog.connectors.find((candidate) => candidate.name === name)
  if (connector === undefined) {
    const near = closest(
      name,
      catalog.connectors.map((candidate) => candidate.name),
    )
    return { kind: 'unknown_connector', name, near }
  }
  const rest = spelling.slice(dot + 1)
  const action = connector.actions.find((candidate) => candidate.name === rest)
  if (action !== undefined) return { kind: 'found', connector, action }
  const near = closest(
    rest,
    connector.actions.map((candidate) => candidate.name),
  )
  return { kind: 'unknown_action', connector, near: near === undefined ? undefined : `${connector.name}.${near}` }
}

function findUnderscored(catalog: Catalog, spelling: string): ActionLookup {
  const prefixes = catalog.connectors
    .flatMap((connector) => [connector.name, ...connector.prefixes].map((prefix) => ({ connector, prefix })))
    .filter(({ prefix }) => spelling.startsWith(`${prefix}_`))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)
  for (const { connector, prefix } of prefixes) {
    const rest = spelling.slice(prefix.length + 1)
    const action = connector.actions.find((candidate) => underscored(candidate.name) === rest)
    if (action !== undefined) return { kind: 'found', connector, action }
  }
  const [first] = prefixes
  if (first === undefined) return { kind: 'none' }
  const rest = spelling.slice(first.prefix.length + 1)
  const near = closest(
    rest,
    first.connector.actions.map((candidate) => underscored(candidate.name)),
  )
  return {
    kind: 'unknown_action',
    connector: first.connector,
    near: near === undefined ? undefined : `${first.prefix}_${near}`,
  }
}

/** Every spelling of every action, for suggestions. */
export function actionSpellings(catalog: Catalog): string[] {
  return catalog.connectors.flatMap((connector) =>
    connector.actions.flatMap((action) => [
      `${connector.name}.${action.name}`,
      ...[connector.name, ...connector.prefixes].map((prefix) => `${prefix}_${underscored(action.name)}`),
    ]),
  )
}
