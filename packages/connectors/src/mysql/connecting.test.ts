/** Everything that can be wrong before the first statement: told with connection, field, rule and remedy. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '@plugwork/core'
import { freePort, mysql as service, mysqlSpec, requireBinary, startBinary, type Daemon } from '@plugwork/test-services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHarness, failure, rowsOf, type Harness } from '../sql/testing/server-harness.ts'
import { mysql } from './mysql.ts'

let harness: Harness
/** Our own server: a user with a password, and TLS with a certificate of our own. */
let own: Daemon
const certificates = mkdtempSync(join(tmpdir(), 'plugwork-tls-'))
const pem = (name: string): string => readFileSync(join(certificates, name), 'utf8')

beforeAll(async () => {
  harness = createHarness(mysql)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: certificates, stdio: 'pipe' })
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test ca',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  )
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=db.test', '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(join(certificates, 'ext'), 'subjectAltName=DNS:db.test')
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'ext',
    '-out',
    'server.crt',
  )
  const { options, url } = mysqlSpec.start(await requireBinary(mysqlSpec.binary))
  own = await startBinary({
    ...options,
    ready: ({ port }) => mysqlSpec.probe(new URL(url(port))),
    async command(place, user) {
      const command = await options.command(place, user)
      for (const name of ['server.key', 'server.crt', 'ca.crt']) {
        const file = join(place.directory, name)
        writeFileSync(file, pem(name), { mode: 0o600 })
        if (user !== null) chownSync(file, user.uid, user.gid)
      }
      const tls = ['ssl-ca=ca.crt', 'ssl-cert=server.crt', 'ssl-key=server.key'].map((option) => {
        const [name, file] = option.split('=')
        return `--${name}=${join(place.directory, file!)}`
      })
      return { ...command, args: [...command.args, ...tls] }
    },
  })
  const admin = await harness.open({ url: url(own.port) })
  for (const query of [
    'create database app',
    "create user guarded identified by 'p%40ss:word'",
    'create user onlytls require ssl',
    'grant all on app.* to guarded',
    'grant all on app.* to onlytls',
  ]) {
    await harness.act(admin, 'execute', { query })
  }
})
afterAll(async () => {
  await harness.close()
  await own?.stop()
  rmSync(certificates, { recursive: true, force: true })
})

const at = (user: string, more: JsonObject = {}): JsonObject => ({
  host: '127.0.0.1',
  port: own.port,
  database: 'app',
  user,
  ...more,
})
const cipher =
  "select variable_value <> '' as tls from information_schema.session_status where variable_name = 'ssl_cipher'"

test('a private address is denied with the entry that allows it', async () => {
  const strict = createHarness(mysql, [])
  const { url, port } = await service()
  const error = await failure(strict.open({ url }))
  expect(error.code).toBe('egress_denied')
  expect(error.message).toContain(`PLUGWORK_EGRESS_ALLOW=127.0.0.1:${port}`)
  await strict.close()
})

test('nobody listens; the URL is of another database', async () => {
  const closed = await failure(harness.open({ host: '127.0.0.1', port: await freePort(), database: 'x', user: 'y' }))
  expect(closed).toMatchObject({
    code: 'mysql_unreachable',
    retryable: true,
    data: { connection: 'main', field: 'host' },
  })
  const other = await failure(harness.open({ url: 'postgres://me:secret@db/x' }))
  expect(other).toMatchObject({ code: 'mysql_config', data: { field: 'url' } })
  expect(other.message).not.toContain('secret')
})

test('wrong password, no password, unknown database', async () => {
  const wrong = await failure(harness.open(at('guarded', { password: 'nearly-right' })))
  expect(wrong).toMatchObject({ code: 'mysql_login', retryable: false, data: { field: 'password' } })
  expect(wrong.message).toMatch(/Connection "main", password: the server at 127\.0\.0\.1:\d+ refused user "guarded"/)
  expect(wrong.message).not.toContain('nearly-right')
  expect((await failure(harness.open(at('guarded')))).code).toBe('mysql_login')
  const missing = await failure(harness.open(at('root', { database: 'nowhere' })))
  expect(missing).toMatchObject({ code: 'mysql_database', data: { field: 'database' } })
  const right = await harness.open({ url: `mysql://guarded:p%2540ss%3Aword@127.0.0.1:${own.port}/app` })
  expect(await rowsOf(right, 'select current_user() as who')).toEqual([{ who: 'guarded@%' }])
})

test('TLS: verified by authority and name, or by authority, or not at all', async () => {
  const unknown = await failure(harness.open(at('onlytls', { ssl: true })))
  expect(unknown).toMatchObject({ code: 'mysql_tls', retryable: false, data: { field: 'ssl' } })
  expect(unknown.message).toMatch(/Connection "main", ssl: TLS with .* failed .*ssl\.ca/)
  const ca = pem('ca.crt')
  expect((await failure(harness.open(at('onlytls', { ssl: { ca } })))).code).toBe('mysql_tls')
  const accepted: JsonObject[] = [{ ca, server_name: 'db.test' }, { ca, verify: 'ca' }, { verify: 'none' }]
  for (const ssl of accepted) {
    const client = await harness.open(at('onlytls', { ssl }))
    expect(await rowsOf(client, cipher)).toEqual([{ tls: 1 }])
    await client.close()
  }
  expect((await failure(harness.open(at('onlytls', { ssl: { ca, server_name: 'other.test' } })))).code).toBe(
    'mysql_tls',
  )
  const plain = await harness.open(at('root'))
  expect(await rowsOf(plain, cipher)).toEqual([{ tls: 0 }])
})

test('a server without TLS, where TLS is asked for', async () => {
  const { options, url } = mysqlSpec.start(await requireBinary(mysqlSpec.binary))
  const server = await startBinary({
    ...options,
    ready: ({ port }) => mysqlSpec.probe(new URL(url(port))),
    async command(place, user) {
      const command = await options.command(place, user)
      return { ...command, args: [...command.args, '--skip-ssl'] }
    },
  })
  try {
    const refused = await failure(harness.open({ url: `${url(server.port)}?ssl-mode=REQUIRED` }))
    expect(refused.code).toBe('mysql_tls')
    expect(refused.message).toContain('ssl: false')
    const client = await harness.open({ url: url(server.port) })
    await server.stop()
    expect((await failure(rowsOf(client, 'select 1'))).code).toBe('mysql_unreachable')
  } finally {
    await server.stop()
  }
})
