/** The contract suite of Plugwork, and what this connector adds to it, against a local server with the service's wire. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'
import { createEgress, type ActionContext, type ApiClient } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { acme } from './acme.ts'

const TOKEN = 'test-token'

/** Serves as the service does: token, idempotency keys, JSON. */
async function startService() {
  const items = [{ id: '1', text: 'Water the plants', done: false }]
  const made = new Map<string, (typeof items)[number]>()
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (request.headers.authorization !== `Bearer ${TOKEN}`) answer(401, { message: 'unknown token' })
    else if (pathname === '/items' && request.method === 'GET') answer(200, items)
    else if (pathname === '/items') {
      void readJson(request).then(({ text }) => {
        const key = String(request.headers['idempotency-key'])
        const item = made.get(key) ?? { id: String(items.length + 1), text, done: false }
        if (!made.has(key)) items.push(item)
        made.set(key, item)
        answer(201, item)
      })
    } else {
      const item = items.find(({ id }) => pathname === `/items/${id}`)
      if (item === undefined) answer(404, { message: 'no such item' })
      else answer(200, item)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    items,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readJson(request: IncomingMessage): Promise<{ readonly text: string }> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return JSON.parse(body) as { text: string }
}

// Schemas, scaffold, example, leaks, outputs, cancellation, look-ups: what the rest of Plugwork relies on.
describeConnectorContract(acme, { describe, test }, async () => {
  const service = await startService()
  const egress = createEgress({ allow: ['127.0.0.1'] })
  // Opens the pool before open resources are counted.
  await egress.request({ method: 'GET', url: service.url })
  return {
    config: { url: service.url, token: TOKEN },
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'list', input: { limit: 5 } },
      { action: 'get', input: { id: '1' } },
      { action: 'add', input: { text: 'Call Ada' } },
    ],
    async close() {
      await egress.close()
      await service.close()
    },
  }
})

/** Opens a connection as the runtime does, for tests of single actions. */
async function withConnection(token: string, body: (context: ActionContext<ApiClient>) => Promise<void>) {
  const service = await startService()
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const common = { egress, tenant: 'default', signal: new AbortController().signal, log: () => undefined }
  try {
    const config = acme.config.parse({ url: service.url, token })
    const client = await acme.connect(config, { ...common, name: 'main', directory: tmpdir() })
    await body({ ...common, client, connection: 'main', idempotencyKey: 'key-1', attempt: 1 })
  } finally {
    await egress.close()
    await service.close()
  }
}

test('an item that is added twice with one key is there once', () =>
  withConnection(TOKEN, async (context) => {
    const { add, list } = acme.actions
    const first = await add.run(context, { text: 'Call Ada' })
    assert.deepEqual(await add.run(context, { text: 'Call Ada' }), first)
    assert.equal((await list.run(context, { limit: 20 })).items.length, 2)
  }))

test('what is not there, and a wrong token, are errors with a code', async () => {
  await withConnection(TOKEN, async (context) => {
    await assert.rejects(acme.actions.get.run(context, { id: '../x' }), { code: 'acme_not_found' })
  })
  await withConnection('wrong', async (context) => {
    await assert.rejects(acme.actions.list.run(context, { limit: 1 }), (error: Error) => {
      assert.doesNotMatch(error.message, /wrong-token|Bearer/)
      return true
    })
  })
})
