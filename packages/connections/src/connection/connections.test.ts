import { inspect } from 'node:util'
import { VirtualClock } from '@plugwork/core/testing'
import { beforeEach, describe, expect, test } from 'vitest'
import type { OAuthTokens } from '../oauth/token-set.ts'
import { openService, tokenSet } from '../refresh/testing/service.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import type { Actor, Authorize } from './access.ts'
import type { Connections } from './connections.ts'
import type { ConnectionEvent } from './events.ts'

const ADA: Actor = { tenant: 't1', user: 'ada' }
const BOB: Actor = { tenant: 't1', user: 'bob' }
const TENANT: Actor = { tenant: 't1', user: null }
const STRANGER: Actor = { tenant: 't2', user: 'ada' }
const SIGNAL = new AbortController().signal

let clock: VirtualClock
let store: ConnectionStore
let revoked: string[]
let revoking: () => Promise<void>
let events: ConnectionEvent[]
let connections: Connections

const tokens: OAuthTokens = {
  refresh: async () => tokenSet(),
  obtain: async ({ fields, settings }) => tokenSet({ accessToken: JSON.stringify({ fields, settings }) }),
  revoke: async ({ kind, token, client }) => {
    await revoking()
    revoked.push(`${kind} ${token} ${client.clientId}`)
  },
}

async function service(authorize?: Authorize): Promise<Connections> {
  const made = await openService({ store, tokens, clock, ...(authorize === undefined ? {} : { authorize }) })
  made.subscribe((event) => events.push(event))
  return made
}

beforeEach(async () => {
  clock = new VirtualClock()
  store = createMemoryConnectionStore()
  revoked = []
  revoking = async () => undefined
  events = []
  connections = await service()
})

const withKey = async (actor: Actor, rest: object = {}): Promise<string> => {
  const made = await connections.create({
    actor,
    connector: 'acme',
    method: 'key',
    credential: { token: 'key-secret-1' },
    ...rest,
  })
  return made.id
}

const signedIn = async (actor: Actor, name = 'default'): Promise<string> =>
  (await connections.create({ actor, connector: 'acme', name, tokens: tokenSet({ metadata: { team: 'T1' } }) })).id

const types = (): string[] =>
  events.map((event) => (event.type === 'status' ? `${event.from} -> ${event.to}` : event.type))

test('a connection shows everything but its secrets, and opens with them', async () => {
  const made = await connections.create({
    actor: ADA,
    connector: 'acme',
    method: 'key',
    settings: { region: 'us' },
    credential: { token: 'key-secret-1', login: { user: 'ada', password: 'pass-secret-2' } },
    metadata: { note: 'mine' },
  })
  expect(made).toMatchObject({
    tenant: 't1',
    owner: 'ada',
    connector: 'acme',
    name: 'default',
    method: 'key',
    settings: { region: 'us' },
    secrets: ['token', 'login'],
    metadata: { note: 'mine' },
    status: 'active',
    reason: null,
  })
  const open = await connections.open(ADA, made.id)
  expect(open.credentials).toBeUndefined()
  expect(open.config).toEqual({
    region: 'us',
    token: 'key-secret-1',
    login: { user: 'ada', password: 'pass-secret-2' },
  })
  const rows = await store.list('connections', { limit: 10 })
  expect(inspect([made, rows, events, connections], { depth: 20 })).not.toMatch(/secret-\d/)
  expect(JSON.stringify([made, rows, events])).not.toMatch(/secret-\d/)
})

test('a secret given among the settings is encrypted all the same', async () => {
  const made = await connections.create({
    actor: ADA,
    connector: 'acme',
    method: 'key',
    settings: { region: 'us', token: 'key-secret-1' },
  })
  expect(made.settings).toEqual({ region: 'us' })
  expect(made.secrets).toEqual(['token'])
})

test.each([
  [{ method: 'key' }, 'token: is needed for API key'],
  [{ method: 'key', credential: { token: 'x' } }, 'token: '],
  [{ method: 'key', credential: { token: 'long enough' }, settings: { regoin: 'eu' } }, 'regoin'],
  [{ method: 'nonsense' }, 'method: must be one of oauth, machine, shop, key'],
  [{ connector: 'other' }, 'There is no connector "other" here'],
  [{ method: 'key', credential: { token: 'long enough' }, tokens: tokenSet() }, 'This auth method has no tokens'],
  [{ method: 'shop', settings: { shop: 'evil.example/x.shop.example' } }, 'must match'],
])('%o is refused with the field and the rule', async (input, message) => {
  const made = connections.create({ actor: ADA, connector: 'acme', ...input })
  await expect(made).rejects.toThrow(message)
  expect(await store.list('connections', { limit: 10 })).toEqual([])
})

test('connection parameters are settings, and no config', async () => {
  const settings = { shop: 'tea.shop.example', region: 'us' }
  const { id } = await connections.create({
    actor: ADA,
    connector: 'acme',
    method: 'shop',
    settings,
    tokens: tokenSet(),
  })
  expect((await connections.get(ADA, id)).settings).toEqual(settings)
  expect((await connections.open(ADA, id)).config).toEqual({ region: 'us' })
})

test('an owner has several connections to a connector, told apart by name', async () => {
  const [first, second] = [await withKey(ADA), await withKey(ADA, { name: 'work' })]
  await expect(withKey(ADA)).rejects.toMatchObject({ code: 'connection_exists' })
  await withKey(BOB)
  await withKey(STRANGER)
  await withKey(TENANT)
  expect(await connections.find({ actor: ADA, connector: 'acme' })).toMatchObject({ id: first })
  expect(await connections.find({ actor: ADA, connector: 'acme', name: 'work' })).toMatchObject({ id: second })
  expect(await connections.find({ actor: ADA, connector: 'acme', name: 'none' })).toBeNull()
  await expect(connections.update(ADA, second, { name: 'default' })).rejects.toMatchObject({
    code: 'connection_exists',
  })
  expect(await connections.update(ADA, second, { name: 'home' })).toMatchObject({ name: 'home' })
  // A user whose id looks like something else is somebody else.
  const odd = await connections.create({ actor: { tenant: 't1', user: '' }, connector: 'acme', tokens: tokenSet() })
  expect(odd.owner).toBe('')
})

describe('access', () => {
  test('what belongs to others does not exist', async () => {
    const id = await withKey(ADA)
    for (const actor of [BOB, STRANGER, { tenant: 't2', user: null }]) {
      const denied = { code: 'connection_not_found' }
      await expect(connections.get(actor, id)).rejects.toMatchObject(denied)
      await expect(connections.open(actor, id)).rejects.toMatchObject(denied)
      await expect(connections.update(actor, id, {})).rejects.toMatchObject(denied)
      await expect(connections.reconnect(actor, id, {})).rejects.toMatchObject(denied)
      await expect(connections.remove(actor, id)).rejects.toMatchObject(denied)
      await expect(connections.disconnect(actor, id)).rejects.toMatchObject(denied)
      await expect(connections.check(actor, id)).rejects.toMatchObject(denied)
      expect(await connections.list({ actor })).toEqual([])
      expect(await connections.find({ actor, owner: 'ada', connector: 'acme' })).toBeNull()
    }
    await expect(connections.create({ actor: BOB, owner: 'ada', connector: 'acme' })).rejects.toMatchObject({
      code: 'connection_forbidden',
    })
  })

  test('the tenant sees and removes those of its users, and uses its own', async () => {
    const [hers, ours] = [await withKey(ADA), await withKey(TENANT)]
    expect(await connections.get(TENANT, hers)).toMatchObject({ id: hers })
    await expect(connections.open(TENANT, hers, 'acme.send')).rejects.toMatchObject({
      code: 'connection_forbidden',
      message: expect.stringContaining('The tenant may not use it for acme.send'),
    })
    await expect(connections.update(TENANT, hers, {})).rejects.toMatchObject({ code: 'connection_forbidden' })
    expect((await connections.open(TENANT, ours)).config).toMatchObject({ token: 'key-secret-1' })
    await expect(connections.open(ADA, ours)).rejects.toMatchObject({ code: 'connection_not_found' })
    await connections.remove(TENANT, hers)
    await expect(connections.get(ADA, hers)).rejects.toMatchObject({ code: 'connection_not_found' })
  })

  test('the callback allows more or less inside a tenant, by action, and nothing across tenants', async () => {
    const id = await withKey(ADA)
    connections = await service(({ actor, operation, action }) => {
      if (actor.user === 'ada') return operation === 'use' ? action === 'acme.read' : undefined
      return true
    })
    expect(await connections.get(ADA, id)).toMatchObject({ id })
    await connections.open(ADA, id, 'acme.read')
    await expect(connections.open(ADA, id, 'acme.write')).rejects.toMatchObject({ code: 'connection_forbidden' })
    await connections.open(BOB, id, 'acme.write')
    await expect(connections.open(STRANGER, id, 'acme.read')).rejects.toMatchObject({ code: 'connection_not_found' })
    await expect(connections.get({ tenant: 't2', user: 'root' }, id)).rejects.toMatchObject({
      code: 'connection_not_found',
    })
    connections = await service((() => 'yes') as unknown as Authorize)
    await expect(connections.get(ADA, id)).rejects.toMatchObject({ code: 'connection_not_found' })
  })

  test('a list leaves out what may not be seen, and its pages are full', async () => {
    for (let n = 0; n < 7; n += 1) await withKey(n % 2 ? ADA : BOB, { name: `n${n}` })
    const mine = await connections.list({ actor: ADA, limit: 2 })
    expect(mine).toHaveLength(2)
    const rest = await connections.list({ actor: ADA, limit: 2, after: mine[1]!.id })
    expect([...mine, ...rest].map(({ name }) => name).toSorted()).toEqual(['n1', 'n3', 'n5'])
    expect(await connections.list({ actor: TENANT })).toHaveLength(7)
    expect(await connections.list({ actor: TENANT, owner: 'bob', connector: 'acme' })).toHaveLength(4)
  })
})

test('changing settings keeps the secrets that are not given', async () => {
  const id = await withKey(ADA, { settings: { region: 'us' } })
  await connections.update(ADA, id, { settings: { region: 'eu' } })
  expect((await connections.open(ADA, id)).config).toEqual({ region: 'eu', token: 'key-secret-1' })
  await connections.update(ADA, id, { credential: { token: 'key-secret-2' }, metadata: { a: 1 } })
  expect((await connections.open(ADA, id)).config).toEqual({ region: 'eu', token: 'key-secret-2' })
  await expect(connections.update(ADA, id, { settings: { region: 7 } })).rejects.toMatchObject({
    code: 'connection_invalid',
  })
  expect(types()).toEqual(['created', 'updated', 'updated'])
})

test('a change of settings does not bring back secrets that were erased or replaced meanwhile', async () => {
  const id = await withKey(ADA)
  const { get } = store
  let once: (() => Promise<unknown>) | null = async () =>
    connections.reconnect(ADA, id, { credential: { token: 'newer-key' } })
  store.get = async (table, row) => {
    const found = await get.call(store, table, row)
    // Between reading and writing; reading data keys comes after reading the connection.
    if (table === 'data_keys' || once === null) return found
    const meanwhile = once
    once = null
    await meanwhile()
    return found
  }
  await connections.update(ADA, id, { settings: { region: 'us' } })
  expect((await connections.open(ADA, id)).config).toEqual({ region: 'us', token: 'newer-key' })
  await connections.disconnect(ADA, id)
  await expect(connections.update(ADA, id, { credential: { token: 'another' } })).rejects.toMatchObject({
    code: 'connection_revoked',
  })
  expect((await store.get('connections', id))?.data).toMatchObject({ credential: null })
})

test('disconnecting revokes both tokens, erases the secrets and keeps the row; reconnecting brings it back in place', async () => {
  const id = await signedIn(ADA)
  const { credentials } = await connections.open(ADA, id)
  const current = async (): Promise<string> => (await credentials!.current(SIGNAL)).token
  expect(await current()).toBe('access-0')
  expect(await connections.disconnect(ADA, id)).toMatchObject({ status: 'revoked', reason: { code: 'disconnected' } })
  expect(revoked).toEqual(['refresh_token refresh-0 plugwork', 'access_token access-0 plugwork'])
  await expect(current()).rejects.toMatchObject({ code: 'connection_revoked' })
  await expect(connections.open(ADA, id)).rejects.toMatchObject({ code: 'connection_revoked' })
  expect((await store.get('connections', id))?.data).toMatchObject({ tokens: null, credential: null })
  const again = await connections.reconnect(ADA, id, { tokens: tokenSet({ accessToken: 'access-9' }) })
  expect(again).toMatchObject({ id, status: 'active', reason: null })
  expect(await current()).toBe('access-9')
  expect(types()).toEqual(['created', 'updated', 'active -> revoked', 'reconnected', 'revoked -> active'])
})

test('a provider that does not revoke does not keep a connection alive here', async () => {
  const id = await signedIn(ADA)
  revoking = async () => Promise.reject(new Error('503'))
  await connections.remove(ADA, id)
  await expect(connections.get(ADA, id)).rejects.toMatchObject({ code: 'connection_not_found' })
  expect(types()).toEqual(['created', 'removed'])
})

test('the tokens of another sign-in take nothing over from the one before', async () => {
  const id = await signedIn(ADA)
  const renewed = await connections.reconnect(ADA, id, { tokens: tokenSet({ refreshToken: undefined }) })
  expect(renewed.metadata).toEqual({ team: 'T1' })
  await connections.remove(ADA, id)
  expect(revoked).toEqual(['access_token access-0 plugwork'])
})

test('nobody has signed in yet: the connection says so when it is used', async () => {
  const { id } = await connections.create({ actor: ADA, connector: 'acme' })
  const { credentials } = await connections.open(ADA, id)
  await expect(credentials!.current(SIGNAL)).rejects.toMatchObject({
    code: 'connection_needs_reauth',
    message: expect.stringContaining('nobody has signed in yet'),
  })
})

test('an assertion gets the fields of the connection', async () => {
  const { id } = await connections.create({
    actor: ADA,
    connector: 'acme',
    method: 'machine',
    settings: { region: 'us' },
    credential: { token: 'pem-text' },
  })
  const { credentials, config } = await connections.open(ADA, id)
  expect(config).toEqual({ region: 'us' })
  expect(JSON.parse((await credentials!.current(SIGNAL)).token)).toEqual({
    fields: { region: 'us', token: 'pem-text' },
    settings: { region: 'us' },
  })
})

test('a check asks the service, and the state says what it said', async () => {
  const [good, bad] = [await withKey(ADA), await withKey(ADA, { name: 'bad', credential: { token: 'bad-key' } })]
  expect(await connections.check(ADA, good)).toEqual({ message: 'hello key-se' })
  expect((await connections.get(ADA, good)).checkedAt).toBe(clock.now())
  await expect(connections.check(ADA, bad)).rejects.toMatchObject({
    code: 'connection_check_failed',
    message: expect.stringContaining('acme says: 401 unauthorized'),
  })
  expect(await connections.get(ADA, bad)).toMatchObject({ status: 'error', reason: { code: 'check_failed' } })
  await connections.update(ADA, bad, { credential: { token: 'better-key' } })
  await connections.check(ADA, bad)
  expect(await connections.get(ADA, bad)).toMatchObject({ status: 'active', reason: null })
  expect(types().filter((type) => type.includes('->'))).toEqual(['active -> error', 'error -> active'])
})

test('a listener that throws harms nobody, and one that left hears nothing', async () => {
  const heard: string[] = []
  connections.subscribe(() => {
    throw new Error('mine')
  })
  const leave = connections.subscribe(({ type }) => heard.push(type))
  await withKey(ADA)
  leave()
  await withKey(BOB)
  expect(heard).toEqual(['created'])
})

test('shredding a tenant removes all of it, and makes copies of its rows unreadable', async () => {
  const [id, other] = [await withKey(ADA), await withKey(STRANGER)]
  const copy = (await store.get('connections', id))!
  expect(await connections.shred('t1')).toEqual({ connections: 1, dataKeys: 1 })
  const { version: _, ...row } = copy
  await store.insert('connections', row)
  await expect((await service()).open(ADA, id)).rejects.toMatchObject({ code: 'credential_shredded' })
  expect((await connections.open(STRANGER, other)).config).toMatchObject({ token: 'key-secret-1' })
})

test('a credential that was moved to another row does not open there', async () => {
  const [mine, theirs] = [await withKey(ADA, { credential: { token: 'mine-key' } }), await withKey(BOB)]
  const [from, to] = [(await store.get('connections', mine))!, (await store.get('connections', theirs))!]
  const { version, ...row } = to
  await store.replace('connections', { ...row, data: { ...row.data, credential: from.data['credential']! } }, version)
  await expect(connections.open(BOB, theirs)).rejects.toMatchObject({ code: 'credential_unreadable' })
})
