/** Asks a service whether a connection works: opens it as a flow would, calls the connector's own check, closes it. */
import type { Egress } from '@plugwork/core/node'
import { connectionError } from './errors.ts'
import type { OpenConnection } from './connection-requests.ts'

export interface VerifyOptions {
  readonly egress: Egress
  readonly directory: string
  readonly signal: AbortSignal
}

export async function verifyConnection(
  { connection, connector, config, credentials }: OpenConnection,
  { egress, directory, signal }: VerifyOptions,
): Promise<{ readonly message: string }> {
  const parsed = connector.config.safeParse(config)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`)
    throw connectionError(
      'connection_invalid',
      `The stored settings do not fit connector ${connector.name}. ${problems.join('; ')}.`,
    )
  }
  const context = {
    name: connection.name,
    tenant: connection.tenant,
    egress,
    directory,
    signal,
    log: () => undefined,
    ...(credentials === undefined ? {} : { credentials }),
  }
  // A token that cannot be had is the connection's own state, whatever the connector would say to it.
  await credentials?.current(signal)
  const client = await connector.connect(parsed.data, context)
  try {
    const handle = connector.acquire === undefined ? client : await connector.acquire(client, signal)
    try {
      if (connector.test === undefined) return { message: `${connector.title} opens.` }
      return await connector.test(handle, context)
    } finally {
      if (connector.acquire !== undefined) await connector.release?.(client, handle)
    }
  } finally {
    await connector.disconnect?.(client)
  }
}
