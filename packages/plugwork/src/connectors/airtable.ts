import { airtable as connector } from '@plugwork/connectors/airtable'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** Airtable for `createPlugwork`; the connector itself is `airtable.connector`. */
export const airtable: ConnectorFactory<typeof connector> = connectorFactory(connector)
