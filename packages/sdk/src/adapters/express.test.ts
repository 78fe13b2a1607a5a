import express, { type ErrorRequestHandler } from 'express'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { expressHandler } from './express.ts'
import { describeAdapter } from './testing/adapter-suite.ts'
import { listen } from './testing/listen.ts'

// Express knows error handlers by their four parameters.
const handled: ErrorRequestHandler = (error: { status?: number; code?: string }, _request, response, next) => {
  if (response.headersSent) return next(error)
  response.status(error.status ?? 500).json({ handled: error.code })
}

describeAdapter('express', async (plug, { parser = 'behind', ...options } = {}) => {
  const app = express()
  if (parser === 'in front') app.use(express.json())
  if (parser === 'keeping') {
    app.use(express.json({ verify: (request, _response, bytes) => Object.assign(request, { rawBody: bytes }) }))
  }
  app.use(expressHandler(plug, options))
  app.use(express.json())
  app.get('/app', (_request, response) => void response.send('the app'))
  app.post('/app', (request, response) => void response.json(request.body))
  app.use(handled)
  return listen(app)
})

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** Answers with what it got. */
const mirror = {
  basePath: '/api',
  handler: async (request: Request) =>
    Response.json({
      url: request.url,
      body: digest(new Uint8Array(await request.arrayBuffer())),
      encoding: request.headers.get('content-encoding'),
      length: request.headers.get('content-length'),
    }),
}

async function serve(app: express.Express): Promise<string> {
  const { origin, close } = await listen(app)
  onTestFinished(close)
  return origin
}

test('bytes that express.raw() kept are taken, unpacked where they were packed', async () => {
  const app = express()
  app.use(express.raw({ type: '*/*' }), expressHandler(mirror))
  const origin = await serve(app)
  const bytes = Buffer.from('{"a": 1.0}')
  const plain = await fetch(`${origin}/api/x`, {
    method: 'POST',
    body: bytes,
    headers: { 'content-type': 'text/plain' },
  })
  expect(await plain.json()).toMatchObject({ body: digest(bytes), encoding: null, length: '10' })
  const packed = await fetch(`${origin}/api/x`, {
    method: 'POST',
    body: new Uint8Array(gzipSync(bytes)),
    headers: { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
  })
  expect(await packed.json()).toMatchObject({ body: digest(bytes), encoding: null, length: '10' })
})

test('nothing in front of it unpacks a body', async () => {
  const app = express()
  app.use(expressHandler(mirror))
  const body = new Uint8Array(gzipSync('{"a": 1.0}'))
  const answer = await fetch(`${await serve(app)}/api/x`, {
    method: 'POST',
    body,
    headers: { 'content-encoding': 'gzip' },
  })
  expect(await answer.json()).toMatchObject({ body: digest(body), encoding: 'gzip' })
})

test('a mounted router changes no address, and what middleware has set stays', async () => {
  const app = express()
  app.set('trust proxy', true)
  app.use((_request, response, next) => {
    response.setHeader('x-from-app', 'yes')
    response.setHeader('set-cookie', 'app=1')
    next()
  })
  app.use('/api', expressHandler({ ...mirror, basePath: '/api/plugwork' }))
  const origin = await serve(app)
  const answer = await fetch(`${origin}/api/plugwork/x?y=1`, {
    headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.example.com' },
  })
  expect(await answer.json()).toMatchObject({ url: 'https://app.example.com/api/plugwork/x?y=1' })
  expect([answer.headers.get('x-from-app'), answer.headers.getSetCookie()]).toEqual(['yes', ['app=1']])
  expect((await fetch(`${origin}/api/other`)).status).toBe(404)
})
