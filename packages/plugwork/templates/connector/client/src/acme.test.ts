/** The contract suite of Plugwork, and what this connector adds to it, against a local server with the service's wire. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { acme } from './acme.ts'
import type { Answer } from './client.ts'

const PASSWORD = 'test-password'

async function startService() {
  const values = new Map<string, string>()
  const sockets = new Set<Socket>()
  const answer = (request: Readonly<Record<string, string>>): Answer => {
    const { op, key = '', value, password } = request
    if (op === 'login') return password === PASSWORD ? {} : { error: 'wrong password' }
    const before = values.get(key) ?? null
    if (op === 'set' && value !== undefined) values.set(key, value)
    return { value: before }
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    const lines = createInterface({ input: socket }).on('error', () => undefined)
    lines.on('line', (line) => {
      const request = JSON.parse(line) as Record<string, string>
      socket.write(`${JSON.stringify(answer(request))}\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    config: { host: '127.0.0.1', port, password: PASSWORD },
    hangUp,
    async close() {
      hangUp()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// Schemas, scaffold, example, leaks, outputs, cancellation, look-ups: what the rest of Plugwork relies on.
describeConnectorContract(acme, { describe, test }, async () => {
  const service = await startService()
  const egress = createEgress({ allow: ['127.0.0.1'] })
  return {
    config: service.config,
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'get', input: { key: 'a' } },
      { action: 'set', input: { key: 'a', value: '1' } },
    ],
    async close() {
      await egress.close()
      await service.close()
    },
  }
})

test('a lost server makes the connection unhealthy, and a wrong password is refused without naming it', async () => {
  const service = await startService()
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const signal = new AbortController().signal
  const context = { egress, signal, name: 'main', tenant: 'default', directory: tmpdir(), log: () => undefined }
  try {
    const client = await acme.connect(acme.config.parse(service.config), context)
    assert.equal(client.healthy, true)
    const asked = client.ask({ op: 'get', key: 'a' }, signal)
    service.hangUp()
    await assert.rejects(asked, { code: 'connection_lost' })
    assert.equal(client.healthy, false)
    const wrong = acme.config.parse({ ...service.config, password: 'not-this-one' })
    await assert.rejects(acme.connect(wrong, context), (error: Error) => !error.message.includes('not-this-one'))
  } finally {
    await egress.close()
    await service.close()
  }
})
