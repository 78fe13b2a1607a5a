/** Takes in one event, says so when it is answered, and hangs in its handler until it is killed. */
import { createHmac } from 'node:crypto'
import { createEgress, KeyRing, type Connector } from '@plugwork/core/node'
import { ringKeyProvider } from '../../keys/key-provider.ts'
import { openSqliteConnectionStore } from '../../store/sqlite-connection-store.ts'
import { Vault } from '../../vault/vault.ts'
import { ServiceWebhooks } from '../service-webhooks.ts'
import { serviceOf } from './services.ts'

const store = await openSqliteConnectionStore({ file: process.argv[2]! })
const keys = ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }]))
const webhooks = new ServiceWebhooks({
  store,
  vault: await Vault.open({ store, keys }),
  connectors: [serviceOf('acme', 'github')] as readonly Connector[],
  egress: createEgress({}),
  application: () => ({ secrets: ['k'] }),
  timing: { leaseMs: 300 },
})
const begun = Promise.withResolvers<void>()
webhooks.on('acme', '*', () => {
  begun.resolve()
  return new Promise(() => setInterval(() => undefined, 1_000))
})
const body = '{"type":"x"}'
const signature = `sha256=${createHmac('sha256', 'k').update(body).digest('hex')}`
const headers = { 'x-hub-signature-256': signature, 'x-github-delivery': 'd1' }
const request = { method: 'POST', url: '/', headers, body: Buffer.from(body) }
const { status } = await webhooks.receive({ connector: 'acme', request, publicUrl: 'https://app.example/hooks/acme' })
await begun.promise
process.stdout.write(`${status}\n`)
