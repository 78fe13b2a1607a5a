import { Connections, createMemoryConnectionStore, ringKeyProvider, Vault, type TokenSet } from '@plugwork/connections'
import { createEgress, defineAction, defineConnector, KeyRing } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { keepConnections } from './connections.ts'
import { silentLog } from './log.ts'

const HOUR = 3_600_000

const notes = defineConnector({
  name: 'notes',
  title: 'Notes',
  description: 'For tests.',
  version: '1.0.0',
  prefixes: [],
  config: z.strictObject({}),
  auth: {
    oauth: {
      kind: 'oauth2',
      title: 'Notes',
      help: 'For tests.',
      grant: 'authorization_code',
      authorizationUrl: 'https://notes.example/authorize',
      tokenUrl: 'https://notes.example/token',
      keepAlive: '24h',
    },
  },
  connect: async () => null,
  actions: {
    hello: defineAction({
      description: 'Says hello.',
      input: z.strictObject({}),
      output: z.strictObject({}),
      effect: 'read',
      idempotency: 'natural',
      run: async () => ({}),
    }),
  },
  scaffold: () => '  notes: { type: notes }\n',
  example: () => ({ fileName: 'notes.flow.yaml', source: '' }),
})

const tokens = (accessToken: string): TokenSet => ({
  accessToken,
  refreshToken: 'refresh',
  expiresAt: null,
  tokenType: 'bearer',
  metadata: {},
})

test('tokens that nobody uses are renewed in time, what happens is told on the bus, and nothing goes on after the end', async () => {
  const clock = new VirtualClock()
  const store = createMemoryConnectionStore()
  const keys = new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }])
  const egress = createEgress({})
  onTestFinished(() => egress.close())
  let refreshes = 0
  const connections = new Connections({
    store,
    vault: await Vault.open({ store, keys: ringKeyProvider(keys) }),
    connectors: [],
    egress,
    clock,
    client: () => ({ clientId: 'c' }),
    tokens: {
      refresh: async () => {
        refreshes += 1
        return tokens(`access-${refreshes}`)
      },
      obtain: async () => tokens('none'),
      revoke: async () => undefined,
    },
  })
  const published: string[] = []
  const kept = keepConnections(
    // OAuth itself is not asked for anything here.
    { connections, oauth: undefined as never, client: () => null },
    {
      runtime: {
        publish: async (tenant, { name }) => {
          published.push(`${tenant} ${name}`)
          return { id: published.length }
        },
      },
      connectors: () => [notes],
      tenant: 'default',
      clock,
      log: silentLog,
      published: () => undefined,
    },
  )
  const actor = { tenant: 'default', user: null }
  kept.start()
  // The connector is one of the project's: it is known by the first use.
  const { id } = await kept.connections.create({ actor, connector: 'notes', tokens: tokens('access-0') })
  await connections.create({ actor: { tenant: 'other', user: null }, connector: 'notes', tokens: tokens('theirs') })
  for (let hour = 0; hour < 25; hour++) await clock.advance(HOUR)
  await expect.poll(() => refreshes).toBe(2)
  expect(published).toEqual(['default plugwork.connection.created'])
  await connections.disconnect(actor, id)
  await expect
    .poll(() => published)
    .toEqual([
      'default plugwork.connection.created',
      'default plugwork.connection.updated',
      'default plugwork.connection.revoked',
    ])
  await kept.close()
  for (let hour = 0; hour < 50; hour++) await clock.advance(HOUR)
  expect(refreshes).toBe(2)
})
