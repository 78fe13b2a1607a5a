import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Template, WebhookAuth } from '@plugwork/core'
import type { Incoming } from '../http/incoming.ts'
import { checkWebhookAuth } from './webhook-auth.ts'

const literal = (value: string): Template => ({ kind: 'literal', value })
const resolve = async (template: Template) => (template.kind === 'literal' ? String(template.value) : '')

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

function call(auth: WebhookAuth, headers: Record<string, string>, body = '', now = 0, search = '') {
  const incoming = { method: 'POST', path: '/webhooks/x', search, header: (name: string) => headers[name] } as Incoming
  const certificates = async () => publicKey
  const baseUrl = () => 'https://hooks.example.com'
  return checkWebhookAuth({ auth, incoming, now, baseUrl, body: async () => Buffer.from(body), resolve, certificates })
}

const refused = expect.objectContaining({ code: 'unauthenticated' })

describe('hmac', () => {
  // Vectors of the vendors: docs.github.com "validating-webhook-deliveries", and octokit's own tests.
  const github = (secret: string): WebhookAuth => ({
    type: 'hmac',
    header: 'X-Hub-Signature-256',
    secret: literal(secret),
    algorithm: 'sha256',
    encoding: 'hex',
    prefix: 'sha256=',
  })
  const secret = "It's a Secret to Everybody"
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'

  test('accepts a vendor’s published signature', async () => {
    const other = 'sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3'
    await expect(call(github(secret), { 'x-hub-signature-256': signature }, 'Hello, World!')).resolves.toEqual({})
    await expect(call(github('mysecret'), { 'x-hub-signature-256': other }, '{"foo":"bar"}')).resolves.toEqual({})
  })

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['without its prefix', signature.slice(7)],
    ['truncated', signature.slice(0, -2)],
    ['of another algorithm', `sha256=${createHmac('sha1', secret).update('Hello, World!').digest('hex')}`],
    ['not hex', 'sha256=zz'],
    ['of another body', `sha256=${createHmac('sha256', secret).update('Hello, World').digest('hex')}`],
  ])('refuses a signature that is %s', async (_, value) => {
    const headers: Record<string, string> = value === undefined ? {} : { 'x-hub-signature-256': value }
    await expect(call(github(secret), headers, 'Hello, World!')).rejects.toEqual(refused)
  })

  test('signs the exact bytes: a body that was serialised again is refused', async () => {
    const headers = { 'x-hub-signature-256': 'sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3' }
    await expect(call(github('mysecret'), headers, '{"foo": "bar"}')).rejects.toEqual(refused)
  })

  test('takes base64', async () => {
    const auth: WebhookAuth = {
      type: 'hmac',
      header: 'X-Sig',
      secret: literal('k'),
      algorithm: 'sha512',
      encoding: 'base64',
    }
    const value = createHmac('sha512', 'k').update('b').digest('base64')
    await call(auth, { 'x-sig': value }, 'b')
    await expect(call(auth, { 'x-sig': value.slice(4) }, 'b')).rejects.toEqual(refused)
  })

  test('an empty secret lets nobody in', async () => {
    const headers = { 'x-hub-signature-256': `sha256=${createHmac('sha256', '').update('b').digest('hex')}` }
    await expect(call(github(''), headers, 'b')).rejects.toMatchObject({ code: 'webhook_secret_missing' })
  })
})

describe('keys, tokens and passwords', () => {
  const apiKey: WebhookAuth = { type: 'api_key', header: 'X-API-Key', key: literal('k1') }
  const bearer: WebhookAuth = { type: 'bearer', token: literal('t1') }
  const basic: WebhookAuth = { type: 'basic', username: literal('u'), password: literal('p:w') }
  const encoded = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

  test('let in who has them', async () => {
    await expect(call(apiKey, { 'x-api-key': 'k1' })).resolves.toEqual({})
    await expect(call(bearer, { authorization: 'bearer t1' })).resolves.toEqual({})
    await expect(call(basic, { authorization: encoded('u:p:w') })).resolves.toEqual({})
  })

  test.each<[WebhookAuth, Record<string, string>]>([
    [apiKey, {}],
    [apiKey, { 'x-api-key': '' }],
    [apiKey, { 'x-api-key': 'k' }],
    [apiKey, { 'x-api-key': 'k12' }],
    [bearer, {}],
    [bearer, { authorization: 't1' }],
    [bearer, { authorization: 'Basic t1' }],
    [bearer, { authorization: 'Bearer t2' }],
    [basic, {}],
    [basic, { authorization: encoded('u:p') }],
    [basic, { authorization: encoded('x:p:w') }],
    [basic, { authorization: 'Basic !!!' }],
  ])('keep out who has not: %o %o', async (auth, headers) => {
    await expect(call(auth, headers)).rejects.toEqual(refused)
  })

  test('basic auth answers with a challenge', async () => {
    await expect(call(basic, {})).rejects.toMatchObject({
      headers: { 'www-authenticate': expect.stringContaining('Basic') },
    })
  })
})

describe('hmac with a signed time', () => {
  const auth: WebhookAuth = {
    type: 'hmac',
    header: 'X-Sig',
    secret: literal('k'),
    algorithm: 'sha256',
    encoding: 'hex',
    timestamp: { header: 'X-Time', toleranceMs: 60_000, signed: 'v1:{timestamp}:{body}' },
  }
  const sent = (time: string, body = '{}', text = `v1:${time}:${body}`) =>
    [{ 'x-sig': createHmac('sha256', 'k').update(text).digest('hex'), 'x-time': time }, body] as const
  const NOW = 1_700_000_000_000

  test.each(['1700000000', '1700000000000', '2023-11-14T22:13:20Z', '1700000059', '1699999941'])(
    'accepts %s',
    async (time) => {
      await expect(call(auth, ...sent(time), NOW)).resolves.toEqual({
        delivery: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
    },
  )

  test.each(['1700000061', '1699999939', '', '+1700000000', ' 1700000000', '1.7e9', 'now'])(
    'refuses "%s", whoever signed it',
    async (time) => {
      await expect(call(auth, ...sent(time), NOW)).rejects.toEqual(refused)
    },
  )

  test('a time that is not among what was signed is refused', async () => {
    const [headers, body] = sent('1700000000', '{}', '{}')
    await expect(call(auth, headers, body, NOW)).rejects.toEqual(refused)
    const [signed] = sent('1690000000')
    await expect(call(auth, { ...signed, 'x-time': '1700000000' }, '{}', NOW)).rejects.toEqual(refused)
    const { 'x-time': _, ...without } = signed
    await expect(call(auth, without, '{}', NOW)).rejects.toEqual(refused)
  })

  test('the same request again has the name of the first, another one has not', async () => {
    const name = async (time: string, body: string) => (await call(auth, ...sent(time, body), NOW)).delivery
    expect(await name('1700000000', '{}')).toBe(await name('1700000000', '{}'))
    expect(await name('1700000001', '{}')).not.toBe(await name('1700000000', '{}'))
    expect(await name('1700000000', '[]')).not.toBe(await name('1700000000', '{}'))
  })
})

describe('signature', () => {
  const of = (provider: 'paypal' | 'microsoft_graph'): WebhookAuth => ({
    type: 'signature',
    provider,
    secret: literal('s1'),
  })

  test('a certificate from elsewhere is not even fetched', async () => {
    const headers = { 'paypal-cert-url': 'https://evil.example/cert.pem' }
    await expect(call(of('paypal'), headers, '{}')).rejects.toEqual(refused)
  })

  test('Microsoft Graph is told its token, and is let in by its secret', async () => {
    await expect(call(of('microsoft_graph'), {}, '', 0, 'validationToken=a+b')).resolves.toEqual({ challenge: 'a b' })
    await expect(call(of('microsoft_graph'), {}, '{"value":[{"clientState":"s1"}]}')).resolves.toMatchObject({
      kind: 'valid',
    })
    await expect(call(of('microsoft_graph'), {}, '{"value":[{"clientState":"s2"}]}')).rejects.toEqual(refused)
  })
})
