/**
 * What every adapter must keep, tried over real sockets against the real framework: `describeAdapter(name, start)`. The
 * application around the adapter has a JSON parser of its own and two routes, see `TestApp`.
 */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { AdapterOptions, Mountable } from '../mountable.ts'
import { testPlugwork } from './plugwork-suite.ts'

/**
 * An application with the adapter in it, listening on a free port: `GET /app` answers `the app`, `POST /app` answers the JSON
 * that it parsed, and errors that reach it are answered with their status and `{ "handled": code }`.
 */
export interface TestApp {
  readonly origin: string
  close(): Promise<void>
}

export interface TestAppOptions extends AdapterOptions {
  /** Whether the application parses bodies in front of the adapter: `keeping` leaves the bytes in `rawBody`. */
  readonly parser?: 'behind' | 'in front' | 'keeping'
}

export type StartApp = (plug: Mountable, options?: TestAppOptions) => Promise<TestApp>

export interface Differences {
  /** Nothing in front of the adapter can take the body away from it. */
  readonly parserCannotInterfere?: boolean
  /** The framework cannot have middleware that leaves the bytes in `rawBody`. */
  readonly noRawBody?: boolean
  /** The framework routes by files and has no middleware: it tidies paths, tells nobody of errors, and has a say about hosts and methods first. */
  readonly routedByFile?: boolean
  /** What becomes of a connection with an unread upload is for the server to say, not for the adapter. */
  readonly serverOwnsConnections?: boolean
}

const base = '/api/plugwork'
const secret = "It's a Secret to Everybody"
/** Escapes, exponents, order, spaces and a line end: none survives `JSON.stringify(JSON.parse(body))`. */
const body = Buffer.from('{"b": 1e2,\r\n "a":"\\u00e9\\/ö😀", "a": 1.0}\n')
const signed = (bytes: Uint8Array): string => `sha256=${createHmac('sha256', secret).update(bytes).digest('hex')}`

type Where = (title: string, run: () => Promise<void>) => void
const unneeded: Where = () => {}

export function describeAdapter(name: string, start: StartApp, differences: Differences = {}): void {
  const open: TestApp[] = []
  const app = async (plug: Mountable, options?: TestAppOptions): Promise<TestApp> => {
    const started = await start(plug, options)
    open.push(started)
    return started
  }
  afterEach(async () => {
    for (const started of open.splice(0)) await started.close()
  })

  /** What a framework has no way to do wrong needs no test there. */
  const where = (applies: boolean): Where => (applies ? test : unneeded)

  describe(`the adapter for ${name}`, () => {
    const post = (origin: string, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${origin}${base}/hooks/github`, {
        method: 'POST',
        body: new Uint8Array(bytes),
        headers: { 'content-type': 'application/json', 'x-hub-signature-256': signed(body), ...headers },
      })

    test('the signature over the exact bytes is accepted, a tampered body is not', async () => {
      const { origin } = await app(probe)
      expect(JSON.parse(body.toString())).toBeDefined()
      expect(Buffer.from(JSON.stringify(JSON.parse(body.toString())))).not.toEqual(body)
      expect((await post(origin, body)).status).toBe(202)
      expect((await post(origin, Buffer.from(body.toString().replace('1e2', '100')))).status).toBe(401)
      expect((await post(origin, body, { 'content-type': 'text/plain' })).status).toBe(202)
      expect((await post(origin, body, { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(202)
      expect((await post(origin, new Uint8Array())).status).toBe(401)
    })

    test('bytes that are no text arrive as they are, without a content type too', async () => {
      const { origin } = await app(probe)
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256))
      const answer = await fetch(`${origin}${base}/echo`, { method: 'PUT', body: bytes })
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
    })

    where(differences.routedByFile !== true)('a parser in front of it is an error that says what to do', async () => {
      const seen: unknown[] = []
      const { origin } = await app(
        { ...probe, handler: async (request) => (seen.push(request.url), probe.handler(request)) },
        { parser: 'in front' },
      )
      const answer = await post(origin, body)
      if (differences.parserCannotInterfere === true) return expect(answer.status).toBe(202)
      expect(answer.status).toBe(500)
      expect(await answer.json()).toEqual({ handled: 'adapter_body_consumed' })
      expect(seen).toEqual([])
      // What has no body is none the worse for the parser.
      expect((await fetch(`${origin}${base}/actions`)).status).toBe(200)
    })

    where(differences.noRawBody !== true)('a parser in front of it that keeps the bytes is welcome', async () => {
      const { origin } = await app(probe, { parser: 'keeping' })
      expect((await post(origin, body)).status).toBe(202)
      expect((await post(origin, Buffer.from('{}'))).status).toBe(401)
    })

    test('a call with JSON there and back', async () => {
      const { origin } = await app(probe)
      const answer = await fetch(`${origin}${base}/actions/github/issues.create?dry=1`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie: 'a=1; b=2' },
        body: '{"title":"Hi"}',
      })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(await answer.json()).toEqual({
        method: 'POST',
        url: `${origin}${base}/actions/github/issues.create?dry=1`,
        cookie: 'a=1; b=2',
        json: { title: 'Hi' },
      })
    })

    test('the redirects of signing in, with all their cookies', async () => {
      const { origin } = await app(probe)
      const begin = await fetch(`${origin}${base}/oauth/start?connector=github`, { redirect: 'manual' })
      expect(begin.status).toBe(302)
      expect(begin.headers.getSetCookie()).toEqual(['state=s1; HttpOnly', 'flow=f1; Path=/'])
      const back = new URL(begin.headers.get('location')!).searchParams.get('redirect_uri')!
      expect(back).toBe(`${origin}${base}/oauth/callback`)
      const end = await fetch(`${back}?code=c%2F1&state=s1`, { redirect: 'manual', headers: { cookie: 'state=s1' } })
      expect(end.status).toBe(303)
      expect(end.headers.get('location')).toBe('/connected?code=c%2F1')
    })

    test('paths outside the base path are the application’s, with its own parser', async () => {
      const { origin } = await app(probe)
      expect(await (await fetch(`${origin}/app`)).text()).toBe('the app')
      const parsed = await fetch(`${origin}/app`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"x": 1.0}',
      })
      expect(await parsed.text()).toBe('{"x":1}')
      for (const path of ['/nowhere', `${base}er/actions`, `${base}/../app/none`, `/${base}/actions`]) {
        const answer = await raw(origin, `GET ${path} HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n`)
        expect(answer).toMatch(differences.routedByFile === true ? /^HTTP\/1.1 (?:404|308)/ : /^HTTP\/1.1 404/)
        expect(answer).not.toContain('x-plugwork')
      }
      const inside = await fetch(`${origin}${base}/nowhere`)
      expect([inside.status, inside.headers.get('x-plugwork')]).toEqual([404, 'yes'])
    })

    test('HEAD has no body, OPTIONS and other methods get the handler’s answer', async () => {
      const { origin } = await app(probe)
      const head = await fetch(`${origin}${base}/actions`, { method: 'HEAD' })
      expect([head.status, await head.text(), head.headers.get('x-plugwork')]).toEqual([200, '', 'yes'])
      const options = await fetch(`${origin}${base}/actions`, { method: 'OPTIONS' })
      expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
      const deleted = await fetch(`${origin}${base}/actions`, { method: 'DELETE' })
      expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    })

    test('the configured address wins over the Host header', async () => {
      const { origin } = await app({ ...probe, baseUrl: 'https://app.example.com' })
      const answer = await raw(
        origin,
        `GET ${base}/actions?a=1 HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: worse.test\r\nConnection: close\r\n\r\n`,
      )
      expect(answer).toContain(`"url":"https://app.example.com${base}/actions?a=1"`)
    })

    test('an answer is sent as it is made, and a client that leaves ends it and aborts the request', async () => {
      let ended = false
      let aborted = false
      const { origin } = await app({
        basePath: base,
        handler: async (request) => {
          request.signal.addEventListener('abort', () => (aborted = true))
          const chunks = new ReadableStream<Uint8Array>({
            async pull(controller) {
              controller.enqueue(new TextEncoder().encode('data: tick\n\n'))
              await sleep(5)
            },
            cancel() {
              ended = true
            },
          })
          return new Response(chunks, { headers: { 'content-type': 'text/event-stream' } })
        },
      })
      const leave = new AbortController()
      const answer = await fetch(`${origin}${base}/events`, { signal: leave.signal })
      const reader = answer.body!.getReader()
      expect(new TextDecoder().decode((await reader.read()).value)).toContain('data: tick')
      leave.abort()
      await expect.poll(() => [ended, aborted]).toEqual([true, true])
    })

    test('a client that leaves before the answer aborts the request', async () => {
      let aborted = false
      const began = Promise.withResolvers<void>()
      const { origin } = await app({
        basePath: base,
        handler: async (request) => {
          began.resolve()
          await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()))
          aborted = true
          throw request.signal.reason
        },
      })
      const leave = new AbortController()
      const answer = fetch(`${origin}${base}/slow`, { signal: leave.signal })
      answer.catch(() => {})
      await began.promise
      leave.abort()
      await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
      await expect.poll(() => aborted).toBe(true)
    })

    test('an error of the handler reaches the application’s handling of errors', async () => {
      const { origin } = await app({
        basePath: base,
        handler: async () => {
          throw Object.assign(new Error('broken'), { code: 'broken_on_purpose' })
        },
      })
      const answer = await fetch(`${origin}${base}/actions`)
      expect(answer.status).toBe(500)
      expect(await answer.text()).toBe(differences.routedByFile === true ? '' : '{"handled":"broken_on_purpose"}')
    })

    test('an announced body that is too large is refused unread', async () => {
      const { origin } = await app(probe, { maxBodyBytes: 1000 })
      const answer = await raw(
        origin,
        `POST ${base}/echo HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 413/)
      expect((await fetch(`${origin}${base}/echo`, { method: 'PUT', body: 'x'.repeat(1000) })).status).toBe(200)
    })

    test('a body without an announcement is read up to the limit', async () => {
      let read = 0
      const { origin } = await app(
        {
          basePath: base,
          handler: async (request) => {
            for await (const chunk of request.body!) read += chunk.byteLength
            return new Response('all of it')
          },
        },
        { maxBodyBytes: 100_000 },
      )
      const chunk = `2710\r\n${'x'.repeat(10_000)}\r\n`
      const start = `POST ${base}/echo HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`
      expect(await raw(origin, `${start}${chunk.repeat(10)}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 200/)
      read = 0
      expect(await raw(origin, `${start}${chunk.repeat(11)}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413/)
      expect(read).toBeLessThanOrEqual(100_000)
    })

    test('a handler that stops reading still answers, and the connection goes on', async () => {
      const { origin } = await app({
        basePath: base,
        handler: async (request) => {
          if (request.body !== null) for await (const _chunk of request.body) break
          return new Response(request.headers.get('x-number'))
        },
      })
      const head = (method: string, number: number, rest: string): string =>
        `${method} ${base}/x HTTP/1.1\r\nHost: x.test\r\nX-Number: n${number}\r\n${rest}\r\n\r\n`
      const numbers = (answers: string): string[] => [...answers.matchAll(/\n(n\d)/g)].map(([, number]) => number!)
      const rest = Promise.withResolvers<string>()
      const answers = await raw(origin, `${head('POST', 1, 'Content-Length: 50000')}${'y'.repeat(10_000)}`, {
        // The rest is sent when the answer is there already.
        onData(answers) {
          if (numbers(answers).length === 1) rest.resolve('y'.repeat(40_000))
        },
        more: rest.promise.then((tail) => `${tail}${head('GET', 2, 'Connection: close')}`),
      })
      expect(numbers(answers)).toEqual(['n1', 'n2'])
    })

    test('an upload that nobody reads ends with the answer', async () => {
      const { origin } = await app({ basePath: base, handler: async () => new Response('no', { status: 401 }) })
      const start = `POST ${base}/x HTTP/1.1\r\nHost: x.test\r\nContent-Length: 30000000\r\n\r\n`
      const answer = await raw(origin, `${start}${'z'.repeat(1000)}`)
      expect(answer).toMatch(/^HTTP\/1.1 401/)
      if (differences.serverOwnsConnections !== true) expect(answer.toLowerCase()).toContain('connection: close')
    })

    where(differences.routedByFile !== true)('a request that fetch cannot express is refused', async () => {
      const { origin } = await app(probe)
      for (const host of ['a b', 'x@y', 'x:port']) {
        const answer = await raw(origin, `GET ${base}/actions HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
        expect(answer).toMatch(/^HTTP\/1.1 400/)
      }
      expect(await raw(origin, `TRACE ${base}/actions HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 4\d\d/,
      )
    })

    testPlugwork(start)
  })
}

/** Answers as Plugwork's handler does, as far as an adapter can see. */
const probe: Mountable = {
  basePath: base,
  async handler(request) {
    const { pathname, searchParams, origin } = new URL(request.url)
    const headers = { 'x-plugwork': 'yes' }
    const path = pathname.slice(base.length)
    if (path === '/hooks/github') {
      const bytes = new Uint8Array(await request.arrayBuffer())
      return new Response(null, {
        status: signed(bytes) === request.headers.get('x-hub-signature-256') ? 202 : 401,
        headers,
      })
    }
    if (path === '/echo') return new Response(request.body, { headers })
    if (path === '/oauth/start') {
      const location = `https://github.test/authorize?redirect_uri=${encodeURIComponent(`${origin}${base}/oauth/callback`)}`
      const answer = new Response(null, { status: 302, headers: { ...headers, location } })
      for (const cookie of ['state=s1; HttpOnly', 'flow=f1; Path=/']) answer.headers.append('set-cookie', cookie)
      return answer
    }
    if (path === '/oauth/callback') {
      const ok = request.headers.get('cookie') === `state=${searchParams.get('state')}`
      const location = `/connected?code=${encodeURIComponent(searchParams.get('code')!)}`
      return new Response(null, { status: ok ? 303 : 400, headers: { ...headers, location } })
    }
    if (path.startsWith('/actions')) {
      if (path === '/actions' && !['GET', 'HEAD'].includes(request.method)) {
        const status = request.method === 'OPTIONS' ? 204 : 405
        return new Response(null, { status, headers: { ...headers, allow: 'GET, HEAD, OPTIONS' } })
      }
      const text = await request.text()
      return Response.json(
        {
          method: request.method,
          url: request.url,
          cookie: request.headers.get('cookie'),
          json: text && JSON.parse(text),
        },
        { headers },
      )
    }
    return new Response('no such address', { status: 404, headers })
  },
}

interface RawOptions {
  /** Told of everything that came back so far. */
  readonly onData?: (answers: string) => void
  readonly more?: Promise<string>
}

/** Sends bytes and returns all that comes back until the server closes the connection. */
async function raw(origin: string, text: string, { onData, more }: RawOptions = {}): Promise<string> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  let answers = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answers += chunk
    onData?.(answers)
  })
  // The server may close while we are still sending; what it said before is what counts.
  socket.on('error', () => {})
  socket.write(text, 'latin1')
  void more?.then((rest) => socket.write(rest, 'latin1'))
  await once(socket, 'close')
  return answers
}
