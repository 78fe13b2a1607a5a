import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { KeyRing, type Connector, type Egress, type EgressRequest } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ringKeyProvider } from '../keys/key-provider.ts'
import { createMemoryConnectionStore } from '../store/memory-connection-store.ts'
import { Vault } from '../vault/vault.ts'
import { createCertificates } from './certificates.ts'
import { ServiceWebhooks } from './service-webhooks.ts'
import { serviceOf } from './testing/services.ts'

const DAY = 24 * 60 * 60_000
const CERTIFICATE_URL = 'https://api.paypal.com/v1/notifications/certs/CERT-1'

let directory: string
let certificate: Buffer
let key: string
let asked: EgressRequest[]
let answer: { status: number; body: Uint8Array }
let clock: VirtualClock

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-certificate-'))
  const [keyFile, certificateFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=messageverificationcerts.paypal.com', '-days', '30']
  const out = ['-keyout', keyFile, '-out', certificateFile]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...out], { stdio: 'ignore' })
  certificate = readFileSync(certificateFile)
  key = readFileSync(keyFile, 'utf8')
})
afterAll(() => rmSync(directory, { recursive: true }))
beforeEach(() => {
  asked = []
  answer = { status: 200, body: certificate }
  clock = new VirtualClock(Date.now())
})

/** Only requests are made of it. */
const egress = {
  request: async (request: EgressRequest) => {
    asked.push(request)
    return { ...answer, headers: {}, url: request.url }
  },
} as unknown as Egress

test('a certificate is fetched once a day, without following redirects', async () => {
  const certificates = createCertificates({ egress, clock })
  const keys = await Promise.all([certificates(CERTIFICATE_URL), certificates(CERTIFICATE_URL)])
  expect(keys.map((one) => one.type)).toEqual(['public', 'public'])
  expect(asked).toMatchObject([{ url: CERTIFICATE_URL, redirect: 'manual' }])
  await clock.advance(DAY + 1)
  await certificates(CERTIFICATE_URL)
  expect(asked).toHaveLength(2)
})

test('what is no certificate, or not valid now, is an error, and asked for again', async () => {
  const certificates = createCertificates({ egress, clock })
  const unavailable = expect.objectContaining({ code: 'webhook_certificate_unavailable' })
  answer = { status: 302, body: certificate }
  await expect(certificates(CERTIFICATE_URL)).rejects.toEqual(unavailable)
  answer = { status: 200, body: Buffer.from('no certificate') }
  await expect(certificates(CERTIFICATE_URL)).rejects.toEqual(unavailable)
  answer = { status: 200, body: certificate }
  await certificates(CERTIFICATE_URL)
  await clock.advance(31 * DAY)
  await expect(certificates(CERTIFICATE_URL)).rejects.toEqual(unavailable)
  expect(asked).toHaveLength(4)
})

test('a webhook of PayPal is verified by the certificate that it names, if that lies at PayPal', async () => {
  const store = createMemoryConnectionStore()
  const keys = ringKeyProvider(new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }]))
  const webhooks = new ServiceWebhooks({
    store,
    vault: await Vault.open({ store, keys }),
    connectors: [serviceOf('paypal', 'paypal')] as readonly Connector[],
    egress,
    application: () => ({ secrets: ['WEBHOOK-ID'] }),
    clock,
  })
  const body = '{"id":"WH-1","type":"x"}'
  const time = new Date(clock.now()).toISOString()
  const signatureBy = (by: Parameters<typeof sign>[2]) =>
    sign('sha256', Buffer.from(`t1|${time}|WEBHOOK-ID|${crc32(body)}`), by).toString('base64')
  const send = async (url: string, signature: string) => {
    const headers = {
      'paypal-transmission-id': 't1',
      'paypal-transmission-time': time,
      'paypal-transmission-sig': signature,
      'paypal-cert-url': url,
      'paypal-auth-algo': 'SHA256withRSA',
    }
    const request = { method: 'POST', url: '/hooks/paypal', headers, body: Buffer.from(body) }
    return (await webhooks.receive({ connector: 'paypal', request, publicUrl: 'https://app.example/hooks/paypal' }))
      .status
  }
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  expect(await send('https://evil.example/v1/notifications/certs/CERT-1', signatureBy(own))).toBe(401)
  expect(asked).toEqual([])
  expect(await send(CERTIFICATE_URL, signatureBy(own))).toBe(401)
  expect(await send(CERTIFICATE_URL, signatureBy(key))).toBe(200)
  answer = { status: 500, body: Buffer.alloc(0) }
  expect(await send(`${CERTIFICATE_URL}2`, signatureBy(key))).toBe(503)
  expect(webhooks.metrics()['paypal']).toMatchObject({
    accepted: 1,
    rejected: { malformed: 1, wrong_signature: 1, unavailable: 1 },
  })
  await webhooks.close()
})
