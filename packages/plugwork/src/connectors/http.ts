import { http as connector } from '@plugwork/connectors/http'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** HTTP for `createPlugwork`; the connector itself is `http.connector`. */
export const http: ConnectorFactory<typeof connector> = connectorFactory(connector)
