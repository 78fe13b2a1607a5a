import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, KeyRing, systemClock, type Clock, type Connector } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ringKeyProvider } from '../keys/key-provider.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { openSqliteConnectionStore } from '../store/sqlite-connection-store.ts'
import { Vault } from '../vault/vault.ts'
import type { DeliveryTiming } from './deliveries.ts'
import { ServiceWebhooks } from './service-webhooks.ts'
import { serviceOf } from './testing/services.ts'

const HOURS = 60 * 60_000
let clock: VirtualClock
let store: ConnectionStore
let open: ServiceWebhooks[]

beforeEach(() => {
  clock = new VirtualClock()
  store = createMemoryConnectionStore()
  open = []
})
afterEach(async () => {
  for (const one of open) await one.close(0)
})

/** One process. */
async function service(timing: Partial<DeliveryTiming> = {}, on: Clock = clock, at = store): Promise<ServiceWebhooks> {
  const keys = ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }]))
  const made = new ServiceWebhooks({
    store: at,
    vault: await Vault.open({ store: at, keys }),
    connectors: [serviceOf('acme', 'github')] as readonly Connector[],
    egress: createEgress({}),
    application: () => ({ secrets: ['k'] }),
    clock: on,
    random: () => 0.5,
    timing,
  })
  open.push(made)
  return made
}

async function deliver(webhooks: ServiceWebhooks, delivery = 'd1'): Promise<number> {
  const body = '{"type":"x"}'
  const signature = `sha256=${createHmac('sha256', 'k').update(body).digest('hex')}`
  const headers = { 'x-hub-signature-256': signature, 'x-github-delivery': delivery }
  const request = { method: 'POST', url: '/', headers, body: Buffer.from(body) }
  return (await webhooks.receive({ connector: 'acme', request, publicUrl: 'https://app.example/' })).status
}

const states = async (): Promise<readonly (string | null)[]> =>
  (await store.list('events', { limit: 100 })).map(({ kind }) => kind)

test('a handler that fails is tried again after growing pauses, those that succeeded are not', async () => {
  const webhooks = await service()
  const failed: number[] = []
  let good = 0
  webhooks.on('acme', '*', (_, { attempt }) => {
    failed.push(attempt)
    if (failed.length < 3) throw new Error('not now')
  })
  webhooks.on('acme', '*', () => void (good += 1))
  expect(await deliver(webhooks)).toBe(200)
  await webhooks.idle()
  expect([failed, good, await states()]).toEqual([[1], 1, ['pending']])
  for (const [pause, attempts] of [
    [4_999, 1],
    [1, 2],
    [9_999, 2],
    [1, 3],
  ] as const) {
    await clock.advance(pause)
    await webhooks.look()
    await webhooks.idle()
    expect(failed).toHaveLength(attempts)
  }
  expect([failed, good, await states()]).toEqual([[1, 2, 3], 1, ['done']])
  expect(webhooks.metrics()['acme']).toMatchObject({ handled: 4, retried: 2, failed: 0 })
})

test('after the last attempt an event is given up, kept with its error, and can be handed out again', async () => {
  const webhooks = await service({ maxAttempts: 2 })
  let mended = false
  webhooks.on('acme', '*', () => {
    if (!mended) throw new Error('broken for good')
  })
  await deliver(webhooks)
  await webhooks.idle()
  await clock.advance(HOURS)
  await webhooks.look()
  await webhooks.idle()
  // An event of nobody is not a tenant's to see.
  expect(await webhooks.list({ actor: { tenant: 't1', user: null }, state: 'failed' })).toEqual([])
  const application = { tenant: '', user: null }
  const [event] = await webhooks.list({ actor: application, state: 'failed' })
  expect(event!.delivery).toMatchObject({ attempts: 2, error: 'acme:*#1: broken for good' })
  expect(webhooks.metrics()['acme']).toMatchObject({ failed: 1 })
  await expect(webhooks.redeliver({ tenant: 't2', user: null }, event!.event.id)).rejects.toMatchObject({
    code: 'webhook_event_not_found',
  })
  mended = true
  await webhooks.redeliver(application, event!.event.id)
  await webhooks.idle()
  expect(await states()).toEqual(['done'])
})

test('ended events are deleted after their time, not before', async () => {
  const webhooks = await service({ retentionMs: 48 * HOURS })
  await deliver(webhooks)
  await clock.advance(48 * HOURS - 1)
  await webhooks.look()
  expect(await states()).toEqual(['done'])
  await clock.advance(60_000)
  await webhooks.look()
  expect(await states()).toEqual([])
})

test('past the number that may run at once events wait in the store, and all are handled once', async () => {
  const webhooks = await service({ concurrency: 2 })
  let running = 0
  let most = 0
  let done = 0
  webhooks.on('acme', '*', async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 2))
    running -= 1
    done += 1
  })
  await Promise.all(Array.from({ length: 20 }, (_, n) => deliver(webhooks, `d${n}`)))
  await expect.poll(() => done).toBe(20)
  await webhooks.idle()
  expect(most).toBe(2)
  expect(new Set(await states())).toEqual(new Set(['done']))
})

test('an event whose handler is in another process waits for that one', async () => {
  const webhooks = await service()
  webhooks.on('acme', '*', () => expect.unreachable(), { id: 'mine' })
  const failing = await service()
  let runs = 0
  failing.on(
    'acme',
    '*',
    () => {
      if (++runs === 1) throw new Error('not now')
    },
    { id: 'theirs' },
  )
  await deliver(failing)
  await failing.idle()
  await clock.advance(HOURS)
  await webhooks.look()
  await webhooks.idle()
  expect(await states()).toEqual(['pending'])
  await failing.look()
  await failing.idle()
  expect([runs, await states()]).toEqual([2, ['done']])
})

test('of two processes that look at once, one takes the event up', async () => {
  const first = await service()
  first.on('acme', '*', () => {
    throw new Error('not now')
  })
  await deliver(first)
  await first.close()
  await clock.advance(HOURS)
  let runs = 0
  const others = await Promise.all([service(), service(), service()])
  for (const other of others) other.on('acme', '*', () => void (runs += 1))
  await Promise.all(others.map(async (other) => other.look()))
  await Promise.all(others.map(async (other) => other.idle()))
  expect(runs).toBe(1)
})

test('a handler that takes long keeps its event', async () => {
  const slow = await service({ leaseMs: 30 }, systemClock)
  const other = await service({ leaseMs: 30 }, systemClock)
  const end = Promise.withResolvers<void>()
  let runs = 0
  const handler = async () => {
    runs += 1
    await end.promise
  }
  slow.on('acme', '*', handler)
  other.on('acme', '*', handler)
  await deliver(slow)
  const [before] = await store.list('events', { limit: 1 })
  await expect
    .poll(async () => (await store.list('events', { limit: 1 }))[0]!.version)
    .toBeGreaterThan(before!.version + 5)
  await other.look()
  end.resolve()
  await slow.idle()
  expect([runs, await states()]).toEqual([1, ['done']])
})

test('an event that another process has taken over is left to it, and the handler is told', async () => {
  const slow = await service({ leaseMs: 30 }, systemClock)
  const told = Promise.withResolvers<string>()
  slow.on('acme', '*', async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    told.resolve(String(signal.reason))
  })
  await deliver(slow)
  const [stored] = await store.list('events', { limit: 1 })
  const { version, ...row } = stored!
  await store.replace('events', row, version)
  expect(await told.promise).toContain('another process')
  await slow.idle()
  expect(await states()).toEqual(['pending'])
})

test('a process that is killed in a handler leaves its event to the next one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-webhooks-'))
  const file = join(directory, 'connections.db')
  const script = join(import.meta.dirname, 'testing', 'receiving-process.ts')
  const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(said.toString()).toBe('200\n')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const shared = await openSqliteConnectionStore({ file })
    const next = await service({ pollMs: 20 }, systemClock, shared)
    const seen: unknown[] = []
    next.on('acme', '*', ({ name, payload }, { attempt }) => void seen.push([name, payload, attempt]))
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual([['x', { type: 'x' }, 1]])
    // The service delivers again what it had an answer for: known.
    await deliver(next)
    await next.close()
    expect(next.metrics()['acme']).toMatchObject({ accepted: 0, duplicates: 1, handled: 1 })
    await shared.close()
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  }
}, 30_000)
