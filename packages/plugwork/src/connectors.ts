/** The connectors that this build brings. */
import type { Catalog } from '@plugwork/core'
import { describeLazily, type Connector } from '@plugwork/core/node'

/** Their names; each one is loaded when it is used. */
export async function installedConnectors(): Promise<readonly Connector[]> {
  const { builtinConnectors } = await import('@plugwork/connectors')
  return builtinConnectors
}

/** What the checker knows of them. */
export async function connectorCatalogs(): Promise<Catalog['connectors']> {
  return (await installedConnectors()).map(describeLazily)
}
