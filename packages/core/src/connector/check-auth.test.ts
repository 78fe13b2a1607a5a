import { expect, test } from 'vitest'
import type { AuthMethod, JwtAuth, OAuth2Auth, StaticAuth } from './auth.ts'
import { checkAuth } from './check-auth.ts'

const fields = new Set(['token', 'private_key', 'app_id'])
const OAUTH: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Acme',
  help: 'Register an application.',
  grant: 'authorization_code',
  authorizationUrl: 'https://{region}.acme.example/authorize',
  tokenUrl: 'https://{region}.acme.example/token',
  connectionParameters: { region: { title: 'Region', pattern: 'eu|us', default: 'eu' } },
  tokenParameters: { id: '{client_id}' },
  keepAlive: '24h',
}
const JWT: JwtAuth = {
  kind: 'jwt',
  title: 'Acme',
  help: 'A key.',
  algorithm: 'RS256',
  keyField: 'private_key',
  claims: { iss: '{app_id}' },
  exchange: { url: 'https://acme.example/{app_id}', method: 'POST', tokenPath: 'token' },
}
const STATIC: StaticAuth = { kind: 'bearer', title: 'Token', help: 'Make one.', fields: ['token'] }

test.each<[string, AuthMethod]>([
  ['OAuth 2', OAUTH],
  ['JWT', JWT],
  ['a secret', STATIC],
  ['a server of this machine', { ...OAUTH, authorizationUrl: 'http://127.0.0.1:7/a', tokenUrl: 'http://localhost/t' }],
])('nothing is wrong with %s', (_, auth) => {
  expect(checkAuth('main', auth, fields)).toEqual([])
})

test.each<[string, AuthMethod, RegExp]>([
  ['no page', { ...OAUTH, authorizationUrl: undefined }, /grant authorization_code, but no authorizationUrl/],
  ['no device URL', { ...OAUTH, grant: 'device_code' }, /no deviceAuthorizationUrl/],
  ['no assertion', { ...OAUTH, grant: 'jwt_bearer' }, /no assertion/],
  ['no issuer', { ...OAUTH, issRequired: true }, /issRequired, but no issuer/],
  ['GET with a body', { ...OAUTH, tokenMethod: 'GET' }, /without bodyFormat query/],
  ['no duration', { ...OAUTH, keepAlive: 'often' }, /no duration such as 24h/],
  ['a setting nobody declared', { ...OAUTH, tokenUrl: 'https://{host}/token' }, /\{host\} in tokenUrl/],
  ['a secret in the browser', { ...OAUTH, authorizationParameters: { s: '{client_secret}' } }, /\{client_secret\}/],
  ['plain http', { ...OAUTH, revocationUrl: 'http://acme.example/revoke' }, /revocationUrl that is not https/],
  ['http like this machine', { ...OAUTH, tokenUrl: 'http://localhost.acme.example/t' }, /tokenUrl that is not https/],
  [
    'a broken pattern',
    { ...OAUTH, connectionParameters: { region: { title: 'R', pattern: '(' } } },
    /no regular expression/,
  ],
  [
    'a default outside',
    { ...OAUTH, connectionParameters: { region: { title: 'R', pattern: 'eu', default: 'us' } } },
    /default for region/,
  ],
  ['a key that is no field', { ...JWT, keyField: 'key' }, /signs with "key"/],
  ['a claim that is no field', { ...JWT, claims: { iss: '{issuer}' } }, /\{issuer\} in the claim iss/],
  ['an exchange over http', { ...JWT, exchange: { ...JWT.exchange!, url: 'http://acme.example/' } }, /not https/],
  ['a field nobody has', { ...STATIC, fields: ['key'] }, /asks for "key"/],
  ['no help', { ...STATIC, help: ' ' }, /no help/],
  ['sending nothing', { ...STATIC, send: { in: 'header', name: 'x', template: 'token' } }, /without \{token\}/],
])('says what is wrong: %s', (_, auth, problem) => {
  const problems = checkAuth('main', auth, fields)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(problem)
})
