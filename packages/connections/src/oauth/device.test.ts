/** The device grant against a server that says each of the things of RFC 8628, on a clock that the tests own. */
import { createEgress, type OAuth2Auth } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createOAuth, type OAuth } from './create-oauth.ts'
import type { DeviceCode } from './device.ts'
import { createMemoryAuthStateStore } from './state-store.ts'
import { startVendorServer, type VendorAnswer, type VendorServer } from './testing/vendor-server.ts'

const NOW = Date.UTC(2026, 0, 1)
const client = { clientId: 'the-client' }
const egress = createEgress({ allow: ['127.0.0.1'] })
let vendor: VendorServer
let clock: VirtualClock
let oauth: OAuth
let auth: OAuth2Auth
let controller: AbortController

beforeAll(async () => {
  vendor = await startVendorServer()
})
afterAll(async () => {
  await egress.close()
  await vendor.close()
})
beforeEach(() => {
  clock = new VirtualClock(NOW)
  controller = new AbortController()
  oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
  auth = {
    kind: 'oauth2',
    title: 'Acme',
    help: 'For tests.',
    grant: 'device_code',
    tokenUrl: `${vendor.origin}/token`,
    deviceAuthorizationUrl: `${vendor.origin}/device`,
    defaultScopes: ['read'],
  }
})

const DEVICE: DeviceCode = {
  deviceCode: 'the-device-code-of-the-test',
  userCode: 'ABCD-EFGH',
  verificationUri: 'https://acme.example.com/device',
  expiresAt: NOW + 600_000,
  intervalMs: 5_000,
}
const PENDING: VendorAnswer = { status: 400, body: { error: 'authorization_pending' } }
const SLOW_DOWN: VendorAnswer = { status: 400, body: { error: 'slow_down' } }
const TOKEN: VendorAnswer = { body: { access_token: 'at', token_type: 'bearer' } }

/** Polls through `answers` and tells when each was asked for, in seconds from the start. */
async function poll(...answers: readonly VendorAnswer[]): Promise<{ times: number[]; outcome: unknown }> {
  vendor.answer(...answers)
  const times: number[] = []
  const end: { outcome: unknown } = { outcome: null }
  const polling = oauth.pollDeviceCode({ auth, client, settings: {}, device: DEVICE, signal: controller.signal }).then(
    (tokens) => (end.outcome = tokens),
    (error: unknown) => (end.outcome = error),
  )
  for (let at = 0; end.outcome === null && at <= answers.length + 1; at++) {
    const next = clock.next()
    if (next === null) break
    await clock.step()
    times.push((next - NOW) / 1000)
    // The request is real: its answer comes when the next timer is set, or the polling ends.
    await expect.poll(() => clock.next() !== null || end.outcome !== null, { interval: 2 }).toBe(true)
  }
  await polling
  return { times, outcome: end.outcome }
}

test('asks at the interval, five seconds slower after each slow_down', async () => {
  const { times, outcome } = await poll(PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, TOKEN)
  expect(times).toEqual([5, 10, 20, 30, 45])
  expect(outcome).toMatchObject({ accessToken: 'at' })
  expect(vendor.seen[0]!.parameters).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: DEVICE.deviceCode,
    client_id: 'the-client',
  })
})

test('asks at twice the interval after a failure of the network or the server', async () => {
  const { times, outcome } = await poll({ status: 503, body: '' }, { status: 429, body: '' }, PENDING, TOKEN)
  expect(times).toEqual([5, 15, 35, 55])
  expect(outcome).toMatchObject({ accessToken: 'at' })
})

test('pending is pending whatever its status is', async () => {
  const { outcome } = await poll(
    { status: 428, body: { error: 'authorization_pending', error_description: 'Precondition Required' } },
    { status: 200, body: { error: 'authorization_pending' } },
    TOKEN,
  )
  expect(outcome).toMatchObject({ accessToken: 'at' })
})

test('ends when somebody says no, when the provider says it expired, and on another refusal', async () => {
  expect((await poll({ status: 400, body: { error: 'access_denied' } })).outcome).toMatchObject({
    code: 'oauth_denied',
  })
  expect((await poll({ status: 400, body: { error: 'expired_token' } })).outcome).toMatchObject({
    code: 'oauth_device_expired',
  })
  const { outcome } = await poll({
    status: 400,
    body: { error: 'invalid_client', error_description: `for ${DEVICE.deviceCode}` },
  })
  expect(outcome).toMatchObject({ code: 'oauth_refused', data: { error: 'invalid_client' } })
  expect((outcome as Error).message).not.toContain(DEVICE.deviceCode)
})

test('ends by itself when the code has expired, without asking again', async () => {
  await clock.advance(598_000)
  vendor.answer(PENDING, PENDING)
  const polling = oauth.pollDeviceCode({ auth, client, settings: {}, device: DEVICE, signal: controller.signal })
  const failed = polling.catch((error: unknown) => error)
  await clock.step()
  expect(await failed).toMatchObject({ code: 'oauth_device_expired' })
  expect(vendor.seen).toEqual([])
})

test('ends when it is aborted', async () => {
  const polling = oauth.pollDeviceCode({ auth, client, settings: {}, device: DEVICE, signal: controller.signal })
  const failed = polling.catch((error: unknown) => error)
  controller.abort(new Error('enough'))
  expect(await failed).toMatchObject({ message: 'enough' })
  expect(clock.next()).toBeNull()
})

const request = (answer: VendorAnswer): Promise<DeviceCode> => {
  vendor.answer(answer)
  return oauth.requestDeviceCode({ auth, client, settings: {}, signal: controller.signal })
}
const CODE = {
  device_code: 'dc',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://acme.example.com/device',
  expires_in: 1800,
}

test('a device code is asked for with the scopes; five seconds is the default interval', async () => {
  expect(await request({ body: CODE })).toEqual({
    deviceCode: 'dc',
    userCode: 'WDJB-MJHT',
    verificationUri: 'https://acme.example.com/device',
    expiresAt: NOW + 1_800_000,
    intervalMs: 5_000,
  })
  expect(vendor.seen[0]!.parameters).toEqual({ scope: 'read', client_id: 'the-client' })
})

test("GitHub's form and Google's verification_url", async () => {
  const form = { ...CODE, expires_in: '900', interval: '7', verification_uri: 'https://github.com/login/device' }
  expect(await request({ type: 'text/plain', body: new URLSearchParams(form).toString() })).toMatchObject({
    verificationUri: 'https://github.com/login/device',
    intervalMs: 7_000,
    expiresAt: NOW + 900_000,
  })
  const { verification_uri: _, ...google } = { ...CODE, verification_url: 'https://www.google.com/device' }
  expect(await request({ body: google })).toMatchObject({ verificationUri: 'https://www.google.com/device' })
})

test('a page that is not https, and an answer that is none', async () => {
  for (const body of [{ ...CODE, verification_uri: 'javascript:alert(1)' }, { device_code: 'dc' }, {}]) {
    await expect(request({ body })).rejects.toMatchObject({ code: 'oauth_response_invalid' })
  }
  const { deviceAuthorizationUrl: _, ...without } = auth
  auth = without
  await expect(request({ body: CODE })).rejects.toMatchObject({ code: 'oauth_provider_invalid' })
})
