import { ssh as connector } from '@plugwork/connectors/ssh'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** SSH for `createPlugwork`; the connector itself is `ssh.connector`. */
export const ssh: ConnectorFactory<typeof connector> = connectorFactory(connector)
