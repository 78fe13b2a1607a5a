import { github as connector } from '@plugwork/connectors/github'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** GitHub for `createPlugwork`; the connector itself is `github.connector`. */
export const github: ConnectorFactory<typeof connector> = connectorFactory(connector)
