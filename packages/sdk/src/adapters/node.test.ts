import { text } from 'node:stream/consumers'
import { nodeHandler } from './node.ts'
import { describeAdapter } from './testing/adapter-suite.ts'
import { listen } from './testing/listen.ts'

describeAdapter('node:http', async (plug, { parser = 'behind', ...options } = {}) => {
  const handle = nodeHandler(plug, options)
  return listen(async (request, response) => {
    if (parser !== 'behind') {
      const body = await text(request)
      Object.assign(
        request,
        parser === 'keeping' ? { rawBody: Buffer.from(body) } : { body: JSON.parse(body || 'null') },
      )
    }
    handle(request, response, async (error) => {
      if (error !== undefined) {
        const { status = 500, code } = error as { status?: number; code?: string }
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ handled: code }))
      } else if (request.url !== '/app') response.writeHead(404).end()
      else if (request.method === 'GET') response.end('the app')
      else response.end(JSON.stringify(JSON.parse(await text(request))))
    })
  })
})
