import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findOAuthClient, readOAuthClients, type OAuthClientSettings } from './oauth-clients.ts'
import { readSettings } from './settings.ts'

const secrets = { get: (name: string) => (name === 'GH' ? 'client-secret' : null) }
const read = (raw: unknown): OAuthClientSettings => {
  const outcome = readOAuthClients(raw)
  if ('problem' in outcome) throw new Error(outcome.problem)
  return outcome.value
}
const find = (raw: unknown, environment: Record<string, string> = {}, connector = 'github') =>
  findOAuthClient({ connector, clients: read(raw), environment, secrets })

test('a registration names its secret, and may have settings', () => {
  const file = { github: { client_id: 'Iv1', client_secret: '${secrets.GH}', host: 'github.example.com' } }
  expect(find(file)).toEqual({
    clientId: 'Iv1',
    clientSecret: 'client-secret',
    settings: { host: 'github.example.com' },
  })
  expect(find(JSON.stringify(file))).toEqual(find(file))
  expect(find({ github: { client_id: 'public' } })).toEqual({ clientId: 'public' })
  expect(find({}, {}, 'slack')).toBeNull()
  expect(find({}, {}, 'constructor')).toBeNull()
})

test('the environment comes first', () => {
  const environment = { PLUGWORK_GITHUB_CLIENT_ID: 'other', PLUGWORK_GITHUB_CLIENT_SECRET: 'from the environment' }
  expect(find({ github: { client_id: 'Iv1', client_secret: '${secrets.GH}' } }, environment)).toEqual({
    clientId: 'other',
    clientSecret: 'from the environment',
  })
  expect(readSettings({ directory: '/nowhere', environment, workingDirectory: '/nowhere' }).problems).toEqual([])
})

test('a secret in the file is refused, and not shown', () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-clients-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(
    join(directory, 'plugwork.yaml'),
    'connectors: { github: { client_id: a, client_secret: very-secret } }',
  )
  const reading = () => readSettings({ directory, environment: {}, workingDirectory: directory })
  expect(reading).toThrow(/plugwork\.yaml:1 must be a map in which the `client_secret` of `github`/)
  expect(reading).not.toThrow(/very-secret/)
})

test('a secret that is not set is named', () => {
  expect(() => find({ github: { client_id: 'Iv1', client_secret: '${secrets.GONE}' } })).toThrow(
    /connectors\.github\.client_secret names the secret GONE/,
  )
})

test.each([
  ['no map', [], /a map of connectors/],
  ['text that is no JSON', 'github', /a map of connectors/],
  ['a connector that is no map', { github: 'Iv1' }, /`github` has a `client_id`/],
  ['no id', { github: {} }, /`client_id` that is text/],
  ['a secret in the open', { github: { client_id: 'a', client_secret: 'very-secret' } }, /\$\{secrets\.NAME\}/],
  ['a setting that is no text', { github: { client_id: 'a', host: 1 } }, /all settings of `github` are text/],
])('%s is refused without showing it', (_, raw, message) => {
  expect(() => read(raw)).toThrow(message)
  expect(() => read(raw)).not.toThrow(/very-secret/)
})
