import { VirtualClock } from '@plugwork/core/testing'
import { beforeEach, expect, test } from 'vitest'
import { openService, tokenSet } from '../refresh/testing/service.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import type { Actor } from './access.ts'
import type { Connections } from './connections.ts'
import { storedConnections } from './stored-connections.ts'

const ADA: Actor = { tenant: 't1', user: 'ada' }
const TENANT: Actor = { tenant: 't1', user: null }
const SIGNAL = new AbortController().signal

let clock: VirtualClock
let connections: Connections
const seen: (string | undefined)[] = []

beforeEach(async () => {
  clock = new VirtualClock()
  seen.length = 0
  connections = await openService({
    store: createMemoryConnectionStore(),
    clock,
    tokens: { refresh: async () => tokenSet(), obtain: async () => tokenSet(), revoke: async () => undefined },
    authorize: ({ operation, action }) => {
      if (operation === 'use') seen.push(action)
      return undefined
    },
  })
})

const ask = (user: string | null, name = 'work') =>
  storedConnections({ connections, directory: '/project' }).open({
    tenant: 't1',
    user,
    connector: 'acme',
    name,
    flow: 'F',
    action: 'acme.get',
  })

const withKey = (actor: Actor, token: string) =>
  connections.create({ actor, connector: 'acme', name: 'work', method: 'key', credential: { token } })

test("the user's own connection comes before the tenant's; another user has the tenant's", async () => {
  const shared = await withKey(TENANT, 'tenant-secret')
  expect(await ask('ada')).toMatchObject({ id: shared.id })
  const own = await withKey(ADA, 'adas-secret')
  expect(await ask('ada')).toMatchObject({ id: own.id, config: { token: 'adas-secret' }, secrets: ['adas-secret'] })
  expect(await ask('bob')).toMatchObject({ id: shared.id, secrets: ['tenant-secret'], directory: '/project' })
  expect(await ask(null)).toMatchObject({ id: shared.id })
  expect(seen).toEqual(['acme.get', 'acme.get', 'acme.get', 'acme.get'])
})

test("a user's connection is not the tenant's", async () => {
  await withKey(ADA, 'adas-secret')
  const error = ask(null)
  await expect(error).rejects.toMatchObject({ code: 'connection_not_found' })
  await expect(error).rejects.toThrow('plugwork connection add acme --name work')
})

test('a change makes another version, the renewal of a token does not', async () => {
  const made = await connections.create({
    actor: TENANT,
    connector: 'acme',
    name: 'work',
    tokens: tokenSet({ expiresAt: clock.now() + 60_000 }),
  })
  const before = await ask(null)
  await clock.advance(59_000)
  expect((await before.credentials!.current(SIGNAL)).token).not.toBe('')
  expect((await connections.get(TENANT, made.id)).refreshedAt).not.toBeNull()
  expect((await ask(null)).version).toBe(before.version)
  await connections.reconnect(TENANT, made.id, { tokens: tokenSet() })
  expect((await ask(null)).version).not.toBe(before.version)
  await connections.disconnect(TENANT, made.id)
  await expect(ask(null)).rejects.toMatchObject({ code: 'connection_revoked' })
})
