/** The connectors that this build brings, and those of a project's packages. */
import type { Catalog } from '@plugwork/core'
import { describeLazily, loadConnectorPackages, type Connector, type ProjectPackage } from '@plugwork/core/node'
import { provided } from './provided.ts'

/** Their names; each one is loaded when it is used. */
export async function installedConnectors(): Promise<readonly Connector[]> {
  const { builtinConnectors } = await import('@plugwork/connectors')
  return builtinConnectors
}

/** What the checker knows of them. */
export async function connectorCatalogs(): Promise<Catalog['connectors']> {
  return (await installedConnectors()).map(describeLazily)
}

/** A connector that flows of a project can use. */
export interface KnownConnector {
  readonly connector: Connector
  /** The project's package that brings it; null for one of Plugwork. */
  readonly from: ProjectPackage | null
}

export interface KnownConnectors extends Disposable {
  readonly connectors: readonly KnownConnector[]
  /** Connector packages that are left out, with their fault. */
  readonly leftOut: readonly ProjectPackage[]
}

/** All that flows of a project folder can use: the built-in ones first. Runs the code of its connector packages. */
export async function connectorsOf(directory: string): Promise<KnownConnectors> {
  const builtin = await installedConnectors()
  const loaded = await loadConnectorPackages({ directory, builtin, provided })
  const packages = new Map(loaded.packages.map((one) => [one.name, one]))
  return {
    connectors: [
      ...builtin.map((connector) => ({ connector, from: null })),
      ...loaded.connectors.map(({ connector, from }) => ({ connector, from: packages.get(from) ?? null })),
    ],
    leftOut: loaded.packages.filter(({ fault }) => fault !== null),
    [Symbol.dispose]: () => loaded[Symbol.dispose](),
  }
}
