import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createMemoryConnectionStore } from '@plugwork/connections'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPlugwork } from './create-plugwork.ts'
import type { AuthorizeRequest } from './options.ts'
import { KEY, notesConnector, startNotes, type NotesServer } from './testing/notes.ts'
import { BASE_URL, plugOn, RING, type TestPlug } from './testing/plug.ts'

let notes: NotesServer
let plug: TestPlug

beforeEach(async () => {
  notes = await startNotes()
  plug = plugOn(notes)
})

afterEach(async () => {
  await plug.close()
  await notes.close()
})

const on = { userId: 'u1' } as const
const connect = (name?: string): Promise<{ readonly id: string }> =>
  plug.connections.create({
    ...on,
    connector: 'notes',
    credential: { key: KEY },
    ...(name === undefined ? {} : { name }),
  })

describe('actions', () => {
  test('an action is a method, called with the stored connection of the user', async () => {
    await connect()
    await expect(plug.notes.items.create({ ...on, params: { text: 'Hello' } })).resolves.toEqual({
      id: 1,
      text: 'Hello',
    })
    await expect(plug.actions.execute('notes', 'items.list', on)).resolves.toMatchObject({ items: [{ text: 'Hello' }] })
    expect(notes.seen).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`])
  })

  test('a connection is chosen by name or id; without either it is the default one, or the only one', async () => {
    const work = await connect('work')
    await plug.notes.items.create({ ...on, params: { text: 'a' } })
    const home = await connect('home')
    await expect(plug.notes.items.create({ ...on, params: { text: 'b' } })).rejects.toMatchObject({
      code: 'sdk_connection_ambiguous',
    })
    await plug.notes.items.create({ ...on, connection: 'work', params: { text: 'b' } })
    await plug.notes.items.create({ ...on, connection: home.id, params: { text: 'c' } })
    expect(plug.actions.recent().map(({ connection }) => connection)).toEqual(['home', 'work', 'work'])
    await expect(plug.notes.items.create({ ...on, connection: 'none', params: { text: 'd' } })).rejects.toMatchObject({
      code: 'sdk_connection_missing',
    })
    expect(work.id).not.toBe(home.id)
  })

  test('nobody uses the connection of another user, or of another tenant', async () => {
    const { id } = await connect()
    for (const other of [{ userId: 'u2' }, { userId: 'u1', tenantId: 'other' }]) {
      await expect(plug.notes.items.list(other)).rejects.toMatchObject({ code: 'sdk_connection_missing' })
      await expect(plug.notes.items.list({ ...other, connection: id })).rejects.toMatchObject({
        code: 'connection_not_found',
      })
    }
    await expect(plug.notes.items.list({ userId: null, connection: id })).rejects.toMatchObject({
      code: 'connection_forbidden',
    })
    expect(notes.seen).toEqual([])
  })

  test('a call must say for whom it is', async () => {
    // @ts-expect-error userId is missing
    await expect(plug.notes.items.list({})).rejects.toMatchObject({ code: 'sdk_user_missing' })
    // @ts-expect-error everything is missing
    await expect(async () => plug.notes.items.list()).rejects.toMatchObject({ code: 'sdk_user_missing' })
  })

  test('names that nothing has say so, and printing or awaiting asks for none', async () => {
    expect(() => Reflect.get(plug, 'gitlab')).toThrow(expect.objectContaining({ code: 'sdk_connector_unknown' }))
    expect(() => Reflect.get(plug.notes, 'tasks')).toThrow(expect.objectContaining({ code: 'sdk_action_unknown' }))
    await expect(plug.actions.call('notes', 'items.paint', on)).rejects.toMatchObject({ code: 'sdk_action_unknown' })
    await expect((plug.notes.items as unknown as (call: typeof on) => Promise<unknown>)(on)).rejects.toMatchObject({
      code: 'sdk_action_unknown',
    })
    await expect(Promise.resolve(plug.notes)).resolves.toBe(plug.notes)
    expect(inspect(plug)).toContain('connections')
    expect('notes' in plug).toBe(true)
    expect('gitlab' in plug).toBe(false)
  })

  test('an action that needs no connection needs none here', async () => {
    await expect(plug.notes.add({ ...on, params: { a: 1, b: 2 } })).resolves.toEqual({ sum: 3 })
  })

  test('a dry run writes nothing', async () => {
    await connect()
    await expect(plug.notes.items.create({ ...on, dryRun: true, params: { text: 'x' } })).resolves.toMatchObject({
      dry_run: true,
    })
    expect(notes.seen).toEqual([])
  })

  test('a batch answers each call, pages and their items are read on', async () => {
    await connect()
    const call = { ...on, connector: 'notes', action: 'items.create' }
    const results = await plug.actions.batch(
      [
        { ...call, params: { text: 'a' } },
        { ...call, userId: 'u2', params: { text: 'b' } },
        { ...call, params: { text: '' } },
        { ...call, params: { text: 'c' } },
        { ...call, params: { text: 'd' } },
      ],
      { concurrency: 1 },
    )
    expect(results.map((one) => (one.ok ? 'ok' : Reflect.get(one.error, 'code')))).toEqual([
      'ok',
      'sdk_connection_missing',
      'action_input_invalid',
      'ok',
      'ok',
    ])
    const texts: unknown[] = []
    for await (const item of plug.actions.pages('notes', 'items.list', on).items()) texts.push(item)
    expect(texts).toMatchObject([{ text: 'a' }, { text: 'c' }, { text: 'd' }])
    const metrics = plug.actions.metrics().find(({ action }) => action === 'notes.items.create')
    expect(metrics).toMatchObject({ calls: 4, errors: 1, errorCodes: { action_input_invalid: 1 } })
  })

  test('what a service says back of the secret does not come out', async () => {
    await connect()
    await expect(plug.notes.echo(on)).resolves.toEqual({ authorization: 'Bearer ***' })
  })

  test('a connection with another key is used with it from then on', async () => {
    const { id } = await connect()
    await plug.notes.items.list(on)
    await plug.connections.reconnect({ ...on, id, credential: { key: 'another-key-000' } })
    await expect(plug.notes.items.list(on)).rejects.toMatchObject({ code: 'notes_unauthorized' })
    expect(notes.seen.at(-1)).toBe('Bearer another-key-000')
    await plug.connections.disconnect({ ...on, id })
    await expect(plug.notes.items.list(on)).rejects.toMatchObject({ code: 'sdk_connection_missing' })
  })
})

describe('connections', () => {
  test('they are listed, tested and removed, and every change is told', async () => {
    const events: string[] = []
    const stop = plug.connections.on('*', ({ type }) => events.push(type))
    const { id } = await connect()
    await expect(plug.connections.list(on)).resolves.toMatchObject([{ id, connector: 'notes', secrets: ['key'] }])
    await expect(plug.connections.get({ ...on, id })).resolves.toMatchObject({ status: 'active' })
    await expect(plug.connections.test({ ...on, id })).resolves.toEqual({ message: 'Notes are there.' })
    await expect(plug.connections.refresh({ ...on, id })).rejects.toMatchObject({ code: 'sdk_not_refreshable' })
    await plug.connections.disconnect({ ...on, id })
    stop()
    await connect()
    expect(events).toEqual(['created', 'removed'])
  })

  test('credentials are given out only where the application says so', async () => {
    const { id } = await connect()
    await expect(plug.connections.getCredentials({ ...on, id })).rejects.toMatchObject({
      code: 'sdk_credentials_denied',
    })
    await plug.close()
    const asked: AuthorizeRequest[] = []
    plug = plugOn(notes, {
      authorize(request) {
        asked.push(request)
        return request.action === 'credentials' ? true : undefined
      },
    })
    const own = await connect()
    await expect(plug.connections.getCredentials({ ...on, id: own.id })).resolves.toEqual({ config: { key: KEY } })
    expect(asked.at(-1)).toMatchObject({ operation: 'use', action: 'credentials', via: 'code' })
  })

  test('`authorize` lets a user use what the tenant shares', async () => {
    await plug.close()
    plug = plugOn(notes, {
      authorize: ({ connection, operation }) =>
        connection.owner === null && (operation === 'read' || operation === 'use') ? true : undefined,
    })
    await plug.connections.create({ userId: null, connector: 'notes', credential: { key: KEY } })
    await expect(plug.notes.items.create({ ...on, params: { text: 'shared' } })).resolves.toMatchObject({ id: 1 })
    await expect(plug.notes.items.list({ ...on, tenantId: 'other' })).rejects.toMatchObject({
      code: 'sdk_connection_missing',
    })
  })

  test('they are in the file, encrypted, and open in the next process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plugwork-sdk-'))
    const database = `sqlite:${join(folder, 'app.db')}`
    try {
      const first = plugOn(notes, { database })
      await first.connections.create({ ...on, connector: 'notes', credential: { key: KEY } })
      await first.close()
      await expect(first.connections.list(on)).rejects.toMatchObject({ code: 'sdk_closed' })
      expect(readFileSync(join(folder, 'app.db')).includes(KEY)).toBe(false)
      const second = plugOn(notes, { database })
      await second.notes.items.create({ ...on, params: { text: 'again' } })
      await second.close()
      const wrong = plugOn(notes, { database, encryptionKey: `k1:${Buffer.alloc(32, 8).toString('base64')}` })
      await expect(wrong.open()).rejects.toMatchObject({ code: 'keys_wrong' })
      await wrong.close()
      expect(existsSync(join(folder, 'app.runs.db'))).toBe(false)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('a store of the application is used, and left open', async () => {
    const store = createMemoryConnectionStore()
    const own = plugOn(notes, { database: store })
    await own.connections.create({ ...on, connector: 'notes', credential: { key: KEY } })
    await own.close()
    await expect(store.list('connections', { limit: 10 })).resolves.toHaveLength(1)
    await store.close()
  })
})

describe('providers', () => {
  test('say what there is, and whether somebody can connect', () => {
    expect(plug.providers.get('notes')).toMatchObject({
      title: 'Notes',
      configured: true,
      actions: expect.arrayContaining(['echo']),
    })
    expect(plug.providers.list().map(({ name }) => name)).toEqual(['notes'])
    expect(plug.providers.get('gitlab')).toBeNull()
    expect(() => plug.providers.isConfigured('gitlab')).toThrow('gitlab')
  })

  test('one that is registered later can be used', async () => {
    await plug.open()
    plug.providers.register({ ...notesConnector(notes.baseUrl), name: 'memos' })
    await plug.connections.create({ ...on, connector: 'memos', credential: { key: KEY } })
    await expect(plug.actions.call('memos', 'items.list', on)).resolves.toMatchObject({ output: { items: [] } })
  })
})

describe('options', () => {
  const good = {
    database: 'memory:',
    encryptionKey: RING,
    baseUrl: BASE_URL,
    auth: { authenticate: () => null },
    connectors: [],
  } as const

  test.each([
    ['database', 'redis://x', 'sdk_option_invalid'],
    ['database', {}, 'sdk_option_invalid'],
    ['database', undefined, 'sdk_option_invalid'],
    ['baseUrl', 'app.example.com', 'sdk_option_invalid'],
    ['baseUrl', 'http://app.example.com', 'sdk_option_invalid'],
    ['basePath', 'api', 'sdk_option_invalid'],
    ['auth', {}, 'sdk_option_invalid'],
    ['auth', { authenticate: () => null, origins: ['https://x.example/path'] }, 'sdk_option_invalid'],
    ['workflows', { database: 'x' }, 'sdk_option_invalid'],
    ['encryptionKey', undefined, 'sdk_key_invalid'],
    ['encryptionKey', '', 'sdk_key_invalid'],
    ['encryptionKey', 'k1:short', 'sdk_key_invalid'],
    ['encryptionKey', 'your-32-char-key', 'sdk_key_invalid'],
    ['encryptionKey', `k1:${Buffer.alloc(31).toString('base64')}`, 'sdk_key_invalid'],
    ['encryptionKey', 'passphrase:short', 'sdk_key_invalid'],
  ])('%s %j is refused', (name, value, code) => {
    const wrong = { ...good, [name]: value }
    expect(() => createPlugwork(wrong)).toThrow(expect.objectContaining({ code }))
  })

  test('a key that is refused is not in the message', () => {
    const secret = 'this-is-somebody-s-secret'
    expect(() => createPlugwork({ ...good, encryptionKey: secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    )
  })

  test('options of a connector that it has no use for are refused', () => {
    const connector = notesConnector('http://127.0.0.1:1')
    expect(() => plugOn(notes, { client: { clientId: 'a', clientSecret: 'b' } })).toThrow('nobody signs in')
    expect(() => plugOn(notes, { client: { webhookSecret: 'x' } })).toThrow('no webhooks')
    expect(() => createPlugwork({ ...good, connectors: [connector, connector] })).toThrow('two connectors')
    expect(() => createPlugwork({ ...good, connectors: [{ ...connector, name: 'actions' }] })).toThrow(
      'cannot be called',
    )
  })
})
