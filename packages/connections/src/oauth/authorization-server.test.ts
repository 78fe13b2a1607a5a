/** Every grant against a real authorization server, and the attacks that a client must withstand. */
import { createEgress, type Egress, type OAuth2Auth } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { FinishAuthorization, FinishedAuthorization, StartAuthorization } from './authorization.ts'
import { createOAuth, type OAuth } from './create-oauth.ts'
import { createMemoryAuthStateStore } from './state-store.ts'
import { startAuthorizationServer, type AuthorizationServer } from './testing/authorization-server.ts'
import { UserAgent } from './testing/user-agent.ts'

const CALLBACK = 'http://127.0.0.1:1/oauth/callback'
const OTHER_CALLBACK = 'http://127.0.0.1:1/oauth/callback/other'
const session = { tenant: 'default', user: 'ada', id: 'browser-1' }
const settings = {}

const dialer = createEgress({ allow: ['127.0.0.1'] })
const asked: string[] = []
/** The real egress, which notes what is asked for. */
const egress: Egress = {
  ...dialer,
  request: (request) => {
    asked.push(new URL(request.url).pathname)
    return dialer.request(request)
  },
}

let server: AuthorizationServer
let clock: VirtualClock
let oauth: OAuth
let auth: OAuth2Auth
let signal: AbortSignal

beforeAll(async () => {
  server = await startAuthorizationServer([CALLBACK, OTHER_CALLBACK])
})
afterAll(async () => {
  await dialer.close()
  await server.close()
})
beforeEach(() => {
  asked.length = 0
  clock = new VirtualClock(Date.now())
  signal = AbortSignal.timeout(20_000)
  auth = server.auth
  oauth = createOAuth({
    egress,
    clock,
    states: createMemoryAuthStateStore(),
    returnTo: { base: 'https://app.example.com', allow: ['/connections'] },
  })
})

const start = (changed: Partial<StartAuthorization> = {}): Promise<{ url: string; state: string }> =>
  oauth.startAuthorization({
    provider: 'notes',
    auth,
    client: server.client,
    settings,
    redirectUri: CALLBACK,
    session,
    ...changed,
  })

const finish = (callbackUrl: string, changed: Partial<FinishAuthorization> = {}): Promise<FinishedAuthorization> =>
  oauth.finishAuthorization({
    callbackUrl,
    session,
    provider: (name) => Promise.resolve(name === 'notes' ? { auth, client: server.client } : null),
    signal,
    ...changed,
  })

describe('grants', () => {
  test('code with PKCE, rotation, introspection, revocation', async () => {
    const { url, state } = await start({ returnTo: '/connections/7', context: { connection: 'c7' } })
    expect(url).not.toContain('sssh')
    expect(state).toMatch(/^[\w-]{43}$/)
    const { tokens, context } = await finish(await new UserAgent().agree(url, CALLBACK))
    expect(context).toEqual({
      provider: 'notes',
      settings,
      scopes: ['openid', 'offline_access', 'notes:read'],
      returnTo: 'https://app.example.com/connections/7',
      context: { connection: 'c7' },
    })
    expect(tokens).toMatchObject({ tokenType: 'bearer', scopes: ['openid', 'offline_access', 'notes:read'] })
    expect(tokens.expiresAt).toBe(clock.now() + 3_600_000)
    const request = { auth, client: server.client, settings, signal }
    expect(await oauth.introspect({ ...request, token: tokens.accessToken })).toMatchObject({
      active: true,
      client_id: server.client.clientId,
    })

    const rotated = await oauth.refresh({ ...request, refreshToken: tokens.refreshToken! })
    expect(rotated.refreshToken).toBeTypeOf('string')
    expect(rotated.refreshToken).not.toBe(tokens.refreshToken)
    expect(rotated.accessToken).not.toBe(tokens.accessToken)
    // The first one is used up; using it again ends the whole grant at this server.
    const again = oauth.refresh({ ...request, refreshToken: tokens.refreshToken! })
    await expect(again).rejects.toMatchObject({ code: 'oauth_refused', data: { error: 'invalid_grant' } })
  })

  test('a revoked token is no longer active, and cannot refresh', async () => {
    const { tokens } = await finish(await new UserAgent().agree((await start()).url, CALLBACK))
    const request = { auth, client: server.client, settings, signal }
    await oauth.revoke({ ...request, token: tokens.accessToken, kind: 'access_token' })
    expect(await oauth.introspect({ ...request, token: tokens.accessToken })).toMatchObject({ active: false })
    await oauth.revoke({ ...request, token: tokens.refreshToken!, kind: 'refresh_token' })
    const refreshing = oauth.refresh({ ...request, refreshToken: tokens.refreshToken! })
    await expect(refreshing).rejects.toMatchObject({ code: 'oauth_refused', data: { error: 'invalid_grant' } })
    // Where a provider has no revocation, nothing is asked.
    asked.length = 0
    const { revocationUrl: _, ...without } = auth
    await oauth.revoke({ ...request, auth: without, token: tokens.accessToken, kind: 'access_token' })
    expect(asked).toEqual([])
  })

  test('client credentials', async () => {
    const machine: OAuth2Auth = { ...auth, grant: 'client_credentials', defaultScopes: ['notes:read'] }
    const tokens = await oauth.obtain({ auth: machine, client: server.client, settings, fields: {}, signal })
    expect(tokens).toMatchObject({ tokenType: 'bearer', scopes: ['notes:read'] })
    expect(tokens.refreshToken).toBeUndefined()
    const wrong = { ...server.client, clientSecret: 'another' }
    await expect(oauth.obtain({ auth: machine, client: wrong, settings, fields: {}, signal })).rejects.toMatchObject({
      code: 'oauth_refused',
      data: { error: 'invalid_client' },
    })
    await expect(
      oauth.obtain({ auth: machine, client: { clientId: 'x' }, settings, fields: {}, signal }),
    ).rejects.toMatchObject({ code: 'oauth_client_missing' })
  })

  test('device code: pending until somebody agrees elsewhere', async () => {
    const request = { auth, client: server.client, settings, signal }
    const device = await oauth.requestDeviceCode(request)
    expect(device.verificationUri).toBe(`${server.issuer}/device`)
    expect(await oauth.checkDeviceCode({ ...request, device })).toEqual({ status: 'pending' })
    const polling = oauth.pollDeviceCode({ ...request, device })
    await clock.step()
    const agent = new UserAgent()
    let page = await agent.open(device.verificationUriComplete!, 'none:')
    for (let forms = 0; forms < 5 && page.html.includes('<form'); forms++) {
      page = await agent.submit(page, 'none:', page.html.includes('password') ? { login: 'ada', password: 'any' } : {})
    }
    expect(page.html).toContain('Sign-in Success')
    let done = false
    void polling.then(() => {
      done = true
    })
    await expect
      .poll(async () => {
        await clock.step()
        return done
      })
      .toBe(true)
    const tokens = await polling
    expect(tokens.refreshToken).toBeTypeOf('string')
  })
})

describe('attacks', () => {
  test('a callback is good once', async () => {
    const callback = await new UserAgent().agree((await start()).url, CALLBACK)
    await finish(callback)
    asked.length = 0
    await expect(finish(callback)).rejects.toMatchObject({ code: 'oauth_state_invalid' })
    expect(asked).toEqual([])
  })

  test('of two callbacks at the same time one is taken', async () => {
    const callback = await new UserAgent().agree((await start()).url, CALLBACK)
    const results = await Promise.allSettled([finish(callback), finish(callback)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(asked.filter((path) => path === '/token')).toHaveLength(1)
  })

  test('a state that was never given, is missing, or comes twice', async () => {
    const { state } = await start()
    for (const query of ['code=x&state=made-up', 'code=x', 'code=x&state=', `code=x&state=${state}&state=${state}`]) {
      await expect(finish(`${CALLBACK}?${query}`)).rejects.toMatchObject({ code: 'oauth_state_invalid' })
    }
    await expect(finish('no url')).rejects.toMatchObject({ code: 'oauth_state_invalid' })
    expect(asked).toEqual([])
  })

  test('a state is good for ten minutes', async () => {
    const { state } = await start()
    await clock.advance(10 * 60_000)
    await expect(finish(`${CALLBACK}?code=x&state=${state}&iss=${server.issuer}`)).rejects.toMatchObject({
      code: 'oauth_state_expired',
    })
    expect(asked).toEqual([])
  })

  test.each([
    ['another user', { ...session, user: 'eve' }],
    ['another tenant', { ...session, tenant: 'other' }],
    ['another browser', { ...session, id: 'browser-2' }],
    ['no browser session', { tenant: 'default', user: 'ada' }],
  ])('account linking: the callback of somebody else (%s)', async (_, theirs) => {
    const callback = await new UserAgent().agree((await start()).url, CALLBACK)
    asked.length = 0
    await expect(finish(callback, { session: theirs })).rejects.toMatchObject({ code: 'oauth_session_mismatch' })
    // And it is used up for the one who started it.
    await expect(finish(callback)).rejects.toMatchObject({ code: 'oauth_state_invalid' })
    expect(asked).toEqual([])
  })

  test('mix-up: the callback names another issuer, or none although it must', async () => {
    for (const iss of ['&iss=https://evil.example.com', '', `&iss=${server.issuer}&iss=https://evil.example.com`]) {
      const { state } = await start()
      await expect(finish(`${CALLBACK}?code=stolen&state=${state}${iss}`)).rejects.toMatchObject({
        code: 'oauth_issuer_mismatch',
      })
    }
    expect(asked).toEqual([])
  })

  test('a code is only sent to the provider that the authorization began with', async () => {
    const callback = await new UserAgent().agree((await start()).url, CALLBACK)
    const moved = { ...auth, tokenUrl: 'http://127.0.0.1:9/token' }
    const provider = (): Promise<{ auth: OAuth2Auth; client: typeof server.client }> =>
      Promise.resolve({ auth: moved, client: server.client })
    await expect(finish(callback, { provider })).rejects.toMatchObject({ code: 'oauth_state_invalid' })
    expect(asked).toEqual([])
  })

  test("code injection: somebody else's code in one's own callback", async () => {
    const theirs = new URL(await new UserAgent().agree((await start()).url, CALLBACK, 'victim'))
    const mine = new URL(await new UserAgent().agree((await start()).url, CALLBACK, 'eve'))
    mine.searchParams.set('code', theirs.searchParams.get('code')!)
    await expect(finish(mine.href)).rejects.toMatchObject({ code: 'oauth_refused', data: { error: 'invalid_grant' } })
  })

  test('PKCE downgrade: an authorization whose challenge was cut off', async () => {
    const url = new URL((await start()).url)
    expect(url.searchParams.get('code_challenge_method')).toBe('S256')
    url.searchParams.delete('code_challenge')
    url.searchParams.delete('code_challenge_method')
    const callback = await new UserAgent().agree(url.href, CALLBACK)
    await expect(finish(callback)).rejects.toMatchObject({ code: 'oauth_refused' })
  })

  test('a tampered redirect URI is refused by the server, by its path, and by the code', async () => {
    const url = new URL((await start()).url)
    url.searchParams.set('redirect_uri', 'https://evil.example.com/callback')
    const page = await new UserAgent().open(url.href, CALLBACK)
    expect([page.status, page.html.includes('redirect_uri')]).toEqual([400, true])

    url.searchParams.set('redirect_uri', OTHER_CALLBACK)
    const callback = await new UserAgent().agree(url.href, OTHER_CALLBACK)
    asked.length = 0
    await expect(finish(callback)).rejects.toMatchObject({ code: 'oauth_callback_invalid' })
    expect(asked).toEqual([])

    const again = new URL((await start()).url)
    again.searchParams.set('redirect_uri', OTHER_CALLBACK)
    const other = await new UserAgent().agree(again.href, OTHER_CALLBACK)
    await expect(finish(other.replace(OTHER_CALLBACK, CALLBACK))).rejects.toMatchObject({
      code: 'oauth_refused',
      data: { error: 'invalid_grant' },
    })
  })

  test.each([
    'https://evil.example.com/connections',
    '//evil.example.com/connections',
    '/\\evil.example.com/connections',
    '\\/evil.example.com',
    'https://app.example.com@evil.example.com/connections',
    'https://app.example.com.evil.example.com/connections',
    'http://app.example.com/connections',
    'javascript:alert(1)//connections',
    '/connections/../admin',
    '/connectionsx',
    '/\t/evil.example.com',
    ' /connections',
    'connections',
    '',
  ])('open redirect: return_to %j', async (returnTo) => {
    const started = start({ returnTo })
    // A relative path is below the application, whatever it is; none of the others leads anywhere.
    if (returnTo === 'connections') await expect(started).resolves.toHaveProperty('url')
    else await expect(started).rejects.toMatchObject({ code: 'oauth_return_to_denied' })
  })

  test('return_to is allowed nowhere unless somebody says so', async () => {
    oauth = createOAuth({ egress, clock, states: createMemoryAuthStateStore() })
    await expect(start({ returnTo: '/' })).rejects.toMatchObject({ code: 'oauth_return_to_denied' })
  })
})

test('somebody who does not agree is told so, with the way back', async () => {
  const { state } = await start({ returnTo: '/connections' })
  const denied = finish(
    `${CALLBACK}?error=access_denied&error_description=No%0Athanks&state=${state}&iss=${server.issuer}`,
  )
  await expect(denied).rejects.toMatchObject({
    code: 'oauth_denied',
    message: 'Access to Notes was not granted (access_denied: No thanks). Nothing was stored.',
    data: { provider: 'notes', return_to: 'https://app.example.com/connections', error: 'access_denied' },
  })
  const other = await start()
  await expect(
    finish(`${CALLBACK}?error=invalid_scope&state=${other.state}&iss=${server.issuer}`),
  ).rejects.toMatchObject({ code: 'oauth_provider_error', data: { error: 'invalid_scope' } })
  expect(asked).toEqual([])
})

test('a state is stored by its hash, and a redirect URI is https or of this machine', async () => {
  const states = createMemoryAuthStateStore()
  const stored: string[] = []
  oauth = createOAuth({
    egress,
    clock,
    states: {
      put: (state) => {
        stored.push(JSON.stringify(state))
        return states.put(state)
      },
      take: (hash) => states.take(hash),
    },
  })
  const { state } = await start()
  expect(stored[0]).not.toContain(state)
  expect(stored[0]).not.toContain('browser-1')
  for (const redirectUri of ['http://app.example.com/cb', '/cb', 'https://app.example.com/cb#x', 'app:cb']) {
    await expect(start({ redirectUri })).rejects.toMatchObject({ code: 'oauth_redirect_invalid' })
  }
})
