import { sftp as connector } from '@plugwork/connectors/sftp'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** SFTP for `createPlugwork`; the connector itself is `sftp.connector`. */
export const sftp: ConnectorFactory<typeof connector> = connectorFactory(connector)
