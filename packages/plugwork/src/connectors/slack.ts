import { slack as connector } from '@plugwork/connectors/slack'
import { connectorFactory, type ConnectorFactory } from '@plugwork/sdk'

/** Slack for `createPlugwork`; the connector itself is `slack.connector`. */
export const slack: ConnectorFactory<typeof connector> = connectorFactory(connector)
