import { PlugworkError } from '@plugwork/core'
import { VirtualClock } from '@plugwork/core/testing'
import { beforeEach, expect, test } from 'vitest'
import type { CredentialSource } from '@plugwork/core/node'
import type { Connections } from '../connection/connections.ts'
import type { ConnectionEvent } from '../connection/events.ts'
import type { OAuthTokens, TokenSet } from '../oauth/token-set.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { ACTOR, openService, tokenSet } from './testing/service.ts'

const SIGNAL = new AbortController().signal
const HOUR = 3_600_000

let clock: VirtualClock
let store: ConnectionStore
let requests: string[]
/** What the provider does next. */
let provider: (refreshToken: string) => Promise<TokenSet>
let events: string[]
let tokens: OAuthTokens

beforeEach(() => {
  clock = new VirtualClock()
  store = createMemoryConnectionStore()
  requests = []
  events = []
  provider = async () => fresh(1)
  tokens = {
    refresh: async ({ refreshToken }) => {
      requests.push(refreshToken)
      return provider(refreshToken)
    },
    obtain: async () => {
      requests.push('obtain')
      return provider('')
    },
    revoke: async ({ kind }) => void requests.push(`revoke ${kind}`),
  }
})

const fresh = (n: number, rest: Partial<TokenSet> = {}): TokenSet =>
  tokenSet({ accessToken: `access-${n}`, refreshToken: `refresh-${n}`, expiresAt: clock.now() + HOUR, ...rest })

async function service(rest: Partial<Parameters<typeof openService>[0]> = {}): Promise<Connections> {
  const made = await openService({ store, tokens, clock, random: () => 0.5, ...rest })
  made.subscribe((event) => events.push(describeEvent(event)))
  return made
}

function describeEvent(event: ConnectionEvent): string {
  return event.type === 'status' ? `${event.from} -> ${event.to} ${event.reason?.code ?? ''}`.trim() : event.type
}

async function connected(
  rest: Partial<TokenSet> = {},
): Promise<{ connections: Connections; id: string; source: CredentialSource }> {
  const connections = await service()
  const { id } = await connections.create({ actor: ACTOR, connector: 'acme', tokens: fresh(0, rest) })
  const { credentials } = await connections.open(ACTOR, id)
  events = []
  return { connections, id, source: credentials! }
}

/** What another process sees; its own service on the same store. */
async function elsewhere(id: string): Promise<CredentialSource> {
  return (await (await service()).open(ACTOR, id)).credentials!
}

const refusal = (error: string): Error => new PlugworkError('oauth_refused', `It said ${error}.`, { data: { error } })

/** Lets time pass until a promise is settled. */
async function during<T>(work: Promise<T>): Promise<T> {
  const state = { settled: false }
  const watched = work.finally(() => (state.settled = true))
  watched.catch(() => undefined)
  for (let turn = 0; !state.settled && turn < 5_000; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    if (!state.settled) await clock.step()
  }
  return watched
}

test('a token is used until a fifth of its life is left, at most 15 minutes, and then refreshed once', async () => {
  const { source } = await connected()
  expect(await source.current(SIGNAL)).toMatchObject({ method: 'oauth', token: 'access-0' })
  await clock.advance(HOUR * 0.8 - 1)
  expect((await source.current(SIGNAL)).token).toBe('access-0')
  await clock.advance(1)
  const got = await Promise.all(Array.from({ length: 50 }, async () => source.current(SIGNAL)))
  expect(new Set(got.map(({ token }) => token))).toEqual(new Set(['access-1']))
  expect(requests).toEqual(['refresh-0'])
  expect(events).toEqual(['active -> refreshing', 'refreshing -> active', 'refreshed'])
})

test('the margin of a token of a day is 15 minutes', async () => {
  const { source } = await connected({ expiresAt: clock.now() + 24 * HOUR })
  await clock.advance(24 * HOUR - 15 * 60_000 - 1)
  expect((await source.current(SIGNAL)).token).toBe('access-0')
  await clock.advance(1)
  expect((await source.current(SIGNAL)).token).toBe('access-1')
})

test('a refresh token that is not given anew stays; a rotated one is stored before anybody gets the token', async () => {
  const { id, source } = await connected()
  provider = async () => fresh(1, { refreshToken: undefined })
  await clock.advance(HOUR)
  await source.current(SIGNAL)
  provider = async () => fresh(2)
  await clock.advance(HOUR)
  await source.current(SIGNAL)
  await clock.advance(HOUR)
  await (await elsewhere(id)).current(SIGNAL)
  expect(requests).toEqual(['refresh-0', 'refresh-0', 'refresh-2'])
})

test.each(['invalid_grant', 'invalid_client', 'unauthorized_client'])(
  '%s asks for a person, with an event',
  async (code) => {
    const { connections, id, source } = await connected()
    provider = async () => Promise.reject(refusal(code))
    await clock.advance(HOUR)
    const refused = { code: 'connection_needs_reauth', retryable: false, data: { connection: id, reason: code } }
    await expect(source.current(SIGNAL)).rejects.toMatchObject(refused)
    await expect(source.current(SIGNAL)).rejects.toMatchObject(refused)
    expect(requests).toHaveLength(1)
    expect(events).toEqual(['active -> refreshing', `refreshing -> needs_reauth ${code}`])
    expect(await connections.get(ACTOR, id)).toMatchObject({
      status: 'needs_reauth',
      reason: { code, at: clock.now() },
    })
  },
)

test.each([
  ['5xx', async () => Promise.reject(new Error('the token endpoint answered 503'))],
  ['another refusal', async () => Promise.reject(refusal('temporarily_unavailable'))],
  ['an answer that never comes', async () => new Promise<never>(() => undefined)],
])('%s is no reason to ask for a person: the old token serves until it expires, with pauses', async (_, failure) => {
  const { connections, id, source } = await connected()
  provider = failure
  await clock.advance(HOUR * 0.9)
  expect((await during(source.current(SIGNAL))).token).toBe('access-0')
  expect((await during(source.current(SIGNAL))).token).toBe('access-0')
  expect(requests).toHaveLength(1)
  expect((await connections.get(ACTOR, id)).status).toBe('active')
  await clock.advance(30_000)
  expect((await during(source.current(SIGNAL))).token).toBe('access-0')
  expect(requests).toHaveLength(2)
  await clock.advance(HOUR)
  await expect(during(source.current(SIGNAL))).rejects.toMatchObject({
    code: 'connection_refresh_failed',
    retryable: true,
  })
  expect(await connections.get(ACTOR, id)).toMatchObject({ status: 'error', reason: { code: 'refresh_failed' } })
  await expect(during(source.current(SIGNAL))).rejects.toMatchObject({ code: 'connection_refresh_failed' })
  expect(requests).toHaveLength(3)
  provider = async () => fresh(1)
  await clock.advance(30_000)
  expect((await during(source.current(SIGNAL))).token).toBe('access-1')
  expect(await connections.get(ACTOR, id)).toMatchObject({ status: 'active', reason: null })
})

test('while another process refreshes, the old token serves', async () => {
  const { id, source } = await connected()
  const other = await elsewhere(id)
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  provider = async () => {
    asked.resolve()
    await answer.promise
    return fresh(1)
  }
  await clock.advance(HOUR * 0.9)
  const refreshing = source.current(SIGNAL)
  await asked.promise
  expect((await other.current(SIGNAL)).token).toBe('access-0')
  await clock.advance(10_000)
  expect((await other.current(SIGNAL)).token).toBe('access-0')
  answer.resolve()
  expect((await refreshing).token).toBe('access-1')
})

test('whoever waits for another process gets its token; whoever waits too long may try again', async () => {
  const { id, source } = await connected()
  await clock.advance(HOUR)
  const other = await elsewhere(id)
  const answer = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  provider = async () => {
    asked.resolve()
    await answer.promise
    return fresh(1)
  }
  const first = source.current(SIGNAL)
  await asked.promise
  const second = other.current(SIGNAL)
  await clock.advance(2_000)
  answer.resolve()
  expect((await during(first)).token).toBe('access-1')
  expect((await during(second)).token).toBe('access-1')
  expect(requests).toHaveLength(1)
  // A process that died with the lease: nobody steals it, and when it has ended somebody goes on.
  await leaveLease(id, 45_000)
  await clock.advance(HOUR * 0.95)
  await leaveLease(id, 45_000)
  expect((await other.current(SIGNAL)).token).toBe('access-1')
  await clock.advance(HOUR * 0.05)
  await leaveLease(id, 45_000)
  await expect(during(other.current(SIGNAL))).rejects.toMatchObject({
    code: 'connection_refresh_busy',
    retryable: true,
  })
  provider = async () => fresh(2)
  expect((await during(other.current(SIGNAL))).token).toBe('access-2')
  expect(requests).toEqual(['refresh-0', 'refresh-1'])
})

/** As a process that was killed while it refreshed leaves the row. */
async function leaveLease(id: string, ms: number): Promise<void> {
  const row = (await store.get('connections', id))!
  const { version, ...rest } = row
  const data = { ...row.data, lease: { owner: 'killed', until: clock.now() + ms } }
  await store.replace('connections', { ...rest, data }, version)
}

test('invalid_grant is no failure when somebody else has stored other tokens meanwhile', async () => {
  const { connections, id, source } = await connected()
  await clock.advance(HOUR)
  provider = async () => {
    await connections.reconnect(ACTOR, id, { tokens: fresh(7) })
    throw refusal('invalid_grant')
  }
  expect((await source.current(SIGNAL)).token).toBe('access-7')
  expect((await connections.get(ACTOR, id)).status).toBe('active')
  expect(events).not.toContainEqual(expect.stringContaining('needs_reauth'))
})

test('tokens of a refresh that was overtaken by a new sign-in are not written over it', async () => {
  const { connections, id, source } = await connected()
  await clock.advance(HOUR)
  provider = async () => {
    await connections.reconnect(ACTOR, id, { tokens: fresh(7) })
    return fresh(1)
  }
  expect((await source.current(SIGNAL)).token).toBe('access-7')
  expect((await (await elsewhere(id)).current(SIGNAL)).token).toBe('access-7')
})

test('a connection that was disconnected during a refresh stays disconnected', async () => {
  const { connections, id, source } = await connected()
  await clock.advance(HOUR)
  provider = async () => {
    await connections.disconnect(ACTOR, id)
    return fresh(1)
  }
  await expect(source.current(SIGNAL)).rejects.toMatchObject({ code: 'connection_revoked' })
  expect((await store.get('connections', id))?.data).toMatchObject({ tokens: null, lease: null, status: 'revoked' })
})

test('a process that was stopped past its lease still writes the tokens it got, and the later invalid_grant is healed', async () => {
  const { connections, id, source } = await connected()
  await clock.advance(HOUR)
  const other = await elsewhere(id)
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  provider = async () => {
    asked.resolve()
    // Rotated at the provider; the answer reaches a process that sleeps.
    await answer.promise
    return fresh(1)
  }
  // Its own deadline sleeps with it.
  const sleeping = await openService({ store, tokens, clock, timing: { requestMs: 10 * HOUR } })
  const slow = (await sleeping.open(ACTOR, id)).credentials!.current(SIGNAL)
  await asked.promise
  await clock.advance(46_000)
  provider = async () => Promise.reject(refusal('invalid_grant'))
  await expect(during(other.current(SIGNAL))).rejects.toMatchObject({ code: 'connection_needs_reauth' })
  answer.resolve()
  expect((await slow).token).toBe('access-1')
  expect((await source.current(SIGNAL)).token).toBe('access-1')
  expect(await connections.get(ACTOR, id)).toMatchObject({ status: 'active', reason: null })
})

test('new tokens that cannot be stored are tried to be stored again, and given to nobody before', async () => {
  const { id, source } = await connected()
  await clock.advance(HOUR)
  const { replace } = store
  let failures = 0
  store.replace = async (table, row, version) => {
    if (table === 'connections' && row.data['tokenVersion'] === 2 && failures++ < 3) throw new Error('the disk is full')
    return replace.call(store, table, row, version)
  }
  expect((await during(source.current(SIGNAL))).token).toBe('access-1')
  expect(failures).toBe(4)
  expect(requests).toEqual(['refresh-0'])
  expect((await (await elsewhere(id)).current(SIGNAL)).token).toBe('access-1')
})

test('without expires_in nothing is guessed; a 401 refreshes once for all who met it, and a second one fails', async () => {
  const { source } = await connected({ expiresAt: null })
  provider = async () => fresh(1, { expiresAt: null })
  await clock.advance(1_000 * HOUR)
  const old = await source.current(SIGNAL)
  expect(old).toMatchObject({ token: 'access-0', expiresAt: null })
  const got = await Promise.all(Array.from({ length: 50 }, async () => source.rejected(old, SIGNAL)))
  expect(new Set(got.map((credential) => credential?.token))).toEqual(new Set(['access-1']))
  expect(requests).toHaveLength(1)
  // Somebody who comes late with the old one gets the new one.
  expect((await source.rejected(old, SIGNAL))?.token).toBe('access-1')
  expect(await source.rejected(got[0]!, SIGNAL)).toBeNull()
  expect(requests).toHaveLength(1)
})

test('a token that nobody can renew is used until it expires; then somebody has to connect', async () => {
  const { connections, id, source } = await connected({ refreshToken: undefined })
  const credential = await source.current(SIGNAL)
  expect(await source.rejected(credential, SIGNAL)).toBeNull()
  await clock.advance(HOUR)
  await expect(source.current(SIGNAL)).rejects.toMatchObject({ code: 'connection_needs_reauth' })
  expect(await connections.get(ACTOR, id)).toMatchObject({ status: 'needs_reauth', reason: { code: 'token_expired' } })
  expect(requests).toEqual([])
})

test('a method that needs no person gets its first token when it is first used', async () => {
  const connections = await service()
  const { id } = await connections.create({ actor: ACTOR, connector: 'acme', method: 'machine' })
  const source = (await connections.open(ACTOR, id)).credentials!
  provider = async () => fresh(1, { refreshToken: undefined })
  expect((await source.current(SIGNAL)).token).toBe('access-1')
  await clock.advance(HOUR)
  provider = async () => fresh(2, { refreshToken: undefined })
  expect((await source.current(SIGNAL)).token).toBe('access-2')
  expect(requests).toEqual(['obtain', 'obtain'])
})

test('a caller that gives up does not take the refresh from the others', async () => {
  const { source } = await connected()
  await clock.advance(HOUR)
  const answer = Promise.withResolvers<void>()
  provider = async () => {
    await answer.promise
    return fresh(1)
  }
  const impatient = new AbortController()
  const [one, two] = [source.current(impatient.signal), source.current(SIGNAL)]
  impatient.abort(new Error('no time'))
  await expect(one).rejects.toThrow('no time')
  answer.resolve()
  expect((await two).token).toBe('access-1')
})

test('idle tokens are kept alive, once for all processes, and not those that ask for a person', async () => {
  const { connections, id } = await connected({ expiresAt: null })
  const other = await service()
  expect(await connections.keepAlive()).toBe(0)
  await clock.advance(24 * HOUR)
  provider = async () => fresh(1, { expiresAt: null })
  const [mine, theirs] = await Promise.all([connections.keepAlive(), other.keepAlive()])
  expect(requests).toEqual(['refresh-0'])
  expect(mine + theirs).toBe(1)
  expect(await connections.keepAlive()).toBe(0)
  await clock.advance(24 * HOUR)
  provider = async () => Promise.reject(refusal('invalid_grant'))
  expect(await connections.keepAlive()).toBe(0)
  expect((await connections.get(ACTOR, id)).status).toBe('needs_reauth')
  await clock.advance(24 * HOUR)
  await connections.keepAlive()
  expect(requests).toEqual(['refresh-0', 'refresh-1'])
})
