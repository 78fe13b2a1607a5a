import { sqlite as connector } from '@plugwork/connectors/sqlite'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** SQLite for `createPlugwork`; the connector itself is `sqlite.connector`. */
export const sqlite: ConnectorFactory<typeof connector> = connectorFactory(connector)
