import { tmpdir } from 'node:os'
import { createEgress } from '@plugwork/core/node'
import type { ConnectorEnvironment, ContractCall } from '@plugwork/core/testing'
import type { VendorServer } from './vendor-server.ts'

/** What the contract suite of connectors needs, around a local server. */
export async function environmentOf(
  server: VendorServer,
  config: Readonly<Record<string, unknown>>,
  calls: readonly ContractCall[],
): Promise<ConnectorEnvironment> {
  const egress = createEgress({ allow: ['127.0.0.1'] })
  // The pool's first connection is there before open resources are counted.
  await egress.request({ method: 'GET', url: server.origin })
  return {
    config,
    egress,
    directory: tmpdir(),
    calls,
    async close() {
      await egress.close()
      await server.close()
    },
  }
}
