import { randomBytes } from 'node:crypto'
import { KeyRing } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { expect, test } from 'vitest'
import type { AuthState } from '../oauth/state-store.ts'
import { createMemoryConnectionStore } from './memory-connection-store.ts'
import { createStoredAuthStates } from './stored-auth-states.ts'

const clock = new VirtualClock()
const store = createMemoryConnectionStore()
const K1 = { id: 'k1', key: randomBytes(32) }
const K2 = { id: 'k2', key: randomBytes(32) }
const state = (hash: string): AuthState => ({
  hash,
  provider: 'github',
  registration: 'r',
  session: 's',
  redirectUri: 'https://app.example/callback',
  codeVerifier: 'the-verifier',
  settings: { shop: 'tea' },
  scopes: ['repo'],
  returnTo: null,
  context: { connection: 'c1' },
  expiresAt: clock.now() + 600_000,
})

test('a state is taken once, in whatever process, also after a rotation; nothing of it can be read in the row', async () => {
  const begun = createStoredAuthStates({ store, clock, keys: new KeyRing([K1]) })
  const finished = createStoredAuthStates({ store, clock, keys: new KeyRing([K2, K1]) })
  await begun.put(state('h1'))
  expect(JSON.stringify(await store.get('auth_states', 'h1'))).not.toMatch(/verifier|tea/)
  const taken = await Promise.all([finished.take('h1'), begun.take('h1'), finished.take('h1')])
  expect(taken.filter((one) => one !== null)).toEqual([state('h1')])
  expect(await begun.take('unknown')).toBeNull()
})

test('a row that was put there under another hash or key is no state', async () => {
  const states = createStoredAuthStates({ store, clock, keys: new KeyRing([K1]) })
  await states.put(state('h2'))
  const { version: _, ...row } = (await store.get('auth_states', 'h2'))!
  await store.insert('auth_states', { ...row, id: 'h3' })
  expect(await states.take('h3')).toBeNull()
  expect(await createStoredAuthStates({ store, clock, keys: new KeyRing([K2]) }).take('h2')).toBeNull()
})

test('expired states are deleted by those that follow', async () => {
  const states = createStoredAuthStates({ store, clock, keys: new KeyRing([K1]) })
  await states.put(state('old'))
  await clock.advance(600_001)
  await states.put(state('new'))
  expect((await store.list('auth_states', { limit: 10 })).map(({ id }) => id)).toEqual(['new'])
})
