import { createAdaptorServer } from '@hono/node-server'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { honoHandler } from './hono.ts'
import { describeAdapter } from './testing/adapter-suite.ts'

describeAdapter(
  'hono',
  async (plug, { parser = 'behind', ...options } = {}) => {
    const app = new Hono()
    if (parser === 'in front') {
      app.use(async (context, next) => {
        await context.req.json().catch(() => null)
        await next()
      })
    }
    app.use(honoHandler(plug, options))
    app.get('/app', (context) => context.text('the app'))
    app.post('/app', async (context) => context.json(await context.req.json()))
    app.onError((error, context) => {
      const { status = 500, code } = error as { status?: number; code?: string }
      return new Response(JSON.stringify({ handled: code }), { status, headers: context.res.headers })
    })
    // The options have no TLS, so it is a plain server.
    const server = createAdaptorServer({ fetch: app.fetch }) as Server
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async close() {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      },
    }
  },
  { noRawBody: true, serverOwnsConnections: true },
)
