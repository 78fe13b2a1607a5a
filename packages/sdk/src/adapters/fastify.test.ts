import { once } from 'node:events'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { fastifyPlugin } from './fastify.ts'
import { describeAdapter } from './testing/adapter-suite.ts'

describeAdapter(
  'fastify',
  async (plug, { parser: _parser, ...options } = {}) => {
    const app = fastify({ forceCloseConnections: true })
    app.setErrorHandler((error: { statusCode?: number; code?: string }, _request, reply) =>
      reply.code(error.statusCode ?? 500).send({ handled: error.code }),
    )
    // Fastify parses JSON by default, and knows nothing of other types.
    app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) =>
      done(null, `parsed ${body}`),
    )
    app.get('/app', async () => 'the app')
    app.post('/app', async (request) => request.body)
    await app.register(fastifyPlugin(plug, options))
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return { origin, close: () => app.close() }
  },
  { parserCannotInterfere: true, noRawBody: true },
)

const plug = {
  basePath: '/api/plugwork',
  handler: async (request: Request) => new Response(new URL(request.url).pathname),
}

test('a prefix that the base path begins with is part of it', async () => {
  const app = fastify()
  await app.register(fastifyPlugin(plug), { prefix: '/api' })
  const answer = await app.inject('/api/plugwork/actions')
  expect([answer.statusCode, answer.body]).toEqual([200, '/api/plugwork/actions'])
  await app.close()
})

test('another prefix is refused when the application starts', async () => {
  const app = fastify()
  const registered = async (): Promise<void> => void (await app.register(fastifyPlugin(plug), { prefix: '/v1' }))
  await expect(registered()).rejects.toMatchObject({ code: 'adapter_mount_invalid' })
  await app.close()
})

test('over HTTP/2, with a body that nobody announced and one that nobody reads', async () => {
  const app = fastify({ http2: true })
  await app.register(
    fastifyPlugin({
      basePath: '/api',
      handler: async (request) =>
        new Response(request.method === 'PUT' ? 'unread' : `${new URL(request.url).pathname} ${await request.text()}`),
    }),
  )
  const client = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  const ask = async (method: string): Promise<string> => {
    const stream = client.request({ ':method': method, ':path': '/api/x', 'content-type': 'application/json' })
    stream.end('{"a": 1.0}')
    return text(stream)
  }
  expect(await ask('POST')).toBe('/api/x {"a": 1.0}')
  expect(await ask('PUT')).toBe('unread')
  client.close()
  await once(client, 'close')
  await app.close()
})
