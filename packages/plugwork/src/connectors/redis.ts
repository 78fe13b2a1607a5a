import { redis as connector } from '@plugwork/connectors/redis'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** Redis for `createPlugwork`; the connector itself is `redis.connector`. */
export const redis: ConnectorFactory<typeof connector> = connectorFactory(connector)
