import { memcached as connector } from '@plugwork/connectors/memcached'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** memcached for `createPlugwork`; the connector itself is `memcached.connector`. */
export const memcached: ConnectorFactory<typeof connector> = connectorFactory(connector)
