import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import type { Connector } from '../connector/connector.ts'
import type { Cancellation, Egress } from '../egress/egress.ts'
import { PlugworkError } from '../error.ts'
import type { Value } from '../expression/value.ts'
import { SecretText } from '../expression/value.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { Connections, type ConnectionRequest } from './connections.ts'
import type { Definitions } from './runtime.ts'
import { singleKey } from './key-ring.ts'
import { Secrets } from './secrets.ts'

interface Client {
  readonly number: number
  readonly config: unknown
  broken: boolean
  closed: boolean
  handles: number
}

const egress = {} as Egress
const never = cancelledBy(new AbortController().signal)

/** What an attempt is to its connections. */
function cancelledBy(signal: AbortSignal): Cancellation {
  return {
    get aborted() {
      return signal.aborted
    },
    get reason(): unknown {
      return signal.reason
    },
    signal,
    onAbort: () => () => undefined,
  }
}

function workshop(over: Partial<Connector> = {}) {
  const clients: Client[] = []
  const secrets = new Map([['DB_PASSWORD', 'first-password']])
  const state = { failing: false }
  const connector: Connector = {
    name: 'toy',
    title: 'Toy',
    description: 'A connector that counts.',
    version: '1.0.0',
    prefixes: [],
    config: z.object({ host: z.string().min(1), password: z.string().optional() }) as unknown as z.ZodObject,
    connect: async (config) => {
      if (state.failing) throw new Error('no route to host')
      const client: Client = { number: clients.length, config, broken: false, closed: false, handles: 0 }
      clients.push(client)
      return client
    },
    disconnect: async (client) => void ((client as Client).closed = true),
    acquire: async (client) => {
      ;(client as Client).handles++
      return client
    },
    release: async (client) => void (client as Client).handles--,
    healthy: (client) => !(client as Client).broken,
    actions: {},
    scaffold: () => '',
    example: () => ({ fileName: '', source: '' }),
    ...over,
  }
  const definitions: Definitions = {
    plan: () => null,
    task: () => null,
    directory: () => '/project',
    secret: (_, name) => secrets.get(name) ?? null,
    env: (_tenant, _flow, name) => (name === 'DB_HOST' ? 'db.example' : null),
  }
  const clock = new VirtualClock()
  const logs: string[] = []
  const connections = new Connections({
    connectors: [connector],
    definitions,
    secrets: new Secrets(definitions, singleKey(new Uint8Array(32))),
    egress,
    clock,
    log: (_, message) => void logs.push(message),
  })
  const request = (config: Value = { host: 'a' }, more: Partial<ConnectionRequest> = {}): ConnectionRequest => {
    return { tenant: 't', flow: 'F', hash: 'h', name: 'db', type: 'toy', config: () => config, ...more }
  }
  return { clients, secrets, state, clock, connections, request, logs }
}

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error('it was expected to fail'),
    (error: unknown) => error,
  )

const withSecret: Value = {
  host: new SecretText([{ source: 'env', name: 'DB_HOST' }]),
  password: new SecretText(['pw:', { source: 'secret', name: 'DB_PASSWORD' }]),
}

describe('Connections', () => {
  it('opens once for many users, also at the same time, and releases handles', async () => {
    const { connections, clients, request } = workshop()
    const leases = await Promise.all([1, 2, 3].map(() => connections.use(request(), never)))
    expect(clients).toHaveLength(1)
    expect(clients[0]!.handles).toBe(3)
    for (const lease of leases) await lease.release()
    await leases[0]!.release()
    expect(clients[0]!.handles).toBe(0)
    await connections.use(request(), never)
    expect(clients).toHaveLength(1)
  })

  it('keeps tenants, flows and configs apart', async () => {
    const { connections, clients, request } = workshop()
    await connections.use(request(), never)
    await connections.use(request(undefined, { tenant: 'u' }), never)
    await connections.use(request(undefined, { flow: 'G' }), never)
    await connections.use(request({ host: 'b' }, { hash: 'h2' }), never)
    await connections.use(request(undefined, { hash: 'h3' }), never)
    expect(clients).toHaveLength(4)
  })

  it('resolves secrets when it opens, tells them for redaction, and takes up a changed one', async () => {
    const { connections, clients, request, secrets, clock } = workshop()
    const lease = await connections.use(request(withSecret), never)
    expect(clients[0]!.config).toEqual({ host: 'db.example', password: 'pw:first-password' })
    expect([...lease.secrets].toSorted()).toEqual(['db.example', 'first-password'])
    secrets.set('DB_PASSWORD', 'second-password')
    await clock.advance(31_000)
    const next = await connections.use(request(withSecret), never)
    expect(clients[1]!.config).toEqual({ host: 'db.example', password: 'pw:second-password' })
    expect(clients[0]!.closed).toBe(false)
    await lease.release()
    expect(clients[0]!.closed).toBe(true)
    await next.release()
    expect(clients[1]!.closed).toBe(false)
  })

  it('names connection, field and rule of a config that does not fit', async () => {
    const { connections, request } = workshop()
    const use = connections.use(request({ host: '' }), never)
    await expect(use).rejects.toMatchObject({ code: 'connection_config_invalid' })
    await expect(use).rejects.toThrow(/"db" of flow F .*host: .*Correct it under `connections:`/)
  })

  it('names a connector that is not there and a secret that is not set', async () => {
    const { connections, request } = workshop()
    await expect(connections.use(request(undefined, { type: 'nope' }), never)).rejects.toMatchObject({
      code: 'connector_unknown',
    })
    const missing = { host: new SecretText([{ source: 'secret', name: 'GONE' }]) }
    await expect(connections.use(request(missing), never)).rejects.toMatchObject({ code: 'secret_missing' })
  })

  it('pauses after a failed opening, longer each time, and recovers', async () => {
    const { connections, clients, request, state, clock } = workshop()
    state.failing = true
    await expect(connections.use(request(), never)).rejects.toMatchObject({
      code: 'connection_failed',
      retryable: true,
    })
    state.failing = false
    await expect(connections.use(request(), never)).rejects.toThrow('no route to host')
    await clock.advance(250)
    state.failing = true
    await expect(connections.use(request(), never)).rejects.toThrow('no route to host')
    state.failing = false
    await clock.advance(499)
    await expect(connections.use(request(), never)).rejects.toThrow('no route to host')
    await clock.advance(1)
    await connections.use(request(), never)
    expect(clients).toHaveLength(1)
  })

  it('keeps the code of a connector error', async () => {
    const { connections, request } = workshop({
      connect: () => Promise.reject(new PlugworkError('sqlite_file_missing', 'no such file')),
    })
    await expect(connections.use(request(), never)).rejects.toMatchObject({
      code: 'sqlite_file_missing',
      retryable: false,
    })
  })

  it('replaces a client that reports itself broken, and closes it after its last user', async () => {
    const { connections, clients, request } = workshop()
    const first = await connections.use(request(), never)
    clients[0]!.broken = true
    const second = await connections.use(request(), never)
    expect(second.handle).toBe(clients[1])
    expect(clients[0]!.closed).toBe(false)
    await first.release()
    expect(clients[0]!.closed).toBe(true)
  })

  it('replaces a connection whose use ended in connection_lost', async () => {
    const { connections, clients, request } = workshop()
    const lease = await connections.use(request(), never)
    await lease.release(new PlugworkError('connection_lost', 'the server went away'))
    expect(clients[0]!.closed).toBe(true)
    await connections.use(request(), never)
    expect(clients).toHaveLength(2)
  })

  it('gives the place back when a handle cannot be taken', async () => {
    const { connections, clients, request, clock } = workshop({
      acquire: () => Promise.reject(new Error('pool empty')),
    })
    await expect(connections.use(request(), never)).rejects.toThrow('pool empty')
    await clock.advance(10 * 60_000)
    expect(clients[0]!.closed).toBe(true)
  })

  it('closes what nobody uses for a while, and nothing that is in use', async () => {
    const { connections, clients, request, clock } = workshop()
    const idle = await connections.use(request(), never)
    const busy = await connections.use(request({ host: 'b' }, { hash: 'h2' }), never)
    await idle.release()
    await clock.advance(11 * 60_000)
    expect(clients.map((client) => client.closed)).toEqual([true, false])
    expect(connections.size).toBe(1)
    await busy.release()
  })

  it('closes everything at the end and opens nothing afterwards', async () => {
    const { connections, clients, request } = workshop()
    await connections.use(request(), never)
    await connections.close()
    expect(clients[0]!.closed).toBe(true)
    await expect(connections.use(request({ host: 'b' }, { hash: 'h2' }), never)).rejects.toMatchObject({
      code: 'connection_closed',
    })
  })

  it('gives up a connection that does not open, heals, and closes what comes too late', async () => {
    const openings: ((client: Client) => void)[] = []
    const { connections, request, clock } = workshop({
      connect: () => new Promise<unknown>((resolve) => openings.push(resolve)),
    })
    const use = connections.use(request(), never)
    const outcome = refusal(use)
    await expect.poll(() => openings.length).toBe(1)
    await clock.advance(30_000)
    expect(await outcome).toMatchObject({ code: 'connection_timeout', retryable: true })
    await clock.advance(1_000)
    const next = connections.use(request(), never)
    await expect.poll(() => openings.length).toBe(2)
    const late: Client = { number: 0, config: null, broken: false, closed: false, handles: 0 }
    const good: Client = { ...late, number: 1 }
    openings[0]!(late)
    openings[1]!(good)
    expect((await next).handle).toBe(good)
    await expect.poll(() => late.closed).toBe(true)
    expect(good.closed).toBe(false)
  })

  it('waits for a handle as long as there is time and its user wants it, and gives late ones back', async () => {
    const handing: ((handle: unknown) => void)[] = []
    const { connections, clients, request, clock } = workshop({
      acquire: () => new Promise<unknown>((resolve) => handing.push(resolve)),
    })
    const user = new AbortController()
    const slow = refusal(connections.use(request(), never))
    await expect.poll(() => handing.length).toBe(1)
    const gone = refusal(connections.use(request(), cancelledBy(user.signal)))
    await expect.poll(() => handing.length).toBe(2)
    user.abort(new Error('no longer wanted'))
    expect(await gone).toMatchObject({ message: 'no longer wanted' })
    await clock.advance(30_000)
    expect(await slow).toMatchObject({ code: 'connection_timeout' })
    clients[0]!.handles = 2
    for (const give of handing) give(clients[0])
    await expect.poll(() => clients[0]!.handles).toBe(0)
  })

  it('ends although a connection neither opens nor closes', async () => {
    const { connections, request, clock, logs } = workshop({ disconnect: () => new Promise(() => undefined) })
    await connections.use(request(), never)
    const stuck = workshop({ connect: () => new Promise(() => undefined) })
    const opening = refusal(stuck.connections.use(stuck.request(), never))
    await Promise.resolve()
    await stuck.connections.close()
    expect(await opening).toMatchObject({ code: 'connection_closed' })
    const closing = connections.close()
    await clock.advance(5_000)
    await closing
    expect(logs.join()).toContain('did not close within 5 s')
  })
})
