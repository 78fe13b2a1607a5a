/**
 * A 10 KB webhook of GitHub, from the bytes to the handler: verified, read, matched, checked, stored, handed out. Beside it
 * what nobody can leave out, written by hand: the HMAC of the body, and `JSON.parse`.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMemoryConnectionStore,
  openSqliteConnectionStore,
  ringKeyProvider,
  ServiceWebhooks,
  Vault,
  type ConnectionStore,
} from '@plugwork/connections'
import { builtinConnectors } from '@plugwork/connectors'
import { createEgress, KeyRing } from '@plugwork/core/node'
import { median, type Row } from './harness.ts'

const ROUNDS = 5
const WARM_UP = 2_000
const PER_ROUND = 4_000
const IN_FLIGHT = 50
const TARGET = 5_000
const SECRET = 'a secret of the benchmark'

interface Delivery {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

function delivery(number: number): Delivery {
  const github = builtinConnectors.find(({ name }) => name === 'github')!
  const sample = { ...(github.triggers!['issues.opened']!.sample as object), number }
  const bare = JSON.stringify(sample)
  const body = Buffer.from(JSON.stringify({ ...sample, padding: 'x'.repeat(Math.max(0, 10_240 - bare.length - 15)) }))
  const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'issues',
    'x-github-delivery': `d-${number}`,
    'x-hub-signature-256': signature,
  }
  return { body, headers }
}

function byHand({ body, headers }: Delivery): unknown {
  const given = Buffer.from(headers['x-hub-signature-256']!.slice(7), 'hex')
  const expected = createHmac('sha256', SECRET).update(body).digest()
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Error('not signed')
  return JSON.parse(body.toString('utf8'))
}

/** Deliveries per second, so many at a time. */
async function perSecond(count: number, call: (number: number) => Promise<void>): Promise<number> {
  const began = performance.now()
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) await call(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one))
  return (count / (performance.now() - began)) * 1_000
}

async function measure(store: ConnectionStore, deliveries: readonly Delivery[]): Promise<number> {
  const keys = ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }]))
  const webhooks = new ServiceWebhooks({
    store,
    vault: await Vault.open({ store, keys }),
    connectors: builtinConnectors,
    egress: createEgress(),
  })
  const actor = { tenant: 'default', user: null }
  const { endpoint } = await webhooks.endpoints.create({ actor, connector: 'github', secret: SECRET })
  let handled = 0
  webhooks.on('github', 'issues.opened', () => void (handled += 1))
  const publicUrl = `https://app.example/hooks/github/${endpoint.id}`
  const receive = async (number: number): Promise<void> => {
    const { body, headers } = deliveries[number]!
    const request = { method: 'POST', url: `/hooks/github/${endpoint.id}`, headers, body }
    const { status } = await webhooks.receive({ connector: 'github', endpointId: endpoint.id, request, publicUrl })
    if (status !== 200) throw new Error(`answered ${status}`)
  }
  const began = performance.now()
  await perSecond(deliveries.length, receive)
  for (;;) {
    await webhooks.idle()
    if (handled === deliveries.length) break
    await webhooks.look()
  }
  const rate = (deliveries.length / (performance.now() - began)) * 1_000
  await webhooks.close()
  return rate
}

export async function benchWebhooks(): Promise<Row[]> {
  const deliveries = Array.from({ length: PER_ROUND }, (_, number) => delivery(number))
  const few = deliveries.slice(0, WARM_UP)
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-bench-'))
  const stores: readonly (readonly [string, () => Promise<ConnectionStore>])[] = [
    ['memory', async () => createMemoryConnectionStore()],
    ['SQLite', async () => openSqliteConnectionStore({ file: join(directory, `${crypto.randomUUID()}.db`) })],
  ]
  const rows: Row[] = []
  try {
    for (const [name, open] of stores) {
      const [ours, hand]: [number[], number[]] = [[], []]
      for (let round = 0; round <= ROUNDS; round += 1) {
        const store = await open()
        const rate = await measure(store, round === 0 ? few : deliveries)
        await store.close()
        const baseline = await perSecond(deliveries.length, async (number) => void byHand(deliveries[number]!))
        if (round === 0) continue
        ours.push(rate)
        hand.push(baseline)
      }
      const [rate, baseline] = [median(ours), median(hand)]
      rows.push({
        name: `webhook of 10 KB, stored in ${name}`,
        value: `${Math.round(rate).toLocaleString('en')}/s`,
        baseline: `${Math.round(baseline).toLocaleString('en')}/s by hand, storing nothing`,
        ratio: rate / baseline,
        target: name === 'memory' ? `${TARGET.toLocaleString('en')}/s` : '',
        ok: name !== 'memory' || rate >= TARGET,
      })
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  return rows
}
