/** JWTs that we sign: what they say, what they are exchanged for, and how long one is kept. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { createEgress, type JwtAuth, type JwtSigning } from '@plugwork/core/node'
import type { PlugworkError } from '@plugwork/core/error'
import { VirtualClock } from '@plugwork/core/testing'
import { jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOAuth } from '../oauth/create-oauth.ts'
import { githubAppInstallation, googleServiceAccount } from '../oauth/providers.ts'
import { createMemoryAuthStateStore } from '../oauth/state-store.ts'
import { at, startVendorServer, type VendorServer } from '../oauth/testing/vendor-server.ts'
import { createJwtCredentialSource } from './jwt-credential-source.ts'
import { signJwt } from './sign-jwt.ts'

const NOW = Date.UTC(2026, 0, 1)
const SECONDS = NOW / 1000
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const pkcs1 = rsa.export({ type: 'pkcs1', format: 'pem' }).toString()
const pkcs8 = rsa.export({ type: 'pkcs8', format: 'pem' }).toString()
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const signal = AbortSignal.timeout(60_000)
const egress = createEgress({ allow: ['127.0.0.1'] })
let vendor: VendorServer

beforeAll(async () => {
  vendor = await startVendorServer()
})
afterAll(async () => {
  await egress.close()
  await vendor.close()
})

const verify = (jwt: string, key: string): ReturnType<typeof jwtVerify> =>
  jwtVerify(jwt, createPublicKey(key), { currentDate: new Date(NOW) })

describe('signing', () => {
  const sign = async (signing: Partial<JwtSigning>, fields: Record<string, string>): Promise<string> => {
    const whole: JwtSigning = { algorithm: 'RS256', keyField: 'key', claims: { iss: '{app}' }, ...signing }
    return (await signJwt({ signing: whole, title: 'Acme', fields, now: NOW })).jwt
  }

  test.each([
    ['PKCS#1, as GitHub gives it', pkcs1],
    ['PKCS#8', pkcs8],
    ['with \\n for line ends, as in JSON', pkcs8.replaceAll('\n', '\\n')],
    ['with spaces around', `\n ${pkcs8} \n`],
  ])('RS256 with a key in %s', async (_, key) => {
    const { payload, protectedHeader } = await verify(await sign({}, { key, app: '7' }), pkcs8)
    expect(payload).toEqual({ iss: '7', iat: SECONDS, exp: SECONDS + 600 })
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT' })
  })

  test('ES256 with a key id (App Store Connect), HS256 with a shared secret (older Zoom apps)', async () => {
    const es = await sign(
      { algorithm: 'ES256', keyIdField: 'id', claims: { iss: '{issuer}', aud: 'appstoreconnect-v1' }, lifetime: 1200 },
      { key: ec, id: 'K1', issuer: 'i' },
    )
    const verified = await verify(es, ec)
    expect(verified.protectedHeader.kid).toBe('K1')
    expect(verified.payload).toMatchObject({ aud: 'appstoreconnect-v1', exp: SECONDS + 1200 })
    const secret = 'shared secret of the tests'
    const hs = await sign({ algorithm: 'HS256' }, { key: secret, app: '7' })
    await jwtVerify(hs, new TextEncoder().encode(secret), { currentDate: new Date(NOW), algorithms: ['HS256'] })
  })

  test('a claim of an empty field is left out; iat can lie back', async () => {
    const jwt = await sign(
      { claims: { iss: '{app}', sub: '{subject}' }, backdate: 60 },
      { key: pkcs8, app: '7', subject: '' },
    )
    expect((await verify(jwt, pkcs8)).payload).toEqual({ iss: '7', iat: SECONDS - 60, exp: SECONDS + 600 })
  })

  test.each<[string, Partial<JwtSigning>, Record<string, string>, string]>([
    ['no key', {}, { app: '7' }, 'jwt_field_missing'],
    ['no field of a claim', {}, { key: pkcs8 }, 'jwt_field_missing'],
    ['no key id', { keyIdField: 'id' }, { key: pkcs8, app: '7' }, 'jwt_field_missing'],
    ['not PEM', {}, { key: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC', app: '7' }, 'jwt_key_invalid'],
    [
      'a public key',
      {},
      { key: createPublicKey(pkcs8).export({ type: 'spki', format: 'pem' }).toString(), app: '7' },
      'jwt_key_invalid',
    ],
    ['an EC key for RS256', {}, { key: ec, app: '7' }, 'jwt_key_invalid'],
    ['an RSA key for ES256', { algorithm: 'ES256' }, { key: pkcs8, app: '7' }, 'jwt_key_invalid'],
    [
      'a short RSA key',
      {},
      {
        key: generateKeyPairSync('rsa', { modulusLength: 1024 })
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString(),
        app: '7',
      },
      'jwt_key_invalid',
    ],
    ['a short secret', { algorithm: 'HS256' }, { key: 'too short', app: '7' }, 'jwt_key_invalid'],
  ])('says what is wrong, and no key: %s', async (_, signing, fields, code) => {
    const error = (await sign(signing, fields).catch((reason: unknown) => reason)) as PlugworkError
    expect(error).toMatchObject({ code })
    if (fields['key'] !== undefined) {
      expect(`${error.message} ${String(error.cause)}`).not.toContain(fields['key'].slice(0, 40))
    }
  })
})

const FIELDS = { app_id: '12345', private_key: pkcs1, installation_id: '678' }
/** https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app */
const installation = (token: string, expiresAt: number): { status: number; body: unknown } => ({
  status: 201,
  body: {
    token,
    expires_at: new Date(expiresAt).toISOString(),
    permissions: { issues: 'write', contents: 'read' },
    repository_selection: 'selected',
  },
})

describe('GitHub App', () => {
  test('exchanges its JWT for an installation token', async () => {
    const clock = new VirtualClock(NOW)
    const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
    vendor.answer(installation('ghs_16C7e42F292c6912E7710c838347Ae178B4a', NOW + 3_600_000))
    const auth = at(vendor.origin, githubAppInstallation)
    const tokens = await oauth.obtain({ auth, client: null, settings: {}, fields: FIELDS, signal })
    expect(tokens).toEqual({
      accessToken: 'ghs_16C7e42F292c6912E7710c838347Ae178B4a',
      tokenType: 'bearer',
      expiresAt: NOW + 3_600_000,
      metadata: { permissions: { issues: 'write', contents: 'read' }, repository_selection: 'selected' },
    })
    const [sent] = vendor.seen
    expect(sent).toMatchObject({
      method: 'POST',
      place: 'api.github.com/app/installations/678/access_tokens',
      headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
    })
    const { payload } = await verify(sent!.headers['authorization']!.replace('Bearer ', ''), pkcs8)
    expect(payload).toEqual({ iss: '12345', iat: SECONDS - 60, exp: SECONDS + 540 })
  })

  test('an id cannot lead elsewhere', async () => {
    const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock: new VirtualClock(NOW) })
    const auth = at(vendor.origin, githubAppInstallation)
    const obtain = (installation_id: string): Promise<unknown> =>
      oauth.obtain({ auth, client: null, settings: {}, fields: { ...FIELDS, installation_id }, signal })
    vendor.answer({ status: 404, body: {} })
    await expect(obtain('1/../../user')).rejects.toMatchObject({
      code: 'oauth_refused',
      data: { error: 'unauthorized_client' },
    })
    expect(vendor.seen[0]!.place).toBe('api.github.com/app/installations/1%2F..%2F..%2Fuser/access_tokens')
    await expect(obtain('..')).rejects.toMatchObject({ code: 'jwt_field_missing' })
  })

  test('a refusal says what the service said, without the JWT', async () => {
    const clock = new VirtualClock(NOW)
    const source = createJwtCredentialSource({
      egress,
      auth: at(vendor.origin, githubAppInstallation),
      fields: FIELDS,
      now: () => clock.now(),
      method: 'app',
    })
    vendor.answer({ status: 401, body: { message: 'A JSON web token could not be decoded', status: '401' } })
    await expect(source.current(signal)).rejects.toMatchObject({
      code: 'oauth_refused',
      data: { error: 'invalid_client' },
      retryable: false,
      message: expect.stringContaining('could not be decoded') as string,
    })
    vendor.answer({ status: 502, body: 'Bad gateway' })
    await expect(source.current(signal)).rejects.toMatchObject({ code: 'oauth_unavailable', retryable: true })
    vendor.answer({ status: 201, body: { no: 'token' } })
    await expect(source.current(signal)).rejects.toMatchObject({ code: 'oauth_response_invalid' })
  })

  test('is kept until a minute before it expires, and fetched once for all who ask', async () => {
    const clock = new VirtualClock(NOW)
    const source = createJwtCredentialSource({
      egress,
      auth: at(vendor.origin, githubAppInstallation),
      fields: FIELDS,
      now: () => clock.now(),
      method: 'app',
    })
    vendor.answer(installation('one', NOW + 3_600_000), installation('two', NOW + 7_200_000))
    const all = await Promise.all(Array.from({ length: 20 }, () => source.current(signal)))
    expect(new Set(all.map(({ token }) => token))).toEqual(new Set(['one']))
    await clock.advance(3_539_000)
    expect((await source.current(signal)).token).toBe('one')
    expect(vendor.seen).toHaveLength(1)
    await clock.advance(2_000)
    expect(await source.current(signal)).toMatchObject({ token: 'two', method: 'app', expiresAt: NOW + 7_200_000 })
    expect(vendor.seen).toHaveLength(2)
  })

  test('a refused one is replaced once, whoever was refused', async () => {
    const clock = new VirtualClock(NOW)
    const source = createJwtCredentialSource({
      egress,
      auth: at(vendor.origin, githubAppInstallation),
      fields: FIELDS,
      now: () => clock.now(),
      method: 'app',
    })
    vendor.answer(installation('one', NOW + 3_600_000), installation('two', NOW + 3_600_000))
    const one = await source.current(signal)
    const [a, b] = await Promise.all([source.rejected(one, signal), source.rejected(one, signal)])
    expect([a?.token, b?.token]).toEqual(['two', 'two'])
    expect((await source.rejected(one, signal))?.token).toBe('two')
    expect(vendor.seen).toHaveLength(2)
  })

  test('one who gives up does not end the exchange of the others', async () => {
    const clock = new VirtualClock(NOW)
    const source = createJwtCredentialSource({
      egress,
      auth: at(vendor.origin, githubAppInstallation),
      fields: FIELDS,
      now: () => clock.now(),
      method: 'app',
    })
    vendor.answer(installation('one', NOW + 3_600_000))
    const controller = new AbortController()
    const first = source.current(controller.signal)
    const second = source.current(signal)
    controller.abort(new Error('gave up'))
    await expect(first).rejects.toThrow('gave up')
    expect((await second).token).toBe('one')
  })
})

test('a JWT that is the credential itself is signed anew before it expires', async () => {
  const clock = new VirtualClock(NOW)
  const auth: JwtAuth = {
    kind: 'jwt',
    title: 'Acme',
    help: 'For tests.',
    algorithm: 'ES256',
    keyField: 'key',
    claims: { iss: 'me' },
    lifetime: 100,
  }
  const source = createJwtCredentialSource({ egress, auth, fields: { key: ec }, now: () => clock.now(), method: 'jwt' })
  const { token } = await source.current(signal)
  await clock.advance(79_000)
  expect((await source.current(signal)).token).toBe(token)
  await clock.advance(2_000)
  const next = await source.current(signal)
  expect(next.token).not.toBe(token)
  expect(next.expiresAt).toBe(NOW + 181_000)
})

test('a Google service account asserts itself, with or without a subject', async () => {
  const clock = new VirtualClock(NOW)
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
  const fields = {
    client_email: 'robot@project.iam.gserviceaccount.com',
    private_key: pkcs8.replaceAll('\n', '\\n'),
    private_key_id: 'kid-1',
    subject: 'ada@example.com',
  }
  const auth = at(vendor.origin, googleServiceAccount)
  const obtain = (changed: Record<string, string>): Promise<unknown> =>
    oauth.obtain({ auth, client: null, settings: {}, fields: { ...fields, ...changed }, scopes: ['a', 'b'], signal })
  vendor.answer({
    body: { access_token: '1/8xbJqaOZXSUZbHLl5EOtu1pxz3fmmetKx9W8CV4t79M', token_type: 'Bearer', expires_in: 3600 },
  })
  expect(await obtain({})).toMatchObject({ expiresAt: NOW + 3_600_000 })
  const [sent] = vendor.seen
  expect(sent!.place).toBe('oauth2.googleapis.com/token')
  const { grant_type, assertion, ...more } = sent!.parameters
  expect([grant_type, more]).toEqual(['urn:ietf:params:oauth:grant-type:jwt-bearer', {}])
  const { payload, protectedHeader } = await verify(String(assertion), pkcs8)
  expect(protectedHeader.kid).toBe('kid-1')
  expect(payload).toEqual({
    iss: fields.client_email,
    sub: fields.subject,
    scope: 'a b',
    aud: 'https://oauth2.googleapis.com/token',
    iat: SECONDS,
    exp: SECONDS + 3600,
  })
  vendor.answer({ status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } })
  await expect(obtain({ subject: '' })).rejects.toMatchObject({
    code: 'oauth_refused',
    data: { error: 'invalid_grant' },
  })
  const again = await verify(String(vendor.seen[0]!.parameters['assertion']), pkcs8)
  expect(again.payload).not.toHaveProperty('sub')
})
