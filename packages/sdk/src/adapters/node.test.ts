import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
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

test('without a next it answers by itself: 404 outside, 500 for what fails, which onError is told', async () => {
  const told: unknown[] = []
  const broken = new Error('broken, with a detail')
  const { origin, close } = await listen(
    nodeHandler({ basePath: '/api', handler: () => Promise.reject(broken) }, { onError: (error) => told.push(error) }),
  )
  onTestFinished(close)
  expect((await fetch(`${origin}/elsewhere`)).status).toBe(404)
  const failed = await fetch(`${origin}/api/x`)
  expect([failed.status, await failed.text()]).toEqual([500, 'Internal Server Error'])
  expect(told).toEqual([broken])
})

test('an answer that breaks off is no complete answer', async () => {
  const told: unknown[] = []
  const handler = async (): Promise<Response> => {
    let sent = false
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent) throw new Error('the source ended')
        sent = true
        controller.enqueue(new Uint8Array(10))
      },
    })
    return new Response(body)
  }
  const { origin, close } = await listen(nodeHandler({ handler }, { onError: (error) => told.push(error) }))
  onTestFinished(close)
  const answer = await fetch(`${origin}/x`)
  await expect(answer.arrayBuffer()).rejects.toMatchObject({ name: 'TypeError' })
  expect(told).toMatchObject([{ message: 'the source ended' }])
})

test('the absolute form of a request line counts for its path', async () => {
  const { origin, close } = await listen(
    nodeHandler({ basePath: '/api', handler: async ({ url }) => new Response(url) }),
  )
  onTestFinished(close)
  const answer = await new Promise<string>((resolve, reject) => {
    const { hostname: host, port } = new URL(origin)
    get({ host, port, path: 'http://other.test/api/x?y=1' }, (response) => resolve(text(response))).on('error', reject)
  })
  expect(answer).toBe('http://other.test/api/x?y=1')
})

test('the head of an answer is sent before its first chunk is there', async () => {
  const first = Promise.withResolvers<void>()
  const handler = async (): Promise<Response> =>
    new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await first.promise
          controller.enqueue(new Uint8Array(3))
          controller.close()
        },
      }),
      { status: 201 },
    )
  const { origin, close } = await listen(nodeHandler({ handler }))
  onTestFinished(close)
  const answer = await fetch(`${origin}/x`)
  expect(answer.status).toBe(201)
  first.resolve()
  expect((await answer.arrayBuffer()).byteLength).toBe(3)
})
