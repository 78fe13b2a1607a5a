import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net'
import { constants, gzipSync, brotliCompressSync, deflateRawSync, deflateSync, zstdCompressSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import type { PlugworkError } from '../error.ts'
import type { Cancellation, Egress, EgressPolicy } from './egress.ts'
import { createEgress, type EgressOptions } from './guarded-egress.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

interface Stub {
  readonly port: number
  readonly origin: string
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]
}

async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  )
  return (server.address() as AddressInfo).port
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

async function stub(handler: Handler = (_request, response) => void response.end('hello')): Promise<Stub> {
  const requests: Stub['requests'] = []
  const port = await listen(
    createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        requests.push({ method: request.method!, url: request.url!, headers: request.headers, body })
        handler(request, response, body)
      })
    }),
  )
  return { port, origin: `http://127.0.0.1:${port}`, requests }
}

function egress(policy: Partial<EgressPolicy> = { allow: ['127.0.0.1'] }, options: EgressOptions = {}): Egress {
  const made = createEgress(policy, options)
  open.push(() => made.close())
  return made
}

const text = (body: Uint8Array): string => Buffer.from(body).toString()

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  return promise.then(
    () => {
      throw new Error('the request was expected to fail')
    },
    (error: unknown) => error as PlugworkError,
  )
}

/** A resolver that answers the next entry of a name at each call, the last one for ever. */
function resolver(names: Record<string, string[][]>): EgressOptions & { readonly calls: string[] } {
  const calls: string[] = []
  return {
    calls,
    resolve: (host) => {
      calls.push(host)
      const answers = names[host] ?? []
      const answer = answers.length > 1 ? answers.shift()! : answers[0]
      return answer ? Promise.resolve(answer) : Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    },
  }
}

test('a request goes out and its response comes back', async () => {
  const server = await stub((_request, response, body) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.writeHead(201, { 'content-type': 'text/plain' }).end(`got ${body}`)
  })
  const response = await egress().request({
    method: 'post',
    url: `${server.origin}/a/b?q=1#fragment`,
    headers: { 'X-One': 'é' },
    body: 'data',
  })
  expect(response.status).toBe(201)
  expect(text(response.body)).toBe('got data')
  expect(response.headers['set-cookie']).toBe('a=1, b=2')
  expect(server.requests[0]).toMatchObject({ method: 'POST', url: '/a/b?q=1', body: 'data' })
  expect(server.requests[0]!.headers).toMatchObject({
    host: `127.0.0.1:${server.port}`,
    'x-one': 'é',
    'content-length': '4',
    'user-agent': 'plugwork',
  })
})

test('private addresses are denied in every spelling, with what, why and how to allow it, and without the query', async () => {
  const server = await stub()
  const strict = egress({ allow: [] })
  const spellings = [
    '127.0.0.1',
    'localhost',
    '0x7f.1',
    '2130706433',
    '017700000001',
    '127.1',
    '0.0.0.0',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '169.254.169.254',
    '100.64.0.1',
    '10.0.0.1',
    '[fd00::1]',
    '[fe80::1]',
    // What URL makes of other letters and escapes is judged, never what was written.
    '0177.0.0.1',
    '127.0.0.1.',
    'LOCALHOST',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    'ⓛocalhost',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '[::127.0.0.1]',
    '[0:0:0:0:0:ffff:a9fe:a9fe]',
    '[2001::1]',
    '[64:ff9b:1::a00:1]',
  ]
  for (const host of spellings) {
    const error = await failure(strict.request({ method: 'GET', url: `http://${host}:${server.port}/x?token=s3cret` }))
    expect([host, error.code]).toEqual([host, 'egress_denied'])
    expect(error.message).toMatch(/PLUGWORK_EGRESS_ALLOW=\S+:\d+/)
    expect(JSON.stringify([error.message, error.data])).not.toContain('s3cret')
  }
  expect(server.requests).toEqual([])
})

test('the hint of a denial works when it is followed', async () => {
  const server = await stub()
  const denied = await failure(egress({ allow: [] }).request({ method: 'GET', url: `${server.origin}/` }))
  const hint = /PLUGWORK_EGRESS_ALLOW=(\S+)\.$/.exec(denied.message)![1]!
  expect((await egress({ allow: [hint] }).request({ method: 'GET', url: server.origin })).status).toBe(200)
  const otherPort = await stub()
  expect((await failure(egress({ allow: [hint] }).request({ method: 'GET', url: otherPort.origin }))).code).toBe(
    'egress_denied',
  )
})

test('a name is resolved once and connected to what was checked, whatever it answers next (DNS rebinding)', async () => {
  const server = await stub()
  const names = resolver({ 'rebind.test': [['127.0.0.1'], ['10.0.0.9']], 'evil.test': [['8.8.8.8', '127.0.0.1']] })
  const client = egress({ allow: ['127.0.0.1'] }, names)
  const response = await client.request({ method: 'GET', url: `http://rebind.test:${server.port}/` })
  expect(response.status).toBe(200)
  expect(names.calls).toEqual(['rebind.test'])
  expect(server.requests[0]!.headers.host).toBe(`rebind.test:${server.port}`)

  const flipped = resolver({ 'flip.test': [['10.0.0.9'], ['127.0.0.1']] })
  const error = await failure(
    egress({ allow: ['127.0.0.1'] }, flipped).request({ method: 'GET', url: `http://flip.test:${server.port}/` }),
  )
  expect(error.code).toBe('egress_denied')
  expect(error.message).toContain('flip.test resolves to 10.0.0.9')
  expect(flipped.calls).toEqual(['flip.test'])
})

test('one private record among public ones denies the name, unless the list says which is meant', async () => {
  const server = await stub()
  const names = resolver({ 'multi.test': [['8.8.8.8', '10.0.0.1']], 'local.test': [['::1', '127.0.0.1']] })
  const client = egress({ allow: ['127.0.0.1'] }, names)
  expect((await failure(client.request({ method: 'GET', url: `http://multi.test:${server.port}/` }))).code).toBe(
    'egress_denied',
  )
  expect((await client.request({ method: 'GET', url: `http://local.test:${server.port}/` })).status).toBe(200)
})

test('a host entry allows whatever private address the host has; other names of that address stay denied', async () => {
  const server = await stub()
  const names = resolver({
    'api.internal': [['127.0.0.1']],
    'other.internal': [['127.0.0.1']],
    'a.svc.test': [['127.0.0.1']],
  })
  const client = egress({ allow: ['api.internal', `*.svc.test:${server.port}`] }, names)
  expect((await client.request({ method: 'GET', url: `http://api.internal:${server.port}` })).status).toBe(200)
  expect((await client.request({ method: 'GET', url: `http://a.svc.test:${server.port}` })).status).toBe(200)
  expect((await failure(client.request({ method: 'GET', url: `http://other.internal:${server.port}` }))).code).toBe(
    'egress_denied',
  )
})

test('the TLS server name is the host of the URL although the socket goes to a pinned address', async () => {
  let hello = ''
  const port = await listen(
    createTcpServer((socket) => {
      socket.once('data', (chunk) => {
        hello = chunk.toString('latin1')
        socket.destroy()
      })
      socket.on('error', () => undefined)
    }),
  )
  const names = resolver({ 'pinned.example.test': [['127.0.0.1']] })
  const error = await failure(
    egress({ allow: ['127.0.0.1'] }, names).request({ method: 'GET', url: `https://pinned.example.test:${port}/` }),
  )
  expect(hello).toContain('pinned.example.test')
  expect(['egress_tls', 'egress_connect']).toContain(error.code)
})

test('onlyHosts closes everything else, also for redirects and narrower scopes', async () => {
  const other = await stub()
  const server = await stub((_request, response) => response.writeHead(302, { location: `${other.origin}/x` }).end())
  const client = egress({ allow: ['127.0.0.1'], onlyHosts: [`127.0.0.1:${server.port}`] })
  expect((await failure(client.request({ method: 'GET', url: other.origin }))).message).toContain(
    'is not among the hosts',
  )
  expect((await failure(client.request({ method: 'GET', url: server.origin }))).code).toBe('egress_denied')
  const narrower = client.restrict({ onlyHosts: [`127.0.0.1:${other.port}`] })
  expect((await failure(narrower.request({ method: 'GET', url: other.origin }))).code).toBe('egress_denied')
  expect((await failure(narrower.request({ method: 'GET', url: server.origin }))).code).toBe('egress_denied')
  expect(other.requests).toEqual([])
})

test('a narrower scope never uses a connection that was opened under a wider list', async () => {
  const server = await stub()
  const client = egress()
  await client.request({ method: 'GET', url: server.origin })
  const narrower = client.restrict({ allow: [] })
  expect((await failure(narrower.request({ method: 'GET', url: server.origin }))).code).toBe('egress_denied')
  const wider = egress({ allow: [] }).restrict({ allow: ['127.0.0.1'] })
  expect((await failure(wider.request({ method: 'GET', url: server.origin }))).code).toBe('egress_denied')
  await narrower.close()
  expect((await client.request({ method: 'GET', url: server.origin })).status).toBe(200)
})

test('redirects to private addresses, other schemes and user names are refused at each hop', async () => {
  const names = resolver({ 'start.test': [['127.0.0.1']] })
  for (const [location, code] of [
    ['http://169.254.169.254/latest/meta-data/?k=1', 'egress_denied'],
    ['http://[::1]:1/', 'egress_denied'],
    ['//10.0.0.1/', 'egress_denied'],
    ['file:///etc/passwd', 'egress_redirect'],
    ['gopher://x/', 'egress_redirect'],
    ['http://user:pass@start.test/', 'egress_redirect'],
    ['http://', 'egress_redirect'],
  ] as const) {
    const server = await stub((_request, response) => response.writeHead(302, { location }).end())
    const client = egress({ allow: ['start.test'] }, names)
    const error = await failure(client.request({ method: 'GET', url: `http://start.test:${server.port}/` }))
    expect([location, error.code]).toEqual([location, code])
    expect(error.message).not.toContain('pass@')
  }
})

test('redirects follow the methods of fetch, keep credentials on the same origin only, and end at the limit', async () => {
  const target = await stub()
  const server = await stub((request, response) => {
    const [, status, where] = request.url!.split('/')
    if (where === undefined) return void response.end('end')
    const location = where === 'same' ? '/end' : where === 'loop' ? request.url! : `${target.origin}/end`
    response.writeHead(Number(status), { location }).end('x'.repeat(where === 'same' ? 200_000 : 10))
  })
  const client = egress()
  const headers = {
    authorization: 'Bearer s',
    cookie: 'c=1',
    'x-api-key': 'k',
    accept: 'text/plain',
    'content-type': 'text/plain',
  }
  const go = (method: string, path: string): Promise<unknown> =>
    client.request({ method, url: server.origin + path, headers, ...(method === 'GET' ? {} : { body: 'data' }) })

  for (const [method, status, expected, body] of [
    ['POST', 301, 'GET', ''],
    ['POST', 302, 'GET', ''],
    ['PUT', 302, 'PUT', 'data'],
    ['PUT', 303, 'GET', ''],
    ['POST', 307, 'POST', 'data'],
    ['PATCH', 308, 'PATCH', 'data'],
    ['GET', 302, 'GET', ''],
  ] as const) {
    await go(method, `/${status}/same`)
    const last = server.requests.at(-1)!
    expect([last.method, last.body, last.url], `${method} ${status}`).toEqual([expected, body, '/end'])
    expect(last.headers).toMatchObject({ authorization: 'Bearer s', cookie: 'c=1', 'x-api-key': 'k' })
    expect([`${method} ${status}`, last.headers['content-type']]).toEqual([
      `${method} ${status}`,
      expected === 'GET' && method !== 'GET' ? undefined : 'text/plain',
    ])

    await go(method, `/${status}/other`)
    const other = target.requests.at(-1)!
    expect([other.method, other.body]).toEqual([expected, body])
    expect(other.headers['accept']).toBe('text/plain')
    expect(Object.keys(other.headers)).not.toEqual(expect.arrayContaining(['authorization']))
    expect(other.headers['cookie']).toBeUndefined()
    expect(other.headers['x-api-key']).toBeUndefined()
  }
  const error = await failure(go('GET', '/302/loop'))
  expect(error.code).toBe('egress_redirect')
  expect(error.message).toContain('10 redirects')
  const manual = await client.request({ method: 'GET', url: `${server.origin}/302/other`, redirect: 'manual' })
  expect([manual.status, manual.headers['location']]).toEqual([302, `${target.origin}/end`])
})

test('only http and https without user name are requested', async () => {
  const client = egress()
  for (const url of ['file:///etc/passwd', 'ftp://x/', 'data:text/plain,x', 'not a url', '/relative']) {
    expect([url, (await failure(client.request({ method: 'GET', url }))).code]).toEqual([url, 'egress_url'])
  }
  const error = await failure(client.request({ method: 'GET', url: 'http://me:hunter2@127.0.0.1/a?b=c' }))
  expect(error.code).toBe('egress_url')
  expect(error.message).toContain('http://127.0.0.1/a')
  expect(error.message).not.toMatch(/hunter2|b=c/)
})

test('headers cannot begin other headers or change the framing', async () => {
  const server = await stub()
  const client = egress()
  const send = (headers: Record<string, string>): Promise<unknown> =>
    client.request({ method: 'GET', url: server.origin, headers })
  for (const headers of [
    { 'x-a': 'a\r\nhost: evil' },
    { 'x-a': 'a\nb' },
    { 'x-a': 'a\0' },
    { 'x-a': 'ł' },
    { 'x a': 'b' },
    { 'x-a:': 'b' },
    { '': 'b' },
    { Host: 'evil.test' },
    { 'Transfer-Encoding': 'chunked' },
    { connection: 'close' },
    { Expect: '100-continue' },
  ]) {
    const error = await failure(send(headers as unknown as Record<string, string>))
    expect([JSON.stringify(headers), error.code]).toEqual([JSON.stringify(headers), 'egress_header'])
    expect(error.message).not.toContain('evil')
  }
  expect((await failure(client.request({ method: 'GET X', url: server.origin }))).code).toBe('egress_url')
  expect(server.requests).toEqual([])
  await send({ host: `127.0.0.1:${server.port}`, 'content-length': '5' })
  expect(server.requests).toHaveLength(1)
})

test('a resolver that never answers is a timeout too', async () => {
  const stuck = egress({ allow: [] }, { resolve: () => new Promise(() => undefined) })
  const error = await failure(stuck.request({ method: 'GET', url: 'http://slow.example', timeoutMs: 20 }))
  expect(error).toMatchObject({ code: 'egress_timeout' })
  expect(error.message).toContain('connecting')
})

test('a server that never answers, or never ends, is a timeout that says where it was', async () => {
  const silent = await stub(() => undefined)
  const waiting = await failure(egress().request({ method: 'GET', url: `${silent.origin}/?q=s3cret`, timeoutMs: 50 }))
  expect(waiting).toMatchObject({ code: 'egress_timeout', retryable: true })
  expect(waiting.message).toContain('waiting for the response')
  expect(waiting.message).not.toContain('s3cret')

  const slow = await stub((_request, response) => {
    const timer = setInterval(() => response.write('.'), 5)
    response.on('close', () => clearInterval(timer))
  })
  const reading = await failure(egress().request({ method: 'GET', url: slow.origin, timeoutMs: 100 }))
  expect(reading.code).toBe('egress_timeout')
  expect(reading.message).toMatch(/reading the response \(\d+ bytes came\)/)
  const policy = egress({ allow: ['127.0.0.1'], timeoutMs: 10, maxTimeoutMs: 50 })
  expect((await failure(policy.request({ method: 'GET', url: silent.origin, timeoutMs: 60_000 }))).message).toContain(
    '50 ms',
  )
})

test('bodies past the limit are cut off while they arrive, announced or endless', async () => {
  const announced = await stub((_request, response) =>
    response.writeHead(200, { 'content-length': '5000000' }).write('x'),
  )
  const first = await failure(egress().request({ method: 'GET', url: announced.origin, maxResponseBytes: 1_000 }))
  expect(first.code).toBe('egress_too_large')
  expect(first.message).toContain('5000000 bytes')

  let closed = (): void => undefined
  const cutOff = new Promise<void>((resolve) => (closed = resolve))
  const endless = await stub((_request, response) => {
    const write = (): void => {
      if (response.destroyed) return
      response.write('x'.repeat(10_000))
      setImmediate(write)
    }
    write()
    response.on('close', closed)
  })
  expect(
    (await failure(egress().request({ method: 'GET', url: endless.origin, maxResponseBytes: 100_000 }))).code,
  ).toBe('egress_too_large')
  await cutOff
})

test('compressed responses are decoded', async () => {
  const plain = JSON.stringify({ text: 'plug'.repeat(5_000) })
  const encoders = {
    gzip: gzipSync,
    br: brotliCompressSync,
    deflate: deflateSync,
    zstd: zstdCompressSync,
    'x-gzip': gzipSync,
  }
  for (const [coding, encode] of [...Object.entries(encoders), ['deflate', deflateRawSync] as const]) {
    const server = await stub((_request, response) =>
      response.writeHead(200, { 'content-encoding': coding }).end(encode(plain)),
    )
    const response = await egress().request({ method: 'GET', url: server.origin })
    expect([coding, text(response.body)]).toEqual([coding, plain])
    expect(response.headers['content-encoding']).toBeUndefined()
    expect(server.requests[0]!.headers['accept-encoding']).toBe('gzip, deflate, br')
  }
  const head = await stub((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end())
  expect((await egress().request({ method: 'HEAD', url: head.origin })).status).toBe(200)
})

test('decompression bombs end at the limit; nested and broken codings are refused', async () => {
  const zeros = Buffer.alloc(64 * 1024 * 1024)
  const bombs: [string, Buffer][] = [
    ['gzip', gzipSync(zeros, { level: 9 })],
    ['br', brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })],
  ]
  for (const [coding, bytes] of bombs) {
    const server = await stub((_request, response) =>
      response.writeHead(200, { 'content-encoding': coding }).end(bytes),
    )
    const before = process.memoryUsage().arrayBuffers
    const error = await failure(egress().request({ method: 'GET', url: server.origin, maxResponseBytes: 1_000_000 }))
    expect([coding, error.code]).toEqual([coding, 'egress_too_large'])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024)
  }
  const nested = await stub((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(gzipSync(gzipSync('x'))),
  )
  expect((await failure(egress().request({ method: 'GET', url: nested.origin }))).code).toBe('egress_decode')
  const broken = await stub((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip'),
  )
  expect((await failure(egress().request({ method: 'GET', url: broken.origin }))).code).toBe('egress_decode')
  const cut = await stub((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(1000)).subarray(0, 20)),
  )
  expect((await failure(egress().request({ method: 'GET', url: cut.origin }))).code).toBe('egress_decode')
})

test('an abort ends the request before, while and after it is sent', async () => {
  const silent = await stub(() => undefined)
  const client = egress()
  const early = await failure(client.request({ method: 'GET', url: silent.origin, signal: AbortSignal.abort() }))
  expect(early.code).toBe('egress_aborted')
  const controller = new AbortController()
  const pending = failure(client.request({ method: 'GET', url: silent.origin, signal: controller.signal }))
  await expect.poll(() => silent.requests.length).toBe(1)
  controller.abort(new Error('enough'))
  expect((await pending).cause).toMatchObject({ message: 'enough' })
})

test('a cancellation ends the request as a signal does, and is left when the request is over', async () => {
  const silent = await stub((request, response) => void (request.url === '/fast' && response.end('ok')))
  const listeners = new Set<(reason: unknown) => void>()
  const cancellation: Cancellation = {
    aborted: false,
    reason: null,
    get signal(): AbortSignal {
      throw new Error('nobody needs the signal')
    },
    onAbort(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const client = egress()
  await client.request({ method: 'GET', url: `${silent.origin}/fast`, signal: cancellation })
  expect(listeners.size).toBe(0)
  const pending = failure(client.request({ method: 'GET', url: silent.origin, signal: cancellation }))
  await expect.poll(() => silent.requests.length).toBe(2)
  for (const listener of listeners) listener(new Error('enough'))
  expect((await pending).cause).toMatchObject({ message: 'enough' })
  expect(listeners.size).toBe(0)
  const late = {
    aborted: true,
    reason: new Error('too late'),
    signal: AbortSignal.abort(),
    onAbort: cancellation.onAbort,
  }
  expect((await failure(client.request({ method: 'GET', url: silent.origin, signal: late }))).cause).toBe(late.reason)
})

test('failures say whether something may have been sent', async () => {
  const gone = await stub()
  await open.pop()!()
  const refused = await failure(egress().request({ method: 'POST', url: gone.origin, body: 'x' }))
  expect(refused).toMatchObject({ code: 'egress_connect', retryable: true })
  expect(refused.message).toContain('ECONNREFUSED')

  const dying = await stub((request) => void request.socket.destroy())
  expect((await failure(egress().request({ method: 'POST', url: dying.origin, body: 'x' }))).code).toBe('egress_broken')
  const midway = await stub((request, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => request.socket.destroy())
  })
  expect((await failure(egress().request({ method: 'GET', url: midway.origin }))).message).toContain(
    'while the response',
  )

  const port = await listen(
    createTcpServer((socket) =>
      socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9\r\n')).on('error', () => undefined),
    ),
  )
  expect((await failure(egress().request({ method: 'GET', url: `http://127.0.0.1:${port}/` }))).code).toBe(
    'egress_protocol',
  )
  const unknown = await failure(egress({}, resolver({})).request({ method: 'GET', url: 'http://nowhere.test/' }))
  expect(unknown).toMatchObject({ code: 'egress_dns', retryable: true })
})

test('connections are kept and used again; a stale one is replaced for requests that are safe to repeat', async () => {
  const sockets = new Set<unknown>()
  let kill = false
  const server = await stub((request, response) => {
    sockets.add(request.socket)
    if (kill) {
      kill = false
      request.socket.destroy()
    } else response.end('ok')
  })
  const client = egress()
  for (let index = 0; index < 20; index += 1) await client.request({ method: 'GET', url: server.origin })
  // undici frees a connection one turn of the event loop after its response, so a second one may be opened.
  expect(sockets.size).toBeLessThanOrEqual(2)
  kill = true
  expect((await client.request({ method: 'GET', url: server.origin })).status).toBe(200)
  kill = true
  expect((await failure(client.request({ method: 'POST', url: server.origin, body: 'x' }))).code).toBe('egress_broken')
})

test('after close nothing goes out and what was under way fails', async () => {
  const silent = await stub(() => undefined)
  const client = createEgress({ allow: ['127.0.0.1'] })
  const pending = failure(client.request({ method: 'GET', url: silent.origin }))
  await expect.poll(() => silent.requests.length).toBe(1)
  await client.close()
  expect((await pending).code).toBe('egress_closed')
  expect((await failure(client.request({ method: 'GET', url: silent.origin }))).code).toBe('egress_closed')
  expect((await failure(client.fetch(silent.origin))).code).toBe('egress_closed')
})

test('an entry that cannot be read stops the start', () => {
  expect(() => createEgress({ allow: ['http://internal'] })).toThrowError(
    /PLUGWORK_EGRESS_ALLOW: "http:\/\/internal" is a URL/,
  )
})

test('fetch goes the same way: guarded, limited, redirected, streamed', async () => {
  const server = await stub((request, response, body) => {
    if (request.url === '/redirect') return void response.writeHead(303, { location: '/echo' }).end()
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    if (request.url === '/empty') return void response.writeHead(204).end()
    if (request.url === '/gzip')
      return void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('zipped'))
    response.end(JSON.stringify({ method: request.method, body, type: request.headers['content-type'] }))
  })
  const client = egress()
  const echo = await client.fetch(`${server.origin}/echo`, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) })
  expect(await echo.json()).toEqual({
    method: 'POST',
    body: 'a=b+c',
    type: 'application/x-www-form-urlencoded;charset=UTF-8',
  })
  expect(echo.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  const redirected = await client.fetch(new Request(`${server.origin}/redirect`, { method: 'PUT', body: 'x' }))
  expect([redirected.redirected, redirected.url]).toEqual([true, `${server.origin}/echo`])
  expect(await redirected.json()).toMatchObject({ method: 'GET' })
  expect((await client.fetch(`${server.origin}/redirect`, { redirect: 'manual' })).status).toBe(303)
  expect((await failure(client.fetch(`${server.origin}/redirect`, { redirect: 'error' }))).code).toBe('egress_redirect')
  expect((await client.fetch(`${server.origin}/empty`)).body).toBeNull()
  expect(await (await client.fetch(`${server.origin}/gzip`)).text()).toBe('zipped')
  expect((await failure(egress({ allow: [] }).fetch(server.origin))).code).toBe('egress_denied')
  await expect(client.fetch(server.origin, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
})

test('fetch hands on parts as they come, waits for its reader, and stops when it is cancelled', async () => {
  let closed = (): void => undefined
  const cutOff = new Promise<void>((resolve) => (closed = resolve))
  let more = (): void => undefined
  const server = await stub((_request, response) => {
    response.write('first')
    more = () => response.write('second')
    response.on('close', closed)
  })
  const reader = (await egress().fetch(server.origin)).body!.getReader()
  expect(text((await reader.read()).value!)).toBe('first')
  more()
  expect(text((await reader.read()).value!)).toBe('second')
  await reader.cancel()
  await cutOff

  const endless = await stub((_request, response) => {
    const write = (): void => {
      if (response.destroyed) return
      response.write('x'.repeat(10_000))
      setImmediate(write)
    }
    write()
  })
  const limited = await egress({ allow: ['127.0.0.1'], maxResponseBytes: 50_000 }).fetch(endless.origin)
  expect((await failure(limited.text())).code).toBe('egress_too_large')
})
