import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import type { PlugworkError } from '../error.ts'
import type { Egress, EgressPolicy } from './egress.ts'
import { createEgress, type EgressOptions } from './guarded-egress.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

function egress(policy: Partial<EgressPolicy> = {}, options: EgressOptions = {}): Egress {
  const made = createEgress(policy, options)
  open.push(() => made.close())
  return made
}

/** Greets everybody and says it back. */
async function greeter(): Promise<{ readonly port: number; readonly server: Server; readonly sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write('hello')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, server, sockets }
}

const names: EgressOptions = {
  resolve: (host) => Promise.resolve(host === 'both.test' ? ['127.0.0.1', '10.0.0.1'] : ['127.0.0.1']),
}

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  return promise.then(
    () => {
      throw new Error('was expected to fail')
    },
    (error: PlugworkError) => error,
  )
}

test("a socket to an allowed address carries bytes both ways and is the caller's", async () => {
  const { port } = await greeter()
  const socket = await egress({ allow: [`127.0.0.1:${port}`] }).connect({ host: '127.0.0.1', port })
  expect(socket.listenerCount('error')).toBe(0)
  expect(String((await once(socket, 'data'))[0])).toBe('hello')
  socket.write('again')
  expect(String((await once(socket, 'data'))[0])).toBe('again')
  socket.destroy()
})

test.each([
  '127.0.0.1',
  '::ffff:127.0.0.1',
  '0x7f.1',
  '2130706433',
  '①②⑦.⓪.⓪.①',
  'localhost',
  '10.1.2.3',
  '169.254.169.254',
])('%s is denied, with the entry that allows it', async (host) => {
  const { code, message, retryable } = await failure(egress().connect({ host, port: 5432 }))
  expect({ code, retryable }).toEqual({ code: 'egress_denied', retryable: false })
  expect(message).toMatch(/PLUGWORK_EGRESS_ALLOW=\S+:5432/)
})

test('the entry that the error names is enough, for this port only', async () => {
  const { port } = await greeter()
  const { message } = await failure(egress().connect({ host: '127.0.0.1', port }))
  const entry = /PLUGWORK_EGRESS_ALLOW=(\S+?)\.?$/.exec(message)![1]!
  const client = egress({ allow: [entry] })
  ;(await client.connect({ host: '127.0.0.1', port })).destroy()
  expect((await failure(client.connect({ host: '127.0.0.1', port: port === 1 ? 2 : port - 1 }))).code).toBe(
    'egress_denied',
  )
})

test('a name is resolved once, and the socket goes where the check was', async () => {
  const { port } = await greeter()
  let asked = 0
  const rebinding: EgressOptions = {
    resolve: () => Promise.resolve(asked++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']),
  }
  const socket = await egress({ allow: ['127.0.0.1'] }, rebinding).connect({ host: 'db.test', port })
  expect(socket.remoteAddress).toBe('127.0.0.1')
  expect(asked).toBe(1)
  socket.destroy()
})

test('a name that has a denied address too is denied unless the list says which is meant', async () => {
  const { port } = await greeter()
  expect((await failure(egress({}, names).connect({ host: 'both.test', port }))).code).toBe('egress_denied')
  const socket = await egress({ allow: ['127.0.0.1'] }, names).connect({ host: 'both.test', port })
  expect(socket.remoteAddress).toBe('127.0.0.1')
  socket.destroy()
})

test('names are compared in their canonical spelling', async () => {
  const { port } = await greeter()
  ;(await egress({ allow: ['db.internal'] }, names).connect({ host: 'DB.Internal', port })).destroy()
  const other = await failure(egress({ allow: ['db.internal'] }, names).connect({ host: 'x.internal', port }))
  expect(other.code).toBe('egress_denied')
})

test('a narrower egress denies what its hosts do not name', async () => {
  const { port } = await greeter()
  const client = egress({ allow: ['127.0.0.1'] }).restrict({ onlyHosts: ['example.com'] })
  const { code, message } = await failure(client.connect({ host: '127.0.0.1', port }))
  expect(code).toBe('egress_denied')
  expect(message).toContain(`The connection to 127.0.0.1:${port} was denied`)
  expect(
    (
      await failure(
        egress({ allow: ['127.0.0.1'] })
          .restrict({ allow: [] })
          .connect({ host: '127.0.0.1', port }),
      )
    ).code,
  ).toBe('egress_denied')
})

test.each([
  ['http://db', 5432],
  ['user@db', 5432],
  ['db:5432', 5432],
  ['/var/run/postgresql', 5432],
  ['', 5432],
  ['db', 0],
  ['db', 65_536],
])('%s:%i is refused before anything is resolved', async (host, port) => {
  const never: EgressOptions = { resolve: () => Promise.reject(new Error('resolved')) }
  expect((await failure(egress({}, never).connect({ host, port }))).code).toBe('egress_url')
})

test('nobody listens, no such name: what, where and what to look at', async () => {
  const { port, server, sockets } = await greeter()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  const client = egress({ allow: ['127.0.0.1'] })
  const refused = await failure(client.connect({ host: '127.0.0.1', port }))
  expect(refused).toMatchObject({ code: 'egress_connect', retryable: true })
  expect(refused.message).toContain(`No connection to 127.0.0.1:${port} could be opened (ECONNREFUSED)`)
  expect((await failure(client.connect({ host: 'no-such-host.invalid', port }))).code).toBe('egress_dns')
})

test('a resolver that does not answer ends at the time limit or with the signal', async () => {
  const stuck = egress({}, { resolve: () => new Promise(() => undefined) })
  const late = await failure(stuck.connect({ host: 'db.test', port: 5432, timeoutMs: 20 }))
  expect(late).toMatchObject({
    code: 'egress_timeout',
    message: 'No connection to db.test:5432 was open within 20 ms.',
  })
  const controller = new AbortController()
  const waiting = failure(stuck.connect({ host: 'db.test', port: 5432, signal: controller.signal }))
  controller.abort(new Error('enough'))
  expect((await waiting).message).toBe('enough')
  const gone = AbortSignal.abort(new Error('before'))
  expect((await failure(stuck.connect({ host: 'db.test', port: 5432, signal: gone }))).message).toBe('before')
})

test('closing the egress destroys open sockets and opens no further one', async () => {
  const { port } = await greeter()
  const client = createEgress({ allow: ['127.0.0.1'] })
  const socket = await client.connect({ host: '127.0.0.1', port })
  const closed = once(socket, 'close')
  await client.close()
  await closed
  expect(socket.destroyed).toBe(true)
  expect((await failure(client.connect({ host: '127.0.0.1', port }))).code).toBe('egress_closed')
})
