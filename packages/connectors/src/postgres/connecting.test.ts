/** Everything that can be wrong before the first statement: told with connection, field, rule and remedy. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '@plugwork/core'
import {
  freePort,
  postgres as service,
  postgresSpec,
  requireBinary,
  startBinary,
  type Daemon,
  type DatabaseServer,
} from '@plugwork/test-services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHarness, failure, rowsOf, type Harness } from '../sql/testing/server-harness.ts'
import { postgres } from './postgres.ts'

let server: DatabaseServer
let harness: Harness
/** Our own server: passwords are checked, and TLS is spoken with a certificate of our own. */
let own: Daemon
const certificates = mkdtempSync(join(tmpdir(), 'plugwork-tls-'))
const pem = (name: string): string => readFileSync(join(certificates, name), 'utf8')

beforeAll(async () => {
  server = await service()
  harness = createHarness(postgres)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: certificates, stdio: 'pipe' })
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
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
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=db.test',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  )
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
  const binary = await requireBinary(postgresSpec.binary)
  const { options, url } = postgresSpec.start(binary)
  own = await startBinary({
    ...options,
    ready: ({ port }) => postgresSpec.probe(new URL(url(port))),
    async command(place, user) {
      const command = await options.command(place, user)
      for (const name of ['server.key', 'server.crt']) {
        const file = join(place.directory, name)
        writeFileSync(file, pem(name), { mode: 0o600 })
        if (user !== null) chownSync(file, user.uid, user.gid)
      }
      const access = [
        'host all guarded 127.0.0.1/32 scram-sha-256',
        'hostssl all onlytls 127.0.0.1/32 trust',
        'hostnossl all onlytls 127.0.0.1/32 reject',
        'host all all 127.0.0.1/32 trust',
      ]
      writeFileSync(join(place.directory, 'data/pg_hba.conf'), access.join('\n'))
      const tls = [
        '-c',
        'ssl=on',
        '-c',
        `ssl_cert_file=${place.directory}/server.crt`,
        '-c',
        `ssl_key_file=${place.directory}/server.key`,
      ]
      return { ...command, args: [...command.args, ...tls] }
    },
  })
  const admin = await harness.open({ url: url(own.port) })
  for (const query of [
    "create user guarded password 'p%40ss:word'",
    'create user onlytls',
    'create user poor',
    'revoke create on schema public from public',
    'create table t (a integer)',
    'grant all on t to poor',
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
  database: 'postgres',
  user,
  ...more,
})
const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'

test.each<[string, JsonObject, string, RegExp]>([
  ['no host', { database: 'x', user: 'y' }, 'postgres_config', /Connection "main", host: it is missing/],
  [
    'no database',
    { url: 'postgres://me@db.example.com' },
    'postgres_config',
    /Connection "main", database: it is missing/,
  ],
  ['no user', { host: 'db', database: 'x' }, 'postgres_config', /Connection "main", user: it is missing/],
  [
    'another scheme',
    { url: 'mysql://me:secret@db/x' },
    'postgres_config',
    /url: it is not a URL that begins with postgres:\/\/ or postgresql:\/\//,
  ],
  ['no URL', { url: 'secret words' }, 'postgres_config', /url: it is not a URL/],
  [
    'unknown parameter',
    { url: 'postgres://me:secret@db/x?sslmoed=require' },
    'postgres_config',
    /"sslmoed" is not known/,
  ],
  ['unknown sslmode', { url: 'postgres://me:secret@db/x?sslmode=prefer' }, 'postgres_config', /"prefer" is not known/],
  ['broken escape', { url: 'postgres://me:sec%ret@db/x' }, 'postgres_config', /a % that is no escape/],
  [
    'half a certificate',
    { host: 'db', database: 'x', user: 'y', ssl: { cert: 'c' } },
    'postgres_config',
    /ssl\.key: a client certificate needs both/,
  ],
])('%s', async (_what, config, code, message) => {
  const error = await failure(harness.open(config))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
  expect(error.message).not.toMatch(/secret|sec%ret/)
})

test('a private address is denied with the entry that allows it', async () => {
  const strict = createHarness(postgres, [])
  const error = await failure(strict.open({ url: server.url }))
  expect(error.code).toBe('egress_denied')
  expect(error.message).toContain(`PLUGWORK_EGRESS_ALLOW=127.0.0.1:${server.port}`)
  await strict.close()
})

test('nobody listens, no such host, something else listens', async () => {
  const closed = await failure(harness.open({ host: '127.0.0.1', port: await freePort(), database: 'x', user: 'y' }))
  expect(closed).toMatchObject({
    code: 'postgres_unreachable',
    retryable: true,
    data: { connection: 'main', field: 'host' },
  })
  expect(closed.message).toMatch(/Connection "main", host: .*ECONNREFUSED.*Check `host` and `port`/)
  const unknown = await failure(harness.open({ host: 'no-such-host.invalid', database: 'x', user: 'y' }))
  expect(unknown).toMatchObject({ code: 'postgres_unreachable' })
  const stranger = createServer(
    (socket) =>
      void socket
        .on('error', () => undefined)
        .resume()
        .end('220 mail\r\n'),
  )
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  const { port } = stranger.address() as AddressInfo
  expect((await failure(harness.open({ host: '127.0.0.1', port, database: 'x', user: 'y' }))).code).toBe(
    'postgres_unreachable',
  )
  await new Promise((resolve) => stranger.close(resolve))
})

test('wrong password, unknown database', async () => {
  const wrong = await failure(harness.open(at('guarded', { password: 'nearly-right' })))
  expect(wrong).toMatchObject({ code: 'postgres_login', retryable: false, data: { field: 'password' } })
  expect(wrong.message).toMatch(/Connection "main", password: the server at 127\.0\.0\.1:\d+ refused user "guarded"/)
  expect(wrong.message).not.toContain('nearly-right')
  expect((await failure(harness.open(at('guarded')))).code).toBe('postgres_login')
  const missing = await failure(harness.open(at('postgres', { database: 'nowhere' })))
  expect(missing).toMatchObject({ code: 'postgres_database', data: { field: 'database' } })
  const right = await harness.open({ url: `postgres://guarded:p%2540ss%3Aword@127.0.0.1:${own.port}/postgres` })
  expect(await rowsOf(right, 'select current_user::text as who')).toEqual([{ who: 'guarded' }])
})

test('TLS: verified by authority and name, or by authority, or not at all', async () => {
  const unknown = await failure(harness.open(at('onlytls', { ssl: true })))
  expect(unknown).toMatchObject({ code: 'postgres_tls', retryable: false, data: { field: 'ssl' } })
  expect(unknown.message).toMatch(/Connection "main", ssl: TLS with .* failed .*ssl\.ca/)
  const ca = pem('ca.crt')
  expect((await failure(harness.open(at('onlytls', { ssl: { ca } })))).code).toBe('postgres_tls')
  const accepted: JsonObject[] = [{ ca, server_name: 'db.test' }, { ca, verify: 'ca' }, { verify: 'none' }]
  for (const ssl of accepted) {
    const client = await harness.open(at('onlytls', { ssl }))
    expect(await rowsOf(client, encrypted)).toEqual([{ ssl: true }])
    await client.close()
  }
  expect((await failure(harness.open(at('onlytls', { ssl: { verify: 'ca', ca: pem('server.crt') } })))).code).toBe(
    'postgres_tls',
  )
})

test('a server without TLS, where TLS is asked for; no TLS on the loopback by default', async () => {
  const refused = await failure(harness.open({ url: `${server.url}?sslmode=require` }))
  expect(refused.code).toBe('postgres_tls')
  expect(refused.message).toContain('ssl: false')
  const plain = await harness.open(at('postgres'))
  expect(await rowsOf(plain, encrypted)).toEqual([{ ssl: false }])
  expect((await failure(harness.open(at('onlytls')))).code).toBe('postgres_login')
})

test('cancelling works over TLS too', async () => {
  const client = await harness.open(
    at('onlytls', { ssl: { ca: pem('ca.crt'), server_name: 'db.test' }, pool: { size: 1 } }),
  )
  const controller = new AbortController()
  const running = failure(harness.act(client, 'query', { query: 'select pg_sleep(60)' }, { signal: controller.signal }))
  const admin = await harness.open(at('postgres'))
  const active = async (): Promise<unknown> =>
    (
      await rowsOf(admin, "select count(*) as n from pg_stat_activity where usename = 'onlytls' and state = 'active'")
    )[0]!['n']
  await expect.poll(active).toBe(1)
  controller.abort(new Error('enough'))
  expect((await running).message).toBe('enough')
  await expect.poll(active).toBe(0)
  expect(await rowsOf(client, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a user that may not make the table of keys is told what to do', async () => {
  const client = await harness.open(at('poor'))
  const error = await failure(harness.act(client, 'execute', { query: 'insert into t values (1)' }))
  expect(error.code).toBe('postgres_denied')
  expect(error.message).toMatch(/could not make or use its table _plugwork_applied .* exactly_once: false/)
  const without = await harness.open(at('poor', { exactly_once: false }))
  expect(await harness.act(without, 'execute', { query: 'insert into t values (1)' })).toMatchObject({
    rows_affected: 1,
  })
})

test('a server that is gone and comes back is used again', async () => {
  const { options, url } = postgresSpec.start(await requireBinary(postgresSpec.binary))
  const ready = ({ port }: { readonly port: number }): Promise<void> => postgresSpec.probe(new URL(url(port)))
  const first = await startBinary({ ...options, ready })
  const client = await harness.open({ url: url(first.port) })
  await first.stop()
  const gone = await failure(rowsOf(client, 'select 1'))
  expect(gone).toMatchObject({ code: 'postgres_unreachable', retryable: true })
  // The same port again.
  const again = await startBinary({
    ...options,
    ready: () => ready(first),
    command: (place, user) => options.command({ ...place, port: first.port }, user),
  })
  expect(await rowsOf(client, 'select 1 as one')).toEqual([{ one: 1 }])
  await again.stop()
})
