import { ServiceWebhooks } from '@plugwork/connections'
import type { Engine } from './engine.ts'
import type { Settings } from './options.ts'
import type { Providers } from './providers.ts'

/** The service that takes webhooks, on the store of connections. */
export function openWebhooks(engine: Engine, { log }: Settings, providers: Providers): ServiceWebhooks {
  return new ServiceWebhooks({
    store: engine.database.store,
    vault: engine.vault,
    connectors: providers.connectors,
    egress: engine.egress,
    application(connector) {
      const { webhookSecret } = providers.find(connector).options
      return webhookSecret === undefined ? null : { secrets: [webhookSecret].flat() }
    },
    log,
  })
}
