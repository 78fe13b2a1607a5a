import { telegram as connector } from '@plugwork/connectors/telegram'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** Telegram for `createPlugwork`; the connector itself is `telegram.connector`. */
export const telegram: ConnectorFactory<typeof connector> = connectorFactory(connector)
