/**
 * A connector that is there by name and loaded when anything else of it is asked for. With their schemas the connectors of
 * this package are some 40 MB and a third of a second; a project uses two or three of them.
 */
import type { Connector } from '@plugwork/core/node'

/** What lists, messages and the checker's search for a name need. */
export type ConnectorLabel = Pick<Connector, 'name' | 'title' | 'description' | 'version' | 'prefixes'>

type Rest = Exclude<keyof Connector, keyof ConnectorLabel>

/** Every other member of a connector; the type says when one is missing here. */
const REST: { readonly [member in Rest]-?: true } = {
  acquire: true,
  actions: true,
  auth: true,
  config: true,
  connect: true,
  disconnect: true,
  example: true,
  healthy: true,
  limits: true,
  notes: true,
  packages: true,
  release: true,
  scaffold: true,
  sqlDialect: true,
  test: true,
  triggers: true,
  webhooks: true,
}

/** The connector behind `label`. `load` is called once, at the first use of what the label does not have. */
export function lazyConnector(label: ConnectorLabel, load: () => Connector): Connector {
  const lazy = { ...label }
  let loaded: Connector | null = null
  for (const member of Object.keys(REST) as Rest[]) {
    Object.defineProperty(lazy, member, { enumerable: true, get: () => (loaded ??= load())[member] })
  }
  // The members defined above make it one.
  return lazy as Connector
}
