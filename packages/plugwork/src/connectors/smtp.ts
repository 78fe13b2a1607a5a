import { smtp as connector } from '@plugwork/connectors/smtp'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** SMTP for `createPlugwork`; the connector itself is `smtp.connector`. */
export const smtp: ConnectorFactory<typeof connector> = connectorFactory(connector)
