import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract, type ConnectorEnvironment } from '@plugwork/core/testing'
import { memcached as sharedServer, requireBinary, startBinary, type Daemon } from '@plugwork/test-services'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failureOf, openCaller, type Caller, type CallerOptions } from '../testing/call-actions.ts'
import { runExample } from '../testing/run-example.ts'
import { memcached } from './memcached.ts'
import { AnswerReader } from './protocol.ts'
import type { MemcachedSession } from './session.ts'

let server: Awaited<ReturnType<typeof sharedServer>>
beforeAll(async () => {
  server = await sharedServer()
})

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

async function connect(config: object = {}, options?: CallerOptions): Promise<Caller<MemcachedSession>> {
  const { host, port, prefix } = server
  const caller = await openCaller<MemcachedSession>(memcached, { host, port, key_prefix: prefix, ...config }, options)
  open.push(caller.close)
  return caller
}

async function ownServer(
  args: (place: { readonly directory: string }) => readonly string[] = () => [],
): Promise<Daemon> {
  const binary = await requireBinary({ names: ['memcached'], packageName: 'memcached' })
  const daemon = await startBinary({
    name: 'memcached',
    users: ['memcache', 'nobody'],
    command: (place) => ({
      command: binary,
      args: ['-l', '127.0.0.1', '-p', `${place.port}`, '-U', '0', ...args(place)],
    }),
  })
  open.push(daemon.stop)
  return daemon
}

/** Answers whatever is sent with `answer`. */
async function answering(answer: string): Promise<number> {
  const sockets = new Set<Socket>()
  const fake = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.on('data', () => socket.write(answer))
  })
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => fake.close(resolve))
  })
  return (fake.address() as AddressInfo).port
}

describeConnectorContract(memcached, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const egress = createEgress({ allow: ['127.0.0.1', 'localhost'] })
  const before = [{ action: 'set', input: { key: 'k', value: '1' } }]
  return {
    config: { host: server.host, port: server.port, key_prefix: `${server.prefix}contract:` },
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'set', input: { key: 'k', value: 1, ttl: '1h' } },
      { action: 'get', input: { key: 'k' }, before },
      { action: 'get_many', input: { keys: ['k', 'nothing'] }, before },
      { action: 'add', input: { key: 'k', value: 'v' } },
      { action: 'replace', input: { key: 'k', value: 'v' } },
      { action: 'cas', input: { key: 'k', value: 'v', cas: '1' } },
      { action: 'incr', input: { key: 'k' }, before },
      { action: 'decr', input: { key: 'k' }, before },
      { action: 'touch', input: { key: 'k', ttl: 60 } },
      { action: 'delete', input: { key: 'k' } },
    ],
    close: () => egress.close(),
  }
})

describe('values', () => {
  test('text, numbers, bytes and JSON come back as they were', async () => {
    const { call } = await connect()
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index & 255))
    for (const [value, options, read = value] of [
      ['grün \r\nEND\r\n ✓', {}],
      ['', {}],
      [1.5, {}, '1.5'],
      [{ base64: bytes.toString('base64') }, {}],
      [{ base64: 'aGk=' }, { base64: true }],
      [{ a: [1, null, 'x'] }, { json: true }],
    ] as const) {
      expect(await call('set', { key: 'v', value, json: 'json' in options })).toEqual({ stored: true })
      expect(await call('get', { key: 'v', ...options })).toMatchObject({ value: read, found: true, flags: 0 })
    }
    expect(await call('get', { key: 'nothing' })).toEqual({ value: null, found: false, cas: null, flags: 0 })
    expect((await failureOf(call('set', { key: 'v', value: [1] }))).message).toContain('`json: true`')
    expect((await failureOf(call('set', { key: 'v', value: null }))).code).toBe('memcached_value')
    await call('set', { key: 'v', value: 'no json' })
    expect((await failureOf(call('get', { key: 'v', json: true }))).code).toBe('memcached_value')
  })

  test('a value as large as the server takes, and one byte too many', async () => {
    const { call } = await connect()
    const large = 'x'.repeat(1_000_000)
    expect(await call('set', { key: 'big', value: large })).toEqual({ stored: true })
    const many = await Promise.all(Array.from({ length: 20 }, () => call('get', { key: 'big' })))
    expect(many.every(({ value }) => value === large)).toBe(true)
    const { code, message } = await failureOf(call('set', { key: 'big', value: 'x'.repeat(1024 * 1024 + 1) }))
    expect([code, message]).toEqual(['memcached_too_large', expect.stringContaining('1048577 bytes') as string])
    // What was refused here did not cost the value that was there.
    expect(await call('get', { key: 'big' })).toMatchObject({ found: true })
    const wide = await connect({ max_value_size: 2 * 1024 * 1024 })
    const refused = await failureOf(wide.call('set', { key: 'big', value: 'x'.repeat(1024 * 1024 + 1) }))
    expect([refused.code, refused.message]).toEqual(['memcached_too_large', expect.stringContaining('-I') as string])
    expect(await wide.call('get', { key: 'nothing' })).toMatchObject({ found: false })
  })

  test('several keys at once', async () => {
    const { call } = await connect()
    await call('set', { key: 'a', value: { n: 1 }, json: true })
    await call('set', { key: 'ü', value: { n: 2 }, json: true })
    expect(await call('get_many', { keys: ['a', 'b', 'ü', 'a'], json: true })).toEqual({
      values: { a: { n: 1 }, ü: { n: 2 } },
      missing: ['b'],
      count: 2,
    })
    const keys = Array.from({ length: 1_000 }, (_, index) => `many-${index}-${'x'.repeat(200)}`)
    await Promise.all(keys.slice(0, 500).map((key) => call('set', { key, value: key })))
    expect(await call('get_many', { keys })).toMatchObject({ count: 500 })
  })

  test('counters are exact up to 2^64', async () => {
    const { call } = await connect()
    expect(await call('incr', { key: 'n' })).toEqual({ value: null, found: false })
    expect(await call('incr', { key: 'n', initial: '18446744073709551614' })).toEqual({
      value: '18446744073709551614',
      found: false,
    })
    expect(await call('incr', { key: 'n' })).toEqual({ value: '18446744073709551615', found: true })
    expect(await call('decr', { key: 'n', by: '18446744073709551610' })).toEqual({ value: 5, found: true })
    expect(await call('decr', { key: 'n', by: 9 })).toEqual({ value: 0, found: true })
    await call('set', { key: 'text', value: 'x' })
    expect((await failureOf(call('incr', { key: 'text' }))).code).toBe('memcached_value')
    const all = await Promise.all(Array.from({ length: 100 }, () => call('incr', { key: 'race', initial: 1 })))
    expect(await call('get', { key: 'race' })).toMatchObject({ value: '100' })
    expect(new Set(all.map(({ value }) => value)).size).toBe(100)
  })
})

describe('conditions and times', () => {
  test('add, replace, delete and compare-and-swap', async () => {
    const { call } = await connect()
    expect(await call('replace', { key: 'c', value: 1 })).toEqual({ stored: false })
    expect(await call('add', { key: 'c', value: 1 })).toEqual({ stored: true })
    expect(await call('add', { key: 'c', value: 2 })).toEqual({ stored: false })
    expect(await call('replace', { key: 'c', value: 3 })).toEqual({ stored: true })
    const { cas } = await call('get', { key: 'c' })
    expect(await call('cas', { key: 'c', value: 4, cas })).toEqual({ stored: true, outcome: 'stored' })
    expect(await call('cas', { key: 'c', value: 5, cas })).toEqual({ stored: false, outcome: 'changed' })
    expect(await call('get', { key: 'c' })).toMatchObject({ value: '4' })
    expect(await call('delete', { key: 'c' })).toEqual({ deleted: true })
    expect(await call('delete', { key: 'c' })).toEqual({ deleted: false })
    expect(await call('cas', { key: 'c', value: 5, cas })).toEqual({ stored: false, outcome: 'missing' })
    expect(await call('touch', { key: 'c', ttl: 5 })).toEqual({ touched: false })
  })

  test('more than 30 days are not taken for a date of 1970, and a date is not taken for a time', async () => {
    const { call } = await connect()
    for (const ttl of ['30d', '31d', 90 * 86_400]) {
      await call('set', { key: 't', value: 1, ttl })
      expect([ttl, await call('get', { key: 't' })]).toEqual([ttl, expect.objectContaining({ found: true }) as object])
      expect(await call('touch', { key: 't', ttl })).toEqual({ touched: true })
      expect(await call('get', { key: 't' })).toMatchObject({ found: true })
    }
    const { code, message } = await failureOf(call('set', { key: 't', value: 1, ttl: 1_795_000_000 }))
    expect([code, message]).toEqual(['memcached_ttl', expect.stringContaining('not a date') as string])
    await call('set', { key: 'short', value: 1, ttl: '1ms' })
    await expect.poll(async () => (await call('get', { key: 'short' }))['found'], { timeout: 4_000 }).toBe(false)
  })

  test.each([
    ['with space', 'space or a control character'],
    ['new\r\nline', 'space or a control character'],
    ['x'.repeat(251), '250'],
    ['ü'.repeat(126), '250'],
  ])('the key %j is refused', async (key, message) => {
    const { call } = await connect({ key_prefix: '' })
    for (const [action, input] of [
      ['get', { key }],
      ['set', { key, value: 1 }],
      ['get_many', { keys: ['a', key] }],
      ['incr', { key }],
      ['delete', { key }],
    ] as const) {
      const error = await failureOf(call(action, input))
      expect([error.code, error.message]).toEqual(['memcached_key', expect.stringContaining(message) as string])
    }
  })
})

describe('the connection', () => {
  test('a server that died: what was under way may have been done, what comes next connects again', async () => {
    const own = await ownServer()
    const { call, client } = await connect({ port: own.port })
    await call('set', { key: 'k', value: 1 })
    process.kill(own.pid, 'SIGSTOP')
    const lost = failureOf(call('incr', { key: 'k' }))
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.kill(own.pid, 'SIGKILL')
    const error = await lost
    expect(error).toMatchObject({ code: 'memcached_lost', retryable: true })
    expect(error.message).toContain('may have done it')
    // Its sockets do not end at one moment: a new connection may still be taken for a while, and break as the old one did.
    await expect.poll(() => isListening(own.port)).toBe(false)
    expect(await failureOf(call('get', { key: 'k' }))).toMatchObject({ code: 'memcached_connect', retryable: true })
    expect(client.healthy).toBe(true)
    const binary = await requireBinary({ names: ['memcached'], packageName: 'memcached' })
    const again = await startBinary({
      name: 'memcached',
      users: ['memcache', 'nobody'],
      command: () => ({ command: binary, args: ['-l', '127.0.0.1', '-p', `${own.port}`, '-U', '0'] }),
      ready: async () => (await openCaller(memcached, { port: own.port })).close(),
    })
    open.push(again.stop)
    expect(await call('get', { key: 'k' })).toMatchObject({ found: false })
  })

  test('a server that stops answering costs a step its timeout, and the next one a new connection', async () => {
    const own = await ownServer()
    const { call } = await connect({ port: own.port, command_timeout: '200ms' })
    process.kill(own.pid, 'SIGSTOP')
    try {
      const late = await failureOf(call('incr', { key: 'n' }))
      expect([late.code, late.retryable]).toEqual(['memcached_timeout', true])
      expect(late.message).toContain('within 200 ms')
    } finally {
      process.kill(own.pid, 'SIGCONT')
    }
    await expect.poll(() => call('set', { key: 'n', value: 1 }).catch(() => null)).toEqual({ stored: true })
  })

  test('a step that gives up leaves the answers of the others in order', async () => {
    const { call } = await connect()
    await call('set', { key: 'a', value: 'A' })
    await call('set', { key: 'b', value: 'B' })
    const stop = new AbortController()
    const first = call('get', { key: 'a' }, { signal: stop.signal })
    const second = call('get', { key: 'b' })
    // Both were sent by now, in one turn of the loop; the answers come later.
    await Promise.resolve()
    stop.abort(new Error('cancelled'))
    await expect(first).rejects.toThrow('cancelled')
    expect(await second).toMatchObject({ value: 'B' })
    expect(await call('get', { key: 'a' })).toMatchObject({ value: 'A' })
  })

  test('the login is checked, and no password is in any error', async () => {
    const own = await ownServer(({ directory }) => {
      const file = join(directory, 'users')
      writeFileSync(file, 'ann:right-password\n', { mode: 0o644 })
      return ['-Y', file]
    })
    const login = { port: own.port, username: 'ann', password: 'right-password' }
    const right = await connect(login)
    expect(await right.test()).toMatch(/^memcached 1\.\d+\.\d+ answers at 127\.0\.0\.1:\d+$/)
    expect(await right.call('set', { key: 'k', value: 1 })).toEqual({ stored: true })
    const wrong = await failureOf(connect({ ...login, password: 'wrong-password' }))
    expect(wrong.code).toBe('memcached_auth')
    expect(JSON.stringify([wrong.message, wrong.data, String(wrong.cause)])).not.toContain('wrong-password')
    const none = await connect({ port: own.port })
    expect((await failureOf(none.call('set', { key: 'k', value: 1 }))).code).toBe('memcached_auth')
  })

  test('what is no memcached is named', async () => {
    const http = await connect({ port: await answering('HTTP/1.1 400 Bad Request\r\n\r\n') })
    const { code, message } = await failureOf(http.call('get', { key: 'k' }))
    expect([code, message]).toEqual(['memcached_failed', expect.stringContaining('Check what listens there') as string])
    const endless = await connect({ port: await answering('x'.repeat(5_000)) })
    expect((await failureOf(endless.call('get', { key: 'k' }))).code).toBe('memcached_failed')
    const huge = await connect({ port: await answering(`VALUE k 0 ${2 ** 31}\r\n`) })
    expect((await failureOf(huge.call('get', { key: 'k' }))).code).toBe('memcached_too_large')
  })

  test('a private address is denied unless it is allowed; a waiting step can give up', async () => {
    const error = await failureOf(connect({}, { allow: [] }))
    expect([error.code, error.message]).toEqual([
      'egress_denied',
      expect.stringContaining('PLUGWORK_EGRESS_ALLOW=') as string,
    ])
    await expect(connect({}, { signal: AbortSignal.abort(new Error('cancelled')) })).rejects.toThrow('cancelled')
  })

  test.each([
    [{ username: 'ann' }, '`username` of the memcached connection "main" is given alone'],
    [{ password: 'pw' }, '`password` of the memcached connection "main" is given alone'],
    [{ key_prefix: 'a b' }, '`key_prefix` of the memcached connection "main" has a space'],
  ])('the config %j is refused', async (config, message) => {
    const error = await failureOf(connect(config))
    expect([error.code, error.message]).toEqual(['memcached_config', expect.stringContaining(message) as string])
  })
})

test('answers are the same however the network cuts them', () => {
  const wire = Buffer.from('VALUE a 5 5 77\r\nEND\r\n\r\nVALUE b 0 0\r\n\r\nEND\r\nSTORED\r\nSERVER_ERROR x\r\n')
  const expected = ['items', 'line', 'line'] as const
  const whole = read(wire.length)
  expect(whole).toMatchObject([
    {
      items: [
        { key: 'a', flags: 5, cas: '77' },
        { key: 'b', cas: null },
      ],
    },
    { line: 'STORED' },
    { kind: 'error' },
  ])
  for (let size = 1; size < wire.length; size += 1) expect(read(size)).toEqual(whole)

  function read(size: number): unknown[] {
    const reader = new AnswerReader(1_000)
    const answers: unknown[] = []
    for (let at = 0; at < wire.length; at += size) {
      reader.push(wire.subarray(at, at + size))
      for (;;) {
        const answer = answers.length < 3 ? reader.next(expected[answers.length]!) : null
        if (answer === null) break
        answers.push(JSON.parse(JSON.stringify(answer)))
      }
    }
    return answers
  }
})

test('the example flow runs, each run once more', async () => {
  const source = memcached.example({ name: 'main' }).source.replace('11211', String(server.port))
  const options = { connectors: [memcached], directory: tmpdir(), allow: ['127.0.0.1', 'localhost'] }
  const visitor = server.prefix
  expect(await runExample(source, { ...options, inputs: { visitor } })).toMatchObject({
    status: 'succeeded',
    outputs: { greeting: `Hello ${visitor}`, visits: 1 },
  })
  expect(await runExample(source, { ...options, inputs: { visitor } })).toMatchObject({ outputs: { visits: 2 } })
})

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
