/**
 * The adapter in the real Next.js: its development server runs in this process, with a route file that hands requests on to
 * the handlers of the test. (A bundler would otherwise have to take the repository's unbuilt TypeScript.)
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
// Next.js takes it from the global scope, and puts it there itself only when its command starts it.
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextHandlers, type NextHandler, type NextMethod } from './next.ts'
import { describeAdapter, type TestApp } from './testing/adapter-suite.ts'
import { listen } from './testing/listen.ts'

/** What is used of Next.js. Its own types would bring the DOM, and its idea of `process.env`, to the whole repository. */
interface NextApp {
  prepare(): Promise<void>
  getRequestHandler(): RequestListener
  close(): Promise<void>
}
interface NextOptions {
  readonly dev: boolean
  readonly dir: string
  readonly quiet: boolean
  readonly hostname: string
  readonly port: number
}
type CreateApp = (options: NextOptions) => NextApp

const require = createRequire(import.meta.url)

declare global {
  var plugworkUnderTest: Record<NextMethod, NextHandler>
}

const cache = join(import.meta.dirname, '../../../../.cache')
let folder: string
let app: NextApp
let server: TestApp

beforeAll(async () => {
  mkdirSync(cache, { recursive: true })
  folder = mkdtempSync(join(cache, 'next-'))
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  write('package.json', '{ "type": "module", "private": true }')
  write('next.config.js', 'export default { logging: false }')
  write(
    'app/api/plugwork/[...path]/route.js',
    methods.map((method) => `export const ${method} = (request) => plugworkUnderTest.${method}(request)\n`).join(''),
  )
  write(
    'app/app/route.js',
    `export const GET = () => new Response('the app')
     export const POST = async (request) => Response.json(await request.json())\n`,
  )
  Object.assign(globalThis, { AsyncLocalStorage })
  process.env['NEXT_TELEMETRY_DISABLED'] = '1'
  const createApp = require('next') as CreateApp
  let serve: RequestListener | undefined
  server = await listen((request, response) => void serve?.(request, response))
  const { hostname, port } = new URL(server.origin)
  app = createApp({ dev: true, dir: folder, quiet: true, hostname, port: Number(port) })
  await app.prepare()
  serve = app.getRequestHandler()
  // The first request of a route compiles it.
  globalThis.plugworkUnderTest = nextHandlers({ basePath: '/api/plugwork', handler: async () => new Response() })
  for (const path of ['/api/plugwork/first', '/app', '/none']) await (await fetch(`${server.origin}${path}`)).text()
}, 120_000)

afterAll(async () => {
  await server?.close()
  await app?.close()
  rmSync(folder, { recursive: true, force: true })
})

describeAdapter(
  'next',
  async (plug, { parser: _parser, ...options } = {}) => {
    globalThis.plugworkUnderTest = nextHandlers(plug, options)
    // Next.js calls every loopback address so.
    return { origin: server.origin.replace('127.0.0.1', 'localhost'), close: async () => {} }
  },
  { routedByFile: true, noRawBody: true, serverOwnsConnections: true },
)

test('a request whose body was read is refused', async () => {
  const { POST } = nextHandlers({ basePath: '/api', handler: async () => new Response() })
  const { NextRequest } = require('next/server') as { readonly NextRequest: typeof Request }
  const request = new NextRequest('http://localhost/api/x', { method: 'POST', body: '{}' })
  await request.json()
  await expect(POST(request)).rejects.toMatchObject({ code: 'adapter_body_consumed' })
})

test('a route file in another folder than the base path says where it belongs', async () => {
  const { GET } = nextHandlers({ basePath: '/api/plugwork', handler: async () => new Response() })
  const { NextRequest } = require('next/server') as { readonly NextRequest: typeof Request }
  await expect(GET(new NextRequest('http://localhost/api/other/x'))).rejects.toThrow(
    'app/api/plugwork/[...path]/route.ts',
  )
})
