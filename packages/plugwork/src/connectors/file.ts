import { file as connector } from '@plugwork/connectors/file'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** Files for `createPlugwork`; the connector itself is `file.connector`. */
export const file: ConnectorFactory<typeof connector> = connectorFactory(connector)
