import { ftp as connector } from '@plugwork/connectors/ftp'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** FTP for `createPlugwork`; the connector itself is `ftp.connector`. */
export const ftp: ConnectorFactory<typeof connector> = connectorFactory(connector)
