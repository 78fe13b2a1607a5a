import { postgres as connector } from '@plugwork/connectors/postgres'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** PostgreSQL for `createPlugwork`; the connector itself is `postgres.connector`. */
export const postgres: ConnectorFactory<typeof connector> = connectorFactory(connector)
