import { mysql as connector } from '@plugwork/connectors/mysql'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** MySQL and MariaDB for `createPlugwork`; the connector itself is `mysql.connector`. */
export const mysql: ConnectorFactory<typeof connector> = connectorFactory(connector)
