/** Stored connections over the real protocol: the errors and tokens of `createOAuth` mean here what they mean there. */
import { createEgress, KeyRing, type Egress } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Connections } from '../connection/connections.ts'
import { createOAuth } from '../oauth/create-oauth.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { createStoredAuthStates } from '../store/stored-auth-states.ts'
import { startProvider, type Provider } from './testing/provider.ts'
import { acme, ACTOR, AUTHS, openService, tokenSet } from './testing/service.ts'

const SIGNAL = new AbortController().signal

let provider: Provider
let egress: Egress
let connections: Connections
beforeEach(async () => {
  provider = await startProvider({ expiresIn: 3_600 })
  egress = createEgress({ allow: ['127.0.0.1'] })
  const store = createMemoryConnectionStore()
  const keys = new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }])
  const tokens = createOAuth({ egress, states: createStoredAuthStates({ store, keys }) })
  const here = { ...acme, auth: { oauth: { ...AUTHS.oauth, tokenUrl: provider.url } } }
  connections = await openService({ store, tokens, egress, connectors: [here] })
})
afterEach(async () => {
  await egress.close()
  await provider.close()
})

const connect = async (): Promise<string> => {
  const tokens = tokenSet({ refreshToken: provider.refreshToken, expiresAt: Date.now() - 1 })
  return (await connections.create({ actor: ACTOR, connector: 'acme', tokens })).id
}
const ask = async (id: string): Promise<string> => {
  const { credentials } = await connections.open(ACTOR, id)
  return (await credentials!.current(SIGNAL)).token
}

test('a refresh goes through the protocol, and its rotated token is used the next time', async () => {
  const id = await connect()
  expect(await ask(id)).toBe('access-1')
  expect((await connections.get(ACTOR, id)).expiresAt).toBeGreaterThan(Date.now() + 3_500_000)
  const { credentials } = await connections.open(ACTOR, id)
  await connections.reconnect(ACTOR, id, { tokens: tokenSet({ refreshToken: 'refresh-1', expiresAt: Date.now() - 1 }) })
  expect((await credentials!.current(SIGNAL)).token).toBe('access-2')
})

test('a refusal asks for a person; a server that is down does not', async () => {
  const id = await connect()
  provider.reset(['fail'])
  await expect(ask(id)).rejects.toMatchObject({ code: 'connection_refresh_failed', retryable: true })
  expect((await connections.get(ACTOR, id)).status).toBe('error')
  await connections.reconnect(ACTOR, id, { tokens: tokenSet({ refreshToken: 'stolen', expiresAt: Date.now() - 1 }) })
  await expect(ask(id)).rejects.toMatchObject({ code: 'connection_needs_reauth' })
  expect(await connections.get(ACTOR, id)).toMatchObject({ status: 'needs_reauth', reason: { code: 'invalid_grant' } })
})
