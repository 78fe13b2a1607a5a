import { mongodb as connector } from '@plugwork/connectors/mongodb'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** MongoDB for `createPlugwork`; the connector itself is `mongodb.connector`. */
export const mongodb: ConnectorFactory<typeof connector> = connectorFactory(connector)
