import { startAuthorizationServer, UserAgent, type AuthorizationServer } from '@plugwork/connections/oauth/testing'
import { http } from '@plugwork/connectors/http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPlugwork } from '../create-plugwork.ts'
import type { AuthorizeRequest } from '../options.ts'
import { KEY, startNotes, type NotesServer } from '../testing/notes.ts'
import { BASE_URL, plugOn, RING, type TestPlug } from '../testing/plug.ts'

const BASE = `${BASE_URL}/api/plugwork`

let server: AuthorizationServer
let notes: NotesServer
let plug: TestPlug
let logged: string[]

const plugWithOAuth = (options: Parameters<typeof plugOn>[1] = {}): TestPlug =>
  plugOn(notes, {
    oauth: server.auth,
    client: server.client,
    log: (_level, message) => logged.push(message),
    ...options,
  })

beforeAll(async () => {
  server = await startAuthorizationServer([`${BASE}/oauth/callback`])
})

afterAll(() => server.close())

beforeEach(async () => {
  logged = []
  notes = await startNotes((token) => token.length > 20)
  plug = plugWithOAuth()
})

afterEach(async () => {
  await plug.close()
  await notes.close()
})

interface Asking {
  readonly user?: string | null
  readonly tenant?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

function ask(method: string, path: string, { user = 'u1', tenant, headers, body }: Asking = {}): Promise<Response> {
  const all = {
    ...(user === null ? {} : { 'x-user': user }),
    ...(tenant === undefined ? {} : { 'x-tenant': tenant }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return plug.handler(
    new Request(`${BASE}${path}`, { method, headers: all, ...(body === undefined ? {} : { body: text }) }),
  )
}

async function problemOf(response: Promise<Response>): Promise<{ status: number; code: string; detail: string }> {
  const answer = await response
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  return (await answer.json()) as { status: number; code: string; detail: string }
}

const create = { connector: 'notes', method: 'key', credential: { key: KEY } }

describe('who may ask', () => {
  const ALL = [
    ['GET', '/providers'],
    ['GET', '/connections'],
    ['POST', '/connections'],
    ['GET', '/connections/con_1'],
    ['DELETE', '/connections/con_1'],
    ['POST', '/connections/con_1/test'],
    ['POST', '/connections/con_1/refresh'],
    ['POST', '/connections/con_1/reconnect'],
    ['POST', '/actions/notes/items.list'],
    ['GET', '/oauth/notes/start'],
    ['GET', '/oauth/callback?state=x&code=y'],
    ['GET', '/workflows'],
    ['GET', '/workflows/wf_1'],
    ['GET', '/workflows/wf_1/stats'],
    ['POST', '/workflows/wf_1/execute'],
    ['POST', '/workflows/wf_1/enable'],
    ['POST', '/workflows/wf_1/disable'],
    ['DELETE', '/workflows/wf_1'],
    ['GET', '/runs/run_1'],
  ] as const

  test.each(ALL)('%s %s wants somebody who is signed in', async (method, path) => {
    const body = method === 'POST' ? {} : undefined
    await expect(problemOf(ask(method, path, { user: null, body }))).resolves.toMatchObject({
      status: 401,
      code: 'sdk_unauthenticated',
    })
  })

  test.each(ALL.filter(([method]) => method !== 'GET').concat([['GET', '/oauth/notes/start']]))(
    '%s %s from a page of another site is refused',
    async (method, path) => {
      const body = method === 'POST' ? {} : undefined
      const foreign: Record<string, string>[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
      ]
      for (const headers of foreign) {
        await expect(problemOf(ask(method, path, { headers, body }))).resolves.toMatchObject({
          status: 403,
          code: 'sdk_origin_denied',
        })
      }
    },
  )

  test('an `authenticate` that throws, or answers nonsense, is nobody', async () => {
    for (const authenticate of [
      () => {
        throw new Error('no session store')
      },
      () => ({ userId: '' }),
      () => ({ userId: 'u1', tenantId: 7 }) as unknown as { userId: string },
    ]) {
      await plug.close()
      plug = plugWithOAuth({ auth: { authenticate } })
      await expect(problemOf(ask('GET', '/connections'))).resolves.toMatchObject({ code: 'sdk_unauthenticated' })
    }
  })

  test('a page of `auth.origins` may ask and read the answer', async () => {
    await plug.close()
    const origin = 'https://admin.example.com'
    plug = plugWithOAuth({ auth: { authenticate: () => ({ userId: 'u1' }), origins: [origin] } })
    const preflight = await ask('OPTIONS', '/connections', { headers: { origin } })
    expect(preflight.status).toBe(204)
    const made = await ask('POST', '/connections', { headers: { origin }, body: create })
    expect(made.status).toBe(201)
    expect(made.headers.get('access-control-allow-origin')).toBe(origin)
    const other = await ask('GET', '/connections', { headers: { origin: 'https://evil.example' } })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('connections', () => {
  test('are made, listed, tested and removed by whose they are; no answer has a secret in it', async () => {
    const texts: string[] = []
    const read = async (response: Promise<Response>): Promise<Record<string, unknown>> => {
      const text = await (await response).text()
      texts.push(text)
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    }
    const made = await read(ask('POST', '/connections', { body: create }))
    expect(made).toMatchObject({ connector: 'notes', name: 'default', status: 'active', secrets: ['key'] })
    const at = `/connections/${String(made['id'])}`
    expect(await read(ask('GET', '/connections?connector=notes'))).toMatchObject({
      items: [{ id: made['id'] }],
      next: null,
    })
    expect(await read(ask('GET', at))).toMatchObject({ id: made['id'] })
    expect(await read(ask('POST', `${at}/test`))).toEqual({ message: 'Notes are there.' })
    expect(await read(ask('POST', `${at}/reconnect`, { body: { credential: { key: KEY } } }))).toMatchObject({
      status: 'active',
    })
    await expect(problemOf(ask('POST', `${at}/refresh`))).resolves.toMatchObject({ code: 'sdk_not_refreshable' })
    for (const asking of [{ user: 'u2' }, { tenant: 'other' }]) {
      await expect(problemOf(ask('GET', at, asking))).resolves.toMatchObject({ code: 'connection_not_found' })
      await expect(problemOf(ask('DELETE', at, asking))).resolves.toMatchObject({ code: 'connection_not_found' })
    }
    expect((await ask('DELETE', at)).status).toBe(204)
    expect(await read(ask('GET', '/connections'))).toEqual({ items: [], next: null })
    expect([...texts, ...logged].join()).not.toContain(KEY)
  })

  test('bodies that do not fit are refused', async () => {
    const large = { ...create, settings: { text: 'x'.repeat(2 ** 20) } }
    for (const [body, headers, code] of [
      ['{', {}, 'sdk_body_invalid'],
      [{ ...create, owner: 'u2' }, {}, 'sdk_body_invalid'],
      [create, { 'content-type': 'text/plain' }, 'sdk_body_invalid'],
      [large, {}, 'sdk_body_too_large'],
      [{ connector: 'gitlab' }, {}, 'sdk_connector_unknown'],
      [{ ...create, credential: { key: 7 } }, {}, 'connection_invalid'],
    ] as const) {
      await expect(problemOf(ask('POST', '/connections', { body, headers }))).resolves.toMatchObject({ code })
    }
    await expect(problemOf(ask('GET', '/connections?limit=0'))).resolves.toMatchObject({ code: 'sdk_body_invalid' })
  })

  test('what is no service that people sign in to is not connected by a browser, unless `authorize` says so', async () => {
    await plug.close()
    const asked: AuthorizeRequest[] = []
    let answer: boolean | undefined
    const other = createPlugwork({
      database: 'memory:',
      encryptionKey: RING,
      baseUrl: BASE_URL,
      basePath: '/api/plugwork',
      auth: { authenticate: () => ({ userId: 'u1' }) },
      connectors: [http],
      authorize(request) {
        asked.push(request)
        return answer
      },
    })
    plug = other as unknown as TestPlug
    const body = { connector: 'http', settings: { base_url: 'https://internal.example' } }
    await expect(problemOf(ask('POST', '/connections', { body }))).resolves.toMatchObject({ code: 'sdk_forbidden' })
    await expect(
      problemOf(ask('POST', '/actions/http/get', { body: { params: { url: 'https://example.com' } } })),
    ).resolves.toMatchObject({ code: 'sdk_forbidden' })
    answer = true
    expect((await ask('POST', '/connections', { body })).status).toBe(201)
    expect(asked.every(({ via }) => via === 'http')).toBe(true)
  })
})

describe('actions', () => {
  test('run on the connection of whoever asks', async () => {
    await ask('POST', '/connections', { body: create })
    const answer = await ask('POST', '/actions/notes/items.create', { body: { params: { text: 'Hello' } } })
    expect(answer.status).toBe(200)
    await expect(answer.json()).resolves.toMatchObject({ output: { id: 1, text: 'Hello' }, attempts: 1, cached: false })
    const dry = await ask('POST', '/actions/notes/items.create', { body: { params: { text: 'x' }, dry_run: true } })
    await expect(dry.json()).resolves.toMatchObject({ dry_run: true, output: { dry_run: true } })
    expect(notes.seen).toHaveLength(1)
  })

  test.each([
    ['/actions/gitlab/items.list', {}, 404, 'sdk_connector_unknown'],
    ['/actions/notes/items.paint', {}, 404, 'sdk_action_unknown'],
    ['/actions/notes/items.list', {}, 409, 'sdk_connection_missing'],
    ['/actions/notes/add', { params: { a: 1, b: 2 } }, 403, 'sdk_forbidden'],
  ])('%s %j answers %i %s', async (path, body, status, code) => {
    await expect(problemOf(ask('POST', path, { body }))).resolves.toMatchObject({ status, code })
  })

  test('what the service refuses is told, and nothing that was not raised on purpose', async () => {
    await ask('POST', '/connections', { body: { ...create, credential: { key: 'wrong' } } })
    await expect(problemOf(ask('POST', '/actions/notes/items.list', { body: {} }))).resolves.toMatchObject({
      status: 502,
      code: 'notes_unauthorized',
    })
    await notes.close()
    await plug.close()
    plug = plugWithOAuth({ encryptionKey: RING, database: `sqlite:${import.meta.filename}/app.db` })
    const broken = await problemOf(ask('GET', '/connections'))
    expect(broken).toMatchObject({ status: 500, code: 'sdk_internal' })
    expect(broken.detail).not.toContain('app.db')
    expect(logged.join()).toContain('handler.test.ts')
    notes = await startNotes()
  })
})

describe('workflows', () => {
  test('of whoever asks are listed and run', async () => {
    await ask('POST', '/connections', { body: create })
    const { id } = await plug.workflows.create({
      userId: 'u1',
      flow: `
flow: Keep
connections: { mine: { type: notes, use: default } }
steps:
  - notes.items.create: { id: note, connection: mine, text: Hello, outputs: [id] }
outputs: [{ name: id, value: "\${note.id}" }]
`,
    })
    const listed = await ask('GET', '/workflows')
    await expect(listed.json()).resolves.toMatchObject({ items: [{ id, name: 'Keep', enabled: true }], next: null })
    const run = await ask('POST', `/workflows/${id}/execute`, { body: {} })
    const { id: runId } = (await run.json()) as { id: string }
    expect(run.status).toBe(200)
    const seen = await ask('GET', `/runs/${runId}`)
    await expect(seen.json()).resolves.toMatchObject({ status: 'succeeded', outputs: { id: 1 } })
    await expect((await ask('GET', `/workflows/${id}/stats`)).json()).resolves.toMatchObject({ runs: 1 })
    for (const path of [`/workflows/${id}`, `/runs/${runId}`]) {
      await expect(problemOf(ask('GET', path, { user: 'u2' }))).resolves.toMatchObject({ code: 'workflow_not_found' })
    }
    await expect((await ask('POST', `/workflows/${id}/disable`)).json()).resolves.toMatchObject({ enabled: false })
    await expect(problemOf(ask('POST', `/workflows/${id}/execute`, { body: {} }))).resolves.toMatchObject({
      status: 409,
      code: 'workflow_disabled',
    })
    expect((await ask('POST', `/workflows/${id}/enable`)).status).toBe(200)
    expect((await ask('DELETE', `/workflows/${id}`)).status).toBe(204)
  })
})

describe('addresses', () => {
  test('that are not there say so, and what to set where the path of the handler is missing', async () => {
    const at = (url: string, method = 'GET'): Promise<Response> => plug.handler(new Request(url, { method }))
    await expect(problemOf(at(`${BASE}/nothing`))).resolves.toMatchObject({ status: 404, code: 'sdk_route_unknown' })
    await expect(problemOf(at(`${BASE_URL}/connections`))).resolves.toMatchObject({ code: 'sdk_route_unknown' })
    await expect(problemOf(at(`${BASE_URL}/elsewhere/connections`))).resolves.toMatchObject({
      code: 'sdk_route_unknown',
      detail: expect.stringContaining("basePath: '/elsewhere'"),
    })
    await expect(problemOf(at(`${BASE}/connections/%E0%A4%A`))).resolves.toMatchObject({ code: 'sdk_route_unknown' })
    const wrong = await at(`${BASE}/connections`, 'PATCH')
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })
})

describe('signing in', () => {
  async function begin(path = '/oauth/notes/start'): Promise<string> {
    const started = await ask('GET', path, { headers: { 'sec-fetch-site': 'same-origin' } })
    expect(started.status).toBe(302)
    return started.headers.get('location')!
  }

  const agree = async (url: string): Promise<string> => {
    const callback = await new UserAgent().agree(url, `${BASE}/oauth/callback`)
    return callback.slice(BASE.length)
  }

  test('through the browser: connected, used, refreshed, connected again in place', async () => {
    const callback = await agree(await begin('/oauth/notes/start?return_to=/settings&name=work'))
    const finished = await ask('GET', callback, { headers: { 'sec-fetch-site': 'cross-site' } })
    expect(finished.status).toBe(302)
    const [connection] = await plug.connections.list({ userId: 'u1' })
    expect(connection).toMatchObject({ name: 'work', method: 'oauth', status: 'active' })
    expect(finished.headers.get('location')).toBe(`${BASE_URL}/settings?connection=${connection!.id}`)

    await plug.notes.items.create({ userId: 'u1', params: { text: 'with a token' } })
    const [first] = notes.seen
    const refreshed = await ask('POST', `/connections/${connection!.id}/refresh`)
    expect(refreshed.status).toBe(200)
    await plug.notes.items.create({ userId: 'u1', params: { text: 'with another one' } })
    // A token younger than 30 s is kept.
    expect(notes.seen[1]).toBe(first)
    const echoed = await ask('POST', '/actions/notes/echo', { body: {} })
    await expect(echoed.json()).resolves.toMatchObject({ output: { authorization: 'Bearer ***' } })

    await ask('GET', await agree(await begin('/oauth/notes/start?name=work')))
    await expect(plug.connections.list({ userId: 'u1' })).resolves.toMatchObject([
      { id: connection!.id, status: 'active' },
    ])
    expect(logged.join()).not.toContain(notes.seen[0]!.slice(7))
  })

  test('from code, and a page of its own where there is none to return to', async () => {
    const { url } = await plug.connections.getAuthUrl({ userId: 'u1', connector: 'notes' })
    const page = await ask('GET', await agree(url))
    expect(page.status).toBe(200)
    await expect(page.text()).resolves.toContain('notes is connected')
    const again = await plug.connections.getAuthUrl({ userId: 'u1', connector: 'notes', returnTo: '/done' })
    const { connection, returnTo } = await plug.connections.handleCallback(`${BASE}${await agree(again.url)}`, {
      userId: 'u1',
    })
    expect([connection.name, returnTo]).toEqual(['default', `${BASE_URL}/done`])
  })

  test('by somebody else, twice, or to a page elsewhere is refused', async () => {
    const callback = await agree(await begin())
    await expect(problemOf(ask('GET', callback, { user: 'u2' }))).resolves.toMatchObject({
      code: 'oauth_session_mismatch',
    })
    await expect(problemOf(ask('GET', callback))).resolves.toMatchObject({ code: 'oauth_state_invalid' })
    const elsewhere = encodeURIComponent('https://evil.example/')
    await expect(problemOf(ask('GET', `/oauth/notes/start?return_to=${elsewhere}`))).resolves.toMatchObject({
      code: 'oauth_return_to_denied',
    })
    await expect(plug.connections.list({ userId: 'u1' })).resolves.toEqual([])
  })

  test('that the user does not want goes back to the page with the reason', async () => {
    const url = new URL(await begin('/oauth/notes/start?return_to=/settings'))
    const parameters = new URLSearchParams({
      error: 'access_denied',
      state: url.searchParams.get('state')!,
      iss: server.issuer,
    })
    const back = await ask('GET', `/oauth/callback?${parameters}`)
    expect([back.status, back.headers.get('location')]).toEqual([302, `${BASE_URL}/settings?error=oauth_denied`])
  })

  test('without a registration says what to do', async () => {
    await plug.close()
    plug = plugOn(notes, { oauth: server.auth })
    await expect(plug.connections.getAuthUrl({ userId: 'u1', connector: 'notes' })).rejects.toMatchObject({
      code: 'sdk_option_invalid',
    })
    plug.providers.markConfigured('notes', server.client)
    await expect(plug.connections.getAuthUrl({ userId: 'u1', connector: 'notes' })).resolves.toHaveProperty('url')
  })
})
