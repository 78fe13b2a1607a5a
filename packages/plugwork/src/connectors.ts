/** The connectors that this build brings. */
import type { Catalog } from '@plugwork/core'
import { describeConnector, type Connector } from '@plugwork/core/node'

/** Loaded when a command needs them: with their schemas they are a good part of what a start costs. */
export async function installedConnectors(): Promise<readonly Connector[]> {
  const { builtinConnectors } = await import('@plugwork/connectors')
  return builtinConnectors
}

/** What the checker knows of them. */
export async function connectorCatalogs(): Promise<Catalog['connectors']> {
  return (await installedConnectors()).map(describeConnector)
}
