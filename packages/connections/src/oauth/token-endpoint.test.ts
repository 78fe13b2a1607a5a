/** Every key of provider data that changes a request, and every form of answer that providers are known to give. */
import { createEgress, type Egress, type EgressRequest, type OAuth2Auth } from '@plugwork/core/node'
import { PlugworkError } from '@plugwork/core/error'
import { VirtualClock } from '@plugwork/core/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOAuth, type OAuth } from './create-oauth.ts'
import { createMemoryAuthStateStore } from './state-store.ts'
import { startVendorServer, type VendorAnswer, type VendorServer } from './testing/vendor-server.ts'
import type { OAuthClient, TokenSet } from './token-set.ts'

const NOW = Date.UTC(2026, 0, 1)
const client: OAuthClient = { clientId: 'the-client', clientSecret: 'the+client/secret' }
const REFRESH = 'the-old-refresh-token'

const dialer = createEgress({ allow: ['127.0.0.1'] })
const requests: EgressRequest[] = []
const egress: Egress = {
  ...dialer,
  request: (request) => {
    requests.push(request)
    return dialer.request(request)
  },
}
let vendor: VendorServer
let oauth: OAuth

beforeAll(async () => {
  vendor = await startVendorServer()
})
afterAll(async () => {
  await dialer.close()
  await vendor.close()
})
beforeEach(() => {
  requests.length = 0
  oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock: new VirtualClock(NOW) })
})

const provider = (keys: Partial<OAuth2Auth> = {}): OAuth2Auth => ({
  kind: 'oauth2',
  title: 'Acme',
  help: 'For tests.',
  grant: 'authorization_code',
  authorizationUrl: `${vendor.origin}/authorize`,
  tokenUrl: `${vendor.origin}/token`,
  ...keys,
})

const refresh = (
  keys: Partial<OAuth2Auth>,
  answer: VendorAnswer,
  more: { readonly settings?: Record<string, string>; readonly client?: OAuthClient } = {},
): Promise<TokenSet> => {
  vendor.answer(answer)
  return oauth.refresh({
    auth: provider(keys),
    client: more.client ?? client,
    settings: more.settings ?? {},
    refreshToken: REFRESH,
    signal: AbortSignal.timeout(20_000),
  })
}

const TOKEN = { access_token: 'at', token_type: 'Bearer', expires_in: 3600 }
const IN_AN_HOUR = { accessToken: 'at', tokenType: 'bearer', expiresAt: NOW + 3_600_000 }

describe('answers', () => {
  test.each<[string, Partial<OAuth2Auth>, VendorAnswer, Partial<TokenSet>]>([
    ['standard', {}, { body: TOKEN }, IN_AN_HOUR],
    ['a form', {}, { type: 'text/plain', body: 'access_token=at&expires_in=3600&token_type=bearer' }, IN_AN_HOUR],
    ['JSON as text/plain', {}, { type: 'text/plain', body: JSON.stringify(TOKEN) }, IN_AN_HOUR],
    ['JSON as text/html', {}, { type: 'text/html', body: JSON.stringify(TOKEN) }, IN_AN_HOUR],
    ['status 201', {}, { status: 201, body: TOKEN }, IN_AN_HOUR],
    ['status 203', {}, { status: 203, body: TOKEN }, IN_AN_HOUR],
    ['no token_type', {}, { body: { access_token: 'at', expires_in: 3600 } }, IN_AN_HOUR],
    ['token_type null', {}, { body: { ...TOKEN, token_type: null } }, IN_AN_HOUR],
    [
      'token_type bot, accepted',
      { tokenTypes: ['Bot'] },
      { body: { ...TOKEN, token_type: 'bot' } },
      { tokenType: 'bot' },
    ],
    ['expires_in as text', {}, { body: { ...TOKEN, expires_in: '3600' } }, IN_AN_HOUR],
    ['expires_in in ms', { expiresInUnit: 'ms' }, { body: { ...TOKEN, expires_in: 3_600_000 } }, IN_AN_HOUR],
    ['no expires_in', {}, { body: { access_token: 'at' } }, { expiresAt: null }],
    ['expires_in null', {}, { body: { ...TOKEN, expires_in: null } }, { expiresAt: null }],
    ['expires_in 0, which says never', {}, { body: { ...TOKEN, expires_in: 0 } }, { expiresAt: null }],
    ['expires_in empty', {}, { body: { ...TOKEN, expires_in: '' } }, { expiresAt: null }],
    ['a fixed lifetime', { fixedLifetime: 3600 }, { body: { access_token: 'at' } }, IN_AN_HOUR],
    ['a lifetime that is said wins over it', { fixedLifetime: 60 }, { body: TOKEN }, IN_AN_HOUR],
    ['nested', { tokenPath: 'data.auth' }, { body: { data: { auth: TOKEN } } }, IN_AN_HOUR],
    ['error null beside a token', {}, { body: { ...TOKEN, error: null } }, IN_AN_HOUR],
    ['scopes as a list', {}, { body: { ...TOKEN, scope: ['a', 'b'] } }, { scopes: ['a', 'b'] }],
    ['scopes with commas', {}, { body: { ...TOKEN, scope: 'a,b' } }, { scopes: ['a', 'b'] }],
    ['scopes with +', { scopeSeparator: '+' }, { body: { ...TOKEN, scope: 'a+b' } }, { scopes: ['a', 'b'] }],
    ['an id_token of nobody we know', {}, { body: { ...TOKEN, id_token: 'x.y.z' } }, IN_AN_HOUR],
    [
      'metadata',
      { metadata: { url: 'instance_url', team: 'team.id', first: 'list.0.n', all: 'list.*.n', none: 'no.where' } },
      { body: { ...TOKEN, instance_url: 'https://i', team: { id: 7 }, list: [{ n: 1 }, { n: 2 }] } },
      { metadata: { url: 'https://i', team: 7, first: 1, all: [1, 2] } },
    ],
    [
      'XML',
      { tokenPath: 'operation.result' },
      {
        type: 'application/xml',
        body: '<?xml version="1.0"?><response><operation><result><access_token>a&amp;t</access_token><expires_in>3600</expires_in></result></operation></response>',
      },
      { ...IN_AN_HOUR, accessToken: 'a&t' },
    ],
  ])('%s', async (_, keys, answer, expected) => {
    expect(await refresh(keys, answer)).toMatchObject(expected)
  })

  test('a refresh token is kept out where none came', async () => {
    for (const refresh_token of [undefined, null, '']) {
      expect(await refresh({}, { body: { ...TOKEN, refresh_token } })).not.toHaveProperty('refreshToken')
    }
    expect(await refresh({}, { body: { ...TOKEN, refresh_token: 'new' } })).toMatchObject({ refreshToken: 'new' })
  })
})

describe('refusals', () => {
  test.each<[string, Partial<OAuth2Auth>, VendorAnswer, string, string | undefined]>([
    ['standard', {}, { status: 400, body: { error: 'invalid_grant' } }, 'oauth_refused', 'invalid_grant'],
    ['with status 200', {}, { body: { error: 'invalid_grant' } }, 'oauth_refused', 'invalid_grant'],
    ['with status 403', {}, { status: 403, body: { error: 'invalid_grant' } }, 'oauth_refused', 'invalid_grant'],
    ['ok: false', {}, { body: { ok: false, error: 'token_revoked' } }, 'oauth_refused', 'token_revoked'],
    ['ok: false alone', {}, { body: { ok: false } }, 'oauth_refused', 'http_200'],
    ['as a form', {}, { type: 'text/plain', body: 'error=bad_code&error_description=No' }, 'oauth_refused', 'bad_code'],
    [
      'translated',
      { errorCodes: { bad_code: 'invalid_grant' } },
      { body: { error: 'bad_code' } },
      'oauth_refused',
      'invalid_grant',
    ],
    [
      '401 with a challenge',
      {},
      { status: 401, headers: { 'www-authenticate': 'Basic' }, body: { error: 'invalid_client' } },
      'oauth_refused',
      'invalid_client',
    ],
    ['an error that is a number', {}, { status: 400, body: { error: 42 } }, 'oauth_refused', '42'],
    ['a page', {}, { status: 404, type: 'text/html', body: '<html>Not found</html>' }, 'oauth_refused', 'http_404'],
    ['nothing', {}, { status: 400, body: '' }, 'oauth_refused', 'http_400'],
    [
      '429',
      {},
      { status: 429, headers: { 'retry-after': '7' }, body: { error: 'invalid_grant' } },
      'oauth_unavailable',
      undefined,
    ],
    ['500 with a code', {}, { status: 500, body: { error: 'invalid_grant' } }, 'oauth_unavailable', undefined],
    ['503', {}, { status: 503, type: 'text/html', body: '<html>Down</html>' }, 'oauth_unavailable', undefined],
    [
      'temporarily_unavailable',
      {},
      { status: 400, body: { error: 'temporarily_unavailable' } },
      'oauth_unavailable',
      'temporarily_unavailable',
    ],
    [
      'a redirect',
      {},
      { status: 302, headers: { location: 'https://evil.example.com' }, body: '' },
      'oauth_response_invalid',
      undefined,
    ],
    [
      'a page with status 200',
      {},
      { type: 'text/html', body: '<html>Log in</html>' },
      'oauth_response_invalid',
      undefined,
    ],
    [
      'XML with a document type',
      {},
      { type: 'application/xml', body: '<!DOCTYPE r [<!ENTITY a "b">]><r><access_token>&a;</access_token></r>' },
      'oauth_response_invalid',
      undefined,
    ],
    ['a list', {}, { body: [TOKEN] }, 'oauth_response_invalid', undefined],
    ['no token', {}, { body: { token_type: 'bearer' } }, 'oauth_response_invalid', undefined],
    ['a token that is a number', {}, { body: { access_token: 7 } }, 'oauth_response_invalid', undefined],
    [
      'a token that is not where it is said to be',
      { tokenPath: 'data' },
      { body: TOKEN },
      'oauth_response_invalid',
      undefined,
    ],
    [
      'a token type that nobody accepts',
      {},
      { body: { ...TOKEN, token_type: 'mac' } },
      'oauth_response_invalid',
      undefined,
    ],
    ['too much', {}, { body: { ...TOKEN, more: 'x'.repeat(1024 * 1024) } }, 'egress_too_large', undefined],
  ])('%s', async (_, keys, answer, code, error) => {
    const failed = await refresh(keys, answer).then(
      () => null,
      (reason: unknown) => reason as PlugworkError,
    )
    expect(failed).toBeInstanceOf(PlugworkError)
    expect(failed).toMatchObject({ code, retryable: code === 'oauth_unavailable' })
    if (error !== undefined) expect(failed!.data).toMatchObject({ error })
  })

  test('says when to come again', async () => {
    const answer = { status: 503, headers: { 'retry-after': '7' }, body: '' }
    await expect(refresh({}, answer)).rejects.toMatchObject({ data: { status: 503, retry_after: '7' } })
  })

  test('never repeats a secret, whatever the provider says', async () => {
    const leak = `token ${REFRESH}, secret ${client.clientSecret}, basic ${btoa('the-client:the+client/secret')}, given abcdefghijklmnopqrstuvwxyz`
    const answers: VendorAnswer[] = [
      { status: 400, body: { error: 'invalid_grant', error_description: leak } },
      { status: 400, body: { error: leak } },
      { status: 400, body: { error: { message: leak, code: REFRESH } } },
      { status: 400, body: { error: 'x', refresh_token: 'abcdefghijklmnopqrstuvwxyz', message: leak } },
      { status: 500, body: leak },
      { status: 200, type: 'text/html', body: leak },
      { body: { access_token: 'abcdefghijklmnopqrstuvwxyz', token_type: leak } },
      { body: { access_token: 'abcdefghijklmnopqrstuvwxyz', scope: { not: 'text' }, token_type: 'mac' } },
    ]
    for (const clientAuth of ['basic', 'body'] as const) {
      for (const bodyFormat of ['form', 'json', 'query'] as const) {
        for (const answer of answers) {
          const error = await refresh({ clientAuth, bodyFormat }, answer).then(
            () => null,
            (reason: unknown) => reason,
          )
          const said = told(error)
          expect(said).toContain('Acme')
          for (const secret of [REFRESH, client.clientSecret!, btoa('the-client:the+client/secret')]) {
            expect(said).not.toContain(secret)
          }
          if (JSON.stringify(answer.body).includes('_token":"abc')) expect(said).not.toContain('abcdefghijklmn')
        }
      }
    }
  })

  test('a description is one short printable line', async () => {
    const error_description = `a\u0000b\u202ec\r\nd ${'x'.repeat(1000)}`
    const error = (await refresh({}, { status: 400, body: { error: 'x', error_description } }).catch(
      (reason: unknown) => reason,
    )) as PlugworkError
    expect(error.message).toMatch(/^Acme refused to refresh the token: x: a b c d x+…\.$/)
    expect(error.message.length).toBeLessThan(400)
  })
})

/** An error as a log would print it, its causes included. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, stack, cause } = error
  const data = error instanceof PlugworkError ? error.data : undefined
  return [message, stack, JSON.stringify(data), cause === undefined ? '' : told(cause)].join('\n')
}

describe('requests', () => {
  const sent = async (
    keys: Partial<OAuth2Auth>,
    more?: Parameters<typeof refresh>[2],
  ): Promise<VendorServer['seen'][number]> => {
    await refresh(keys, { body: TOKEN }, more)
    return vendor.seen[0]!
  }

  test('a form with id and secret, 20 s and 1 MiB at most, no redirect followed', async () => {
    expect(await sent({})).toMatchObject({
      method: 'POST',
      place: 'token',
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      parameters: {
        grant_type: 'refresh_token',
        refresh_token: REFRESH,
        client_id: client.clientId,
        client_secret: client.clientSecret,
      },
    })
    expect(requests[0]).toMatchObject({ timeoutMs: 20_000, maxResponseBytes: 1024 * 1024, redirect: 'manual' })
  })

  test('Basic leaves ids of letters, digits, "-", "." and "_" as they are, and encodes the rest', async () => {
    const odd = { clientId: 'a-b_c.d', clientSecret: 'p%:+ ä' }
    const { headers, parameters } = await sent({ clientAuth: 'basic' }, { client: odd })
    expect(atob(headers['authorization']!.slice(6))).toBe('a-b_c.d:p%25%3A%2B+%C3%A4')
    expect(parameters).not.toHaveProperty('client_secret')
  })

  test('a client without secret, and one that proves itself by a header', async () => {
    const none = await sent({ clientAuth: 'basic' }, { client: { clientId: 'public' } })
    expect(none.parameters).toMatchObject({ client_id: 'public' })
    expect(none.headers).not.toHaveProperty('authorization')
    const plain = await sent({ clientAuth: { header: 'x-client-secret' } })
    expect(plain).toMatchObject({
      headers: { 'x-client-secret': client.clientSecret },
      parameters: { client_id: client.clientId },
    })
    const template = await sent({
      clientAuth: { header: 'authorization', template: 'Key {client_id}.{client_secret}' },
    })
    expect(template.headers['authorization']).toBe('Key the-client.the+client/secret')
    await expect(sent({ pkce: false }, { client: { clientId: 'x', clientSecret: '' } })).rejects.toMatchObject({
      code: 'oauth_client_missing',
    })
  })

  test('JSON, a query with GET, XML', async () => {
    expect(await sent({ bodyFormat: 'json' })).toMatchObject({
      headers: { 'content-type': 'application/json' },
      parameters: { grant_type: 'refresh_token', refresh_token: REFRESH },
    })
    expect(await sent({ bodyFormat: 'query', tokenMethod: 'GET' })).toMatchObject({
      method: 'GET',
      body: '',
      query: { grant_type: 'refresh_token', refresh_token: REFRESH },
    })
    const xml = await sent({ bodyFormat: 'xml', xmlRoot: 'login', refreshParameters: { 'control.id': 'a<b&c' } })
    expect(xml.headers['content-type']).toBe('application/xml')
    expect(xml.body).toContain('<login>')
    expect(xml.body).toContain('<control><id>a&#60;b&#38;c</id></control>')
    expect(xml.body).toContain(`<refresh_token>${REFRESH}</refresh_token>`)
  })

  test('refresh URL, parameters and headers, with settings in them', async () => {
    const keys: Partial<OAuth2Auth> = {
      refreshUrl: `${vendor.origin}/{region}/refresh`,
      connectionParameters: { region: { title: 'Region', pattern: '[a-z]{2}', default: 'eu' } },
      tokenParameters: { only: 'at the first' },
      refreshParameters: { audience: 'https://{region}.api', id: '{client_id}' },
      tokenHeaders: { 'x-region': '{region}' },
    }
    const { parameters, place, headers } = await sent(keys, { settings: { region: 'us' } })
    expect([place, headers['x-region']]).toEqual(['us/refresh', 'us'])
    expect(parameters).toMatchObject({ audience: 'https://us.api', id: client.clientId })
    expect(parameters).not.toHaveProperty('only')
    await expect(sent(keys, { settings: { region: 'u/../admin' } })).rejects.toMatchObject({
      code: 'oauth_setting_invalid',
      data: { setting: 'region' },
    })
    expect((await sent(keys)).place).toBe('eu/refresh')
  })

  test('a setting that the registration decides is not taken from the connection', async () => {
    const keys: Partial<OAuth2Auth> = {
      refreshUrl: `${vendor.origin}/{host}/refresh`,
      connectionParameters: { host: { title: 'Host', pattern: '[a-z.]+', default: 'vendor.com', setBy: 'client' } },
    }
    expect((await sent(keys)).place).toBe('vendor.com/refresh')
    const before = requests.length
    await expect(sent(keys, { settings: { host: 'evil.com' } })).rejects.toMatchObject({
      code: 'oauth_setting_invalid',
      data: { setting: 'host' },
    })
    expect(requests).toHaveLength(before)
    const enterprise = { ...client, settings: { host: 'git.example.com' } }
    expect((await sent(keys, { client: enterprise })).place).toBe('git.example.com/refresh')
    expect((await sent(keys, { client: enterprise, settings: { host: 'git.example.com' } })).place).toBe(
      'git.example.com/refresh',
    )
    await expect(sent(keys, { client: enterprise, settings: { host: 'vendor.com' } })).rejects.toMatchObject({
      code: 'oauth_setting_invalid',
    })
  })

  test('settings that nobody declared are not put in, and provider URLs are https', async () => {
    const settings = { host: 'evil.example.com' }
    await expect(sent({ tokenUrl: 'https://{host}/token' }, { settings })).rejects.toMatchObject({
      code: 'oauth_provider_invalid',
    })
    for (const tokenUrl of [
      'http://example.com/token',
      'https://user@example.com/token',
      'ftp://example.com',
      'token',
    ]) {
      await expect(sent({ tokenUrl })).rejects.toMatchObject({ code: 'oauth_provider_invalid' })
    }
    expect(vendor.seen).toEqual([])
  })

  test('a host is only put in without encoding where the data says so, and never beyond its place', async () => {
    const host = { title: 'Host', pattern: '[^/]+' }
    const keys = { tokenUrl: 'http://{host}/token', connectionParameters: { host } }
    const settings = { host: new URL(vendor.origin).host }
    await expect(sent(keys, { settings })).rejects.toMatchObject({ code: 'oauth_provider_invalid' })
    expect((await sent({ ...keys, rawParameters: ['host'] }, { settings })).place).toBe('token')
    await expect(
      sent({ ...keys, rawParameters: ['host'] }, { settings: { host: 'a@127.0.0.1' } }),
    ).rejects.toMatchObject({ code: 'oauth_provider_invalid' })
  })

  test('a private address is refused by the egress', async () => {
    const guarded = createEgress()
    oauth = createOAuth({ egress: guarded, states: createMemoryAuthStateStore() })
    await expect(refresh({}, { body: TOKEN })).rejects.toMatchObject({ code: 'egress_denied' })
    await guarded.close()
  })

  test('an abort ends the request', async () => {
    const controller = new AbortController()
    controller.abort()
    vendor.answer({ body: TOKEN })
    const refreshing = oauth.refresh({
      auth: provider(),
      client,
      settings: {},
      refreshToken: REFRESH,
      signal: controller.signal,
    })
    await expect(refreshing).rejects.toMatchObject({ code: 'egress_aborted' })
  })
})

describe('authorization URL', () => {
  const page = async (keys: Partial<OAuth2Auth>, scopes?: readonly string[]): Promise<string> => {
    const { url } = await oauth.startAuthorization({
      provider: 'acme',
      auth: provider(keys),
      client,
      settings: {},
      redirectUri: 'https://app.example.com/cb?tenant=1',
      session: { tenant: 'default', user: 'u' },
      ...(scopes === undefined ? {} : { scopes }),
    })
    return url
  }
  test('scope separators, default scopes, and scopes that are not encoded', async () => {
    const scope = async (keys: Partial<OAuth2Auth>, scopes?: readonly string[]): Promise<string | undefined> =>
      /[?&]scope=([^&]*)/.exec(await page(keys, scopes))?.[1]
    expect(await scope({}, ['a:b', 'c'])).toBe('a%3Ab+c')
    expect(await scope({ scopeSeparator: ',' }, ['a', 'c'])).toBe('a%2Cc')
    expect(await scope({ scopeSeparator: '+' }, ['a', 'c'])).toBe('a%2Bc')
    expect(await scope({ scopeSeparator: '+', rawParameters: ['scope'] }, ['a:b', 'c'])).toBe('a:b+c')
    expect(await scope({ defaultScopes: ['d', 'e'] })).toBe('d+e')
    expect(await scope({ defaultScopes: ['d'] }, [])).toBeUndefined()
    await expect(page({ rawParameters: ['scope'] }, ['a&state=x'])).rejects.toMatchObject({
      code: 'oauth_provider_invalid',
    })
  })

  test('what the provider adds cannot replace what protects', async () => {
    const url = new URL(
      await page({
        authorizationUrl: `${vendor.origin}/authorize?state=fixed&keep=1`,
        authorizationParameters: { state: 'x', redirect_uri: 'https://evil.example.com', prompt: 'consent' },
      }),
    )
    expect(url.searchParams.getAll('state')).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
    expect(url.searchParams.getAll('redirect_uri')).toEqual(['https://app.example.com/cb?tenant=1'])
    expect([url.searchParams.get('keep'), url.searchParams.get('prompt')]).toEqual(['1', 'consent'])
    expect(url.searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/)
    expect(new URL(await page({ pkce: false })).searchParams.has('code_challenge')).toBe(false)
  })

  test('what is missing is named', async () => {
    await expect(page({ authorizationUrl: undefined })).rejects.toThrow(/no authorizationUrl/)
    await expect(page({ grant: 'client_credentials' })).rejects.toThrow(/no authorization page/)
  })
})
