import { s3 as connector } from '@plugwork/connectors/s3'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** S3 for `createPlugwork`; the connector itself is `s3.connector`. */
export const s3: ConnectorFactory<typeof connector> = connectorFactory(connector)
