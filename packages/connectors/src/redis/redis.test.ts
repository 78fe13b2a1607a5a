import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract, type ConnectorEnvironment } from '@plugwork/core/testing'
import { freePort, redis as redisServer, requireBinary, startBinary, type Daemon } from '@plugwork/test-services'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failureOf, openCaller, type Caller, type CallerOptions } from '../testing/call-actions.ts'
import { runExample } from '../testing/run-example.ts'
import { redis } from './redis.ts'
import type { RedisSession } from './session.ts'

let server: Awaited<ReturnType<typeof redisServer>>
beforeAll(async () => {
  server = await redisServer()
})

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
afterAll(async () => {
  const { call, close } = await openCaller(redis, { url: server.url, key_prefix: server.prefix })
  const { keys } = await call('scan', { limit: 100_000 })
  if ((keys as string[]).length > 0) await call('delete', { key: keys })
  await close()
})

async function connect(config: object = {}, options?: CallerOptions): Promise<Caller<RedisSession>> {
  const given = 'url' in config || 'host' in config ? config : { url: server.url, ...config }
  const caller = await openCaller<RedisSession>(redis, { key_prefix: server.prefix, ...given }, options)
  open.push(caller.close)
  return caller
}

/** A server of this file's own, to be stopped and killed. */
async function ownServer(...args: string[]): Promise<Daemon & { readonly url: string; restart(): Promise<void> }> {
  const binary = await requireBinary({ names: ['redis-server', 'valkey-server'], packageName: 'redis-server' })
  let current: Daemon | null = null
  const start = async (port?: number): Promise<Daemon> =>
    startBinary({
      name: 'redis',
      command: (place) => ({
        command: binary,
        args: ['--port', `${port ?? place.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args],
      }),
      ...(port === undefined ? {} : { ready: async () => (await openCaller(redis, { port })).close() }),
    })
  const first = await start()
  current = first
  open.push(async () => current?.stop())
  return {
    ...first,
    url: `redis://127.0.0.1:${first.port}`,
    async stop() {
      await current?.stop()
      current = null
    },
    async restart() {
      await current?.stop()
      current = await start(first.port)
    },
  }
}

/** A server that accepts and never answers. */
async function silentServer(): Promise<number> {
  const sockets = new Set<Socket>()
  const silent: Server = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })
  return (silent.address() as AddressInfo).port
}

describeConnectorContract(redis, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const egress = createEgress({ allow: ['127.0.0.1', 'localhost'] })
  const list = [{ action: 'rpush', input: { key: 'l', values: ['a', 'b'] } }]
  const hash = [{ action: 'hset', input: { key: 'h', values: { a: '1' } } }]
  const stream = [
    { action: 'xadd', input: { key: 's', fields: { a: '1' } } },
    { action: 'xreadgroup', input: { key: 's', group: 'g', consumer: 'c', create: true } },
  ]
  return {
    config: { url: server.url, key_prefix: `${server.prefix}contract:` },
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'set', input: { key: 'k', value: 'v', ttl: '10m' } },
      { action: 'get', input: { key: 'k' } },
      { action: 'exists', input: { key: 'k' } },
      { action: 'expire', input: { key: 'k', ttl: 60 } },
      { action: 'ttl', input: { key: 'k' } },
      { action: 'persist', input: { key: 'k' } },
      { action: 'incr', input: { key: 'n' } },
      { action: 'mset', input: { values: { a: 1 } } },
      { action: 'mget', input: { keys: ['a', 'nothing'] } },
      { action: 'scan', input: {} },
      { action: 'hset', input: { key: 'h', values: { a: 1 } } },
      { action: 'hget', input: { key: 'h', field: 'a' } },
      { action: 'hgetall', input: { key: 'h' } },
      { action: 'hdel', input: { key: 'h', field: 'a' }, before: hash },
      { action: 'lpush', input: { key: 'l', values: ['x'] } },
      { action: 'rpush', input: { key: 'l', values: ['x'] } },
      { action: 'lpop', input: { key: 'l' }, before: list },
      { action: 'rpop', input: { key: 'l', count: 2 }, before: list },
      { action: 'lrange', input: { key: 'l' }, before: list },
      { action: 'llen', input: { key: 'l' } },
      { action: 'sadd', input: { key: 'm', members: ['a'] } },
      { action: 'smembers', input: { key: 'm' } },
      { action: 'sismember', input: { key: 'm', member: 'a' } },
      { action: 'srem', input: { key: 'm', members: ['a'] } },
      { action: 'xadd', input: { key: 's', fields: { a: 1 } } },
      { action: 'xlen', input: { key: 's' } },
      { action: 'xrange', input: { key: 's' } },
      { action: 'xread', input: { key: 's' } },
      { action: 'xreadgroup', input: { key: 's', group: 'g', consumer: 'c' }, before: stream },
      { action: 'xack', input: { key: 's', group: 'g', ids: ['1-1'] }, before: stream },
      { action: 'publish', input: { channel: 'c', message: 'm' } },
      { action: 'delete', input: { key: ['k', 'n', 'a', 'h', 'l', 'm', 's'] } },
    ],
    close: () => egress.close(),
  }
})

describe('values', () => {
  test('text, numbers, bytes and JSON come back as they were', async () => {
    const { call } = await connect()
    const bytes = Buffer.from([0, 255, 13, 10, 128]).toString('base64')
    for (const [value, options, read = value] of [
      ['grün \r\n\0 ✓', {}],
      ['', {}],
      ['\uFEFFwith a mark', {}],
      [1.5, {}, '1.5'],
      [true, {}, 'true'],
      [{ base64: bytes }, {}],
      [{ base64: 'aGk=' }, {}, 'hi'],
      [{ base64: 'aGk=' }, { base64: true }],
      [{ a: [1, null, 'x'] }, { json: true }],
      [null, { json: true }],
      ['x', { json: true }],
      [{ base64: 'aGk=' }, { json: true }],
    ] as const) {
      await call('set', { key: 'v', value, ...options })
      expect([value, await call('get', { key: 'v', ...options })]).toEqual([value, { value: read, found: true }])
    }
    expect(await call('get', { key: 'nothing' })).toEqual({ value: null, found: false })
  })

  test('what cannot be stored or read says so, and what to do', async () => {
    const { call } = await connect()
    for (const value of [{ a: 1 }, [1], null]) {
      const { code, message } = await failureOf(call('set', { key: 'v', value }))
      expect([code, message]).toEqual(['redis_value', expect.stringContaining('`json: true`') as string])
    }
    expect((await failureOf(call('set', { key: 'v', value: { base64: '%%%' } }))).message).toContain('not base64')
    await call('set', { key: 'v', value: 'no json' })
    expect((await failureOf(call('get', { key: 'v', json: true }))).code).toBe('redis_value')
  })

  test('integers beyond 2^53 are text', async () => {
    const { call } = await connect()
    await call('set', { key: 'big', value: '9007199254740991' })
    expect(await call('incr', { key: 'big' })).toEqual({ value: '9007199254740992' })
    expect(await call('incr', { key: 'big', by: '-9007199254740990' })).toEqual({ value: 2 })
    expect(await call('incr', { key: 'fresh', by: '9223372036854775807' })).toEqual({ value: '9223372036854775807' })
    const overflow = await failureOf(call('incr', { key: 'fresh' }))
    expect([overflow.code, overflow.retryable]).toEqual(['redis_value', false])
  })
})

describe('keys', () => {
  test('set with its conditions and times', async () => {
    const { call } = await connect()
    expect(await call('set', { key: 'c', value: 1, xx: true })).toEqual({ set: false, previous: null })
    expect(await call('set', { key: 'c', value: 1, nx: true, ttl: '90s' })).toEqual({ set: true, previous: null })
    expect(await call('set', { key: 'c', value: 2, nx: true })).toEqual({ set: false, previous: null })
    expect(await call('set', { key: 'c', value: 3, get: true, keep_ttl: true })).toEqual({ set: true, previous: '1' })
    expect(await call('set', { key: 'c', value: 4, get: true, xx: true, keep_ttl: true })).toMatchObject({ set: true })
    const { ttl } = await call('ttl', { key: 'c' })
    expect(ttl).toBeGreaterThan(60)
    expect(await call('persist', { key: 'c' })).toEqual({ removed: true })
    expect(await call('ttl', { key: 'c' })).toEqual({ ttl: null, exists: true })
    expect(await call('ttl', { key: 'nothing' })).toEqual({ ttl: null, exists: false })
    expect(await call('set', { key: 'gone', value: 1, get: true, xx: true })).toEqual({ set: false, previous: null })
    for (const wrong of [
      { nx: true, xx: true },
      { nx: true, get: true },
      { ttl: 1, keep_ttl: true },
    ]) {
      expect((await failureOf(call('set', { key: 'c', value: 1, ...wrong }))).code).toBe('redis_input')
    }
    await call('set', { key: 'short', value: 1, ttl: '30ms' })
    await expect.poll(async () => (await call('exists', { key: 'short' }))['exists']).toBe(false)
  })

  test('a prefix is the connection’s own business', async () => {
    const { call } = await connect({ key_prefix: `${server.prefix}p[*]:` })
    const outside = await connect({ key_prefix: `${server.prefix}pX:` })
    await outside.call('set', { key: 'other', value: 1 })
    await call('mset', { values: { a: 1, b: '2' } })
    expect((await call('scan', {}))['keys']).toHaveLength(2)
    expect(await call('mget', { keys: ['a', 'b', 'other'] })).toEqual({ values: ['1', '2', null], found: 2 })
    expect(await call('exists', { key: ['a', 'b', 'other'] })).toEqual({ exists: false, count: 2 })
    expect(await call('delete', { key: ['a', 'other'] })).toEqual({ deleted: 1 })
    expect(await outside.call('get', { key: 'other' })).toMatchObject({ found: true })
  })

  test('scan goes through all keys by pages', async () => {
    const caller = await connect({ key_prefix: `${server.prefix}scan:` })
    const values = Object.fromEntries(Array.from({ length: 2_500 }, (_, index) => [`k${index}`, index]))
    await caller.call('mset', { values })
    await caller.call('rpush', { key: 'list', values: [1] })
    const seen = new Set<string>()
    let input: object | null = { match: 'k*', limit: 100 }
    let pages = 0
    while (input !== null) {
      const output = await caller.call('scan', input)
      for (const key of output['keys'] as string[]) seen.add(key)
      pages += 1
      input = redis.actions.scan.pages!.next(input as never, output as never)
    }
    expect(seen.size).toBe(2_500)
    expect(pages).toBeGreaterThan(5)
    expect(await caller.call('scan', { type: 'list' })).toEqual({ keys: ['list'], count: 1, cursor: null })
  })
})

describe('collections', () => {
  test('hashes', async () => {
    const { call } = await connect()
    expect(await call('hset', { key: 'h', values: { a: 1, b: { base64: '/w==' } } })).toEqual({ added: 2 })
    expect(await call('hset', { key: 'h', values: {} })).toEqual({ added: 0 })
    expect(await call('hgetall', { key: 'h' })).toEqual({ values: { a: '1', b: { base64: '/w==' } }, count: 2 })
    expect(await call('hget', { key: 'h', field: 'c' })).toEqual({ value: null, found: false })
    expect(await call('hdel', { key: 'h', field: ['a', 'b', 'c'] })).toEqual({ deleted: 2 })
    expect(await call('hgetall', { key: 'h' })).toEqual({ values: {}, count: 0 })
  })

  test('lists', async () => {
    const { call } = await connect()
    expect(await call('rpush', { key: 'l', values: [{ n: 1 }, { n: 2 }], json: true })).toEqual({ length: 2 })
    expect(await call('lpush', { key: 'l', values: ['a', 'b'] })).toEqual({ length: 4 })
    expect(await call('lrange', { key: 'l', start: -2, json: true })).toEqual({
      values: [{ n: 1 }, { n: 2 }],
      count: 2,
    })
    expect(await call('lpop', { key: 'l', count: 2 })).toEqual({ value: 'b', values: ['b', 'a'], count: 2 })
    expect(await call('rpop', { key: 'l', json: true })).toEqual({ value: { n: 2 }, values: [{ n: 2 }], count: 1 })
    expect(await call('llen', { key: 'l' })).toEqual({ length: 1 })
    await call('rpush', { key: 'l', values: Array.from({ length: 20 }, String) })
    expect((await failureOf(call('lrange', { key: 'l', limit: 20 }))).code).toBe('redis_too_large')
    expect(await call('lrange', { key: 'l', start: 1, limit: 20 })).toMatchObject({ count: 20 })
    expect(await call('lpop', { key: 'none' })).toEqual({ value: null, values: [], count: 0 })
    expect(await call('lpop', { key: 'none', count: 3 })).toEqual({ value: null, values: [], count: 0 })
  })

  test('sets', async () => {
    const { call } = await connect()
    expect(await call('sadd', { key: 'm', members: ['a', 'b', 'a'] })).toEqual({ added: 2 })
    expect(await call('sismember', { key: 'm', member: 'a' })).toEqual({ member: true })
    expect(await call('srem', { key: 'm', members: ['a', 'x'] })).toEqual({ removed: 1 })
    expect(await call('smembers', { key: 'm' })).toEqual({ members: ['b'], count: 1 })
  })

  test('an action for another type says what to use', async () => {
    const { call } = await connect()
    await call('set', { key: 'w', value: 1 })
    const { code, message, retryable } = await failureOf(call('lpush', { key: 'w', values: [1] }))
    expect({ code, retryable }).toEqual({ code: 'redis_wrong_type', retryable: false })
    expect(message).toMatch(/LPUSH of the connection "main".*Use the actions of the type/)
  })
})

describe('streams', () => {
  test('entries are appended, read in pages, and taken by a group', async () => {
    const { call } = await connect()
    for (let n = 1; n <= 5; n += 1) await call('xadd', { key: 's', entry_id: `${n}-1`, fields: { n } })
    expect(await call('xlen', { key: 's' })).toEqual({ length: 5 })
    const first = await call('xrange', { key: 's', count: 3 })
    const { pages, input } = redis.actions.xrange
    const asked = input.parse({ key: 's', count: 3 })
    const next = pages!.next(asked, first as never)
    expect(next).toMatchObject({ start: '(3-1' })
    const second = await call('xrange', next!)
    expect(second).toEqual({
      entries: [
        { id: '4-1', fields: { n: '4' } },
        { id: '5-1', fields: { n: '5' } },
      ],
      count: 2,
    })
    expect(pages!.next(asked, second as never)).toBeNull()
    expect(await call('xread', { key: 's', after: '3-1' })).toMatchObject({ count: 2, last_id: '5-1' })

    const group = { key: 's', group: 'g', consumer: 'c' }
    expect((await failureOf(call('xreadgroup', group))).code).toBe('redis_no_group')
    expect(await call('xreadgroup', { ...group, create: true, count: 2 })).toMatchObject({ count: 2 })
    expect(await call('xreadgroup', { ...group, create: true })).toMatchObject({ count: 3 })
    expect(await call('xack', { key: 's', group: 'g', ids: ['1-1', '2-1', '9-9'] })).toEqual({ acknowledged: 2 })
    expect(await call('xreadgroup', { ...group, after: '0' })).toMatchObject({ count: 3 })
    expect((await failureOf(call('xadd', { key: 's', entry_id: '1-1', fields: { n: 1 } }))).code).toBe('redis_input')
  })

  test('waiting ends with the first entry, with its time, or with the step', async () => {
    const { call } = await connect()
    let answered: unknown = null
    const waiting = call('xread', { key: 'waited', after: '$', block: '30s' }).then((output) => {
      answered = output['count']
    })
    // Others go on while it waits: it has a socket of its own.
    await expect.poll(async () => (await call('incr', { key: 'beside' }))['value']).toBeGreaterThan(3)
    await expect
      .poll(async () => {
        await call('xadd', { key: 'waited', fields: { a: 'x' } })
        return answered
      })
      .toBe(1)
    await waiting
    expect(await call('xread', { key: 'empty', block: '30ms' })).toEqual({ entries: [], count: 0, last_id: '0' })
    const stop = new AbortController()
    const stopped = call('xread', { key: 'empty', block: '30s' }, { signal: stop.signal })
    stop.abort(new Error('cancelled'))
    await expect(stopped).rejects.toThrow('cancelled')
    expect(() => redis.actions.xread.input.parse({ key: 'empty', block: 0 })).toThrow(/at most 1m/)
    expect(() => redis.actions.xread.input.parse({ key: 'empty', block: '2m' })).toThrow(/at most 1m/)
  })
})

describe('the connection', () => {
  test('heals after the server killed it', async () => {
    const { call, client } = await connect()
    await call('set', { key: 'k', value: 'kept' })
    const id = await client.command('client', ['ID'], { signal: new AbortController().signal })
    const killer = await connect()
    await killer.client.command('client', ['KILL', 'ID', String(id)], { signal: new AbortController().signal })
    await expect.poll(() => call('get', { key: 'k' }).catch(() => null)).toEqual({ value: 'kept', found: true })
  })

  test('heals after the server was restarted; what is asked in between fails soon and may be retried', async () => {
    const own = await ownServer()
    const { call, client } = await connect({ url: own.url })
    await call('set', { key: 'k', value: 1 })
    await own.stop()
    const down = await failureOf(
      (async () => {
        // The end of the socket may be news that comes with the first command.
        for (let n = 0; n < 3; n += 1) await call('get', { key: 'k' })
      })(),
    )
    expect(down).toMatchObject({ code: expect.stringMatching(/^redis_(lost|connect)$/) as string, retryable: true })
    const again = await failureOf(call('get', { key: 'k' }))
    expect(again.code).toBe('redis_connect')
    expect(again.message).toContain(`127.0.0.1:${own.port}`)
    expect(client.healthy).toBe(true)
    await own.restart()
    expect(await call('get', { key: 'k' })).toEqual({ value: null, found: false })
  })

  test('a command that was under way when the server died says that it may have been done', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url })
    process.kill(own.pid, 'SIGSTOP')
    const lost = failureOf(call('incr', { key: 'n' }))
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.kill(own.pid, 'SIGKILL')
    const { code, message, retryable } = await lost
    expect({ code, retryable }).toEqual({ code: 'redis_lost', retryable: true })
    expect(message).toContain('may have done it')
  })

  test('a server that stops answering costs a step its timeout, and the next one a new connection', async () => {
    const own = await ownServer()
    const { call } = await connect({ url: own.url, command_timeout: '200ms', connect_timeout: '300ms' })
    process.kill(own.pid, 'SIGSTOP')
    try {
      const late = await failureOf(call('incr', { key: 'n' }))
      expect([late.code, late.retryable]).toEqual(['redis_timeout', true])
      expect(late.message).toContain('within 200 ms')
      const next = await failureOf(call('incr', { key: 'n' }))
      expect(next.code).toBe('redis_connect')
      expect(next.message).toContain('no answer within 300 ms')
    } finally {
      process.kill(own.pid, 'SIGCONT')
    }
    await expect.poll(async () => (await call('incr', { key: 'm' }).catch(() => null))?.['value']).toBe(1)
  })

  test('a hundred steps at once share one socket', async () => {
    const own = await ownServer()
    const { call, client } = await connect({ url: own.url })
    const all = await Promise.all(Array.from({ length: 100 }, () => call('incr', { key: 'n' })))
    expect(new Set(all.map(({ value }) => value)).size).toBe(100)
    const list = await client.command('client', ['LIST'], { signal: new AbortController().signal })
    expect(String(list).trim().split('\n')).toHaveLength(1)
    expect(String(list)).toContain('name=plugwork')
  })

  test('opening is bounded, and ends with its step', async () => {
    const port = await silentServer()
    const { code, message } = await failureOf(connect({ port, host: '127.0.0.1', connect_timeout: '100ms' }))
    expect([code, message]).toEqual(['redis_connect', expect.stringContaining('no answer within 100 ms') as string])
    await expect(connect({ port, host: '127.0.0.1' }, { signal: AbortSignal.timeout(50) })).rejects.toThrow(
      /aborted due to timeout/,
    )
  })

  test('the login is checked, and no password is in any error', async () => {
    const own = await ownServer('--requirepass', 'right-password')
    const right = await connect({ url: `redis://:right-password@127.0.0.1:${own.port}/3` })
    expect(await right.test()).toMatch(/^Redis \d+\.\d+\.\d+ answers at 127\.0\.0\.1:\d+, database 3$/)
    for (const config of [
      { host: '127.0.0.1', port: own.port, password: 'wrong-password' },
      { host: '127.0.0.1', port: own.port },
    ]) {
      const error = await failureOf(connect(config))
      expect(error.code).toBe('redis_auth')
      expect(JSON.stringify([error.message, error.data, String(error.cause)])).not.toContain('wrong-password')
    }
    await right.client.command(
      'acl',
      ['SETUSER', 'reader', 'on', '>pw', '~*', '+get', '+info', '+getrange', '+client'],
      {
        signal: new AbortController().signal,
      },
    )
    const reader = await connect({ host: '127.0.0.1', port: own.port, username: 'reader', password: 'pw' })
    expect((await failureOf(reader.call('set', { key: 'a', value: 'hidden-value' }))).code).toBe('redis_denied')
  })

  test('TLS: the certificate is verified, by the authority and the name that the connection gives', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plugwork-redis-tls-'))
    open.push(async () => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=redis.test', '-addext', 'subjectAltName=DNS:redis.test', '-days', '1']
    const made = spawnSync(await requireBinary({ names: ['openssl'], packageName: 'openssl' }), [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ])
    expect(made.status).toBe(0)
    const tlsPort = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
    await ownServer('--tls-port', `${tlsPort}`, ...files, '--tls-auth-clients', 'no')
    const at = { host: '127.0.0.1', port: tlsPort }
    const ca = readFileSync(cert, 'utf8')
    const { call } = await connect({ ...at, tls: { ca, server_name: 'redis.test' } })
    expect(await call('set', { key: 'a', value: 'x'.repeat(100_000) })).toMatchObject({ set: true })
    expect((await failureOf(connect({ ...at, tls: true }))).message).toContain('self-signed certificate')
    expect((await failureOf(connect({ ...at, tls: { ca } }))).message).toMatch(/IP: 127\.0\.0\.1 is not in the cert/)
    expect((await failureOf(connect({ ...at, connect_timeout: '1s' }))).code).toBe('redis_connect')
    const plain = await ownServer()
    const error = await failureOf(connect({ url: plain.url.replace('redis:', 'rediss:'), connect_timeout: '1s' }))
    expect(error.code).toBe('redis_connect')
  })

  test('a private address is denied unless it is allowed', async () => {
    const error = await failureOf(connect({}, { allow: [] }))
    expect(error.code).toBe('egress_denied')
    expect(error.message).toContain('PLUGWORK_EGRESS_ALLOW=')
  })

  test('a server out of memory, and one that is a replica, may be tried again', async () => {
    const own = await ownServer('--maxmemory', '1mb', '--maxmemory-policy', 'noeviction')
    const { call, client } = await connect({ url: own.url })
    const { code, retryable } = await failureOf(
      call('mset', { values: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [n, 'x'.repeat(50_000)])) }).then(
        () => call('set', { key: 'more', value: 1 }),
      ),
    )
    expect({ code, retryable }).toEqual({ code: 'redis_unavailable', retryable: true })
    await client.command('replicaof', ['127.0.0.1', '1'], { signal: new AbortController().signal })
    expect((await failureOf(call('delete', { key: 'a' }))).code).toBe('redis_unavailable')
  })

  test('a node of a cluster says that it is one', async () => {
    const own = await ownServer('--cluster-enabled', 'yes')
    const { call } = await connect({ url: own.url })
    const { code } = await failureOf(call('get', { key: 'a' }))
    expect(code).toBe('redis_unavailable')
  })
})

describe('the config', () => {
  test.each([
    [{ url: 'http://x' }, '`url` of the redis connection "main" is not a Redis URL'],
    [{ url: 'redis://h/x' }, 'not the number of a database'],
    [{ url: 'redis://h?db=1' }, 'has parameters'],
    [{ url: 'redis://h:1/0', db: 1 }, '`db` of the redis connection "main" is given beside `url`'],
    [{ url: 'rediss://h', tls: false }, 'contradicts the scheme'],
    [{ url: 'redis://u:%zz-secret@h' }, 'not an escape'],
    [{ host: 'h', username: 'u' }, '`username` of the redis connection "main" has no `password`'],
  ])('%j', async (config, message) => {
    const error = await failureOf(connect(config))
    expect([error.code, error.message]).toEqual(['redis_config', expect.stringContaining(message) as string])
    expect(error.message).not.toContain('secret')
  })

  test('limits of the schema', () => {
    for (const wrong of [{ port: 0 }, { connect_timeout: '2m' }, { command_timeout: 0 }, { db: -1 }, { hots: 'x' }])
      expect(redis.config.safeParse(wrong).success).toBe(false)
  })
})

test('the example flow runs as it is', async () => {
  const secrets = { REDIS_URL: server.url }
  const options = { connectors: [redis], directory: tmpdir(), secrets, allow: ['127.0.0.1', 'localhost'] }
  const page = server.prefix
  const { source } = redis.example({ name: 'main' })
  const first = await runExample(source, { ...options, inputs: { page } })
  expect(first).toMatchObject({ status: 'succeeded', outputs: { visits: 1, last: 'ann' } })
  const second = await runExample(source, { ...options, inputs: { page, visitor: 'bob' } })
  expect(second).toMatchObject({ outputs: { visits: 2, last: 'bob' } })
  const { call, close } = await openCaller(redis, { url: server.url, key_prefix: 'plugwork-example:' })
  await call('delete', { key: [`visits:${page}`, `last:${page}`] })
  await close()
})
