/** Stored connections over HTTP: against a local GitHub, and signing in at a real authorization server. */
import { startAuthorizationServer, UserAgent, type AuthorizationServer } from '@plugwork/connections/oauth/testing'
import { startGithub, TOKEN, type GithubServer } from '@plugwork/connectors/github/testing'
import { defineAction, defineConnector, type Connector } from '@plugwork/core/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openHarness, type Answer, type Harness } from '../testing/harness.ts'

const SECRET = 'echoed-secret-0123456789'
const FLOW = `flow: Repo
connections: { gh: { type: github, use: work } }
steps: [{ id: repo, github.repos.get: { connection: gh, owner: octocat, repo: Hello-World } }]
outputs: [{ name: name, value: '\${repo.full_name}' }]
`
const NOTES_FLOW = `flow: Notes
connections: { notes: { type: notes, use: mine } }
steps: [{ id: hello, notes.hello: { connection: notes } }]
outputs: [{ name: said, value: '\${hello.said}' }]
`

let github: GithubServer
let provider: AuthorizationServer
let harness: Harness
/** Nothing listens there: the tests bring the callback to the server themselves. */
const baseUrl = 'http://127.0.0.1:7420'
const callback = `${baseUrl}/oauth/callback`

const hello = (say: (client: unknown) => Promise<string>) =>
  defineAction({
    description: 'Says hello.',
    input: z.strictObject({}),
    output: z.strictObject({ said: z.string() }),
    effect: 'read',
    idempotency: 'natural',
    run: async ({ client }) => ({ said: await say(client) }),
  })

const common = { description: 'For tests.', version: '1.0.0', prefixes: [], scaffold: () => '  x: {}\n' }
const example = () => ({ fileName: 'x.flow.yaml', source: '' })

/** A service that repeats what it was sent. */
const echo = defineConnector({
  ...common,
  name: 'echo',
  title: 'Echo',
  config: z.strictObject({ key: z.string().min(8).meta({ 'x-plugwork': 'secret' }) }),
  connect: async (config) => config.key,
  test: async (key) => {
    throw new Error(`401: the key ${String(key)} is not known, also as ${Buffer.from(String(key)).toString('base64')}`)
  },
  actions: { hello: hello(async () => 'no') },
  example,
})

const notesOf = (auth: AuthorizationServer['auth']) =>
  defineConnector({
    ...common,
    name: 'notes',
    title: 'Notes',
    config: z.strictObject({}),
    auth: { oauth: auth },
    connect: async (_, { credentials }) => credentials!,
    test: async (credentials, { signal }) => ({ message: typeof (await credentials.current(signal)).token }),
    actions: { hello: hello(async (client) => typeof client) },
    example,
  })

beforeAll(async () => {
  github = await startGithub()
  provider = await startAuthorizationServer([callback])
  harness = await openHarness({
    files: { 'flow.yaml': FLOW, 'notes.flow.yaml': NOTES_FLOW },
    // Their types are those of any connector.
    connectors: [echo, notesOf(provider.auth)] as unknown as Connector[],
    oauthClients: { notes: provider.client },
    settings: { baseUrl },
  })
})
afterAll(async () => {
  await harness?.close()
  await provider?.close()
  await github?.close()
})

const create = (body: object): Promise<Answer> => harness.request('POST', '/api/v1/connections', body)
const work = () => ({
  connector: 'github',
  name: 'work',
  settings: { base_url: github.baseUrl },
  credential: { token: TOKEN },
})
const run = async (flow: string): Promise<Record<string, unknown>> =>
  (await harness.request('POST', `/api/v1/flows/${flow}/runs?wait=30s`, { inputs: {} })).json()
const busNames = async (): Promise<string[]> => {
  const { events } = (await harness.request('GET', '/api/v1/events?name=plugwork.**&limit=200')).json() as {
    events: { name: string; data: { name: string } }[]
  }
  return events.map(({ name, data }) => `${name} ${data.name}`)
}

test('a connection is stored, listed, used, changed, tested and deleted; its secret is in no answer', async () => {
  const made = await create(work())
  expect([made.status, made.json()]).toMatchObject([201, { name: 'work', status: 'active', secrets: ['token'] }])
  const path = `/api/v1/connections/${made.json().id as string}`
  const answers = [made, await harness.request('GET', path), await harness.request('GET', '/api/v1/connections')]
  expect(answers[2]!.json()).toMatchObject({ connections: [{ name: 'work' }], next_cursor: null })
  expect(await run('Repo')).toMatchObject({ status: 'succeeded', outputs: { name: 'octocat/Hello-World' } })
  answers.push(await create(work()))
  expect([answers.at(-1)!.status, answers.at(-1)!.json().code]).toEqual([409, 'connection_exists'])
  answers.push(await harness.request('PATCH', path, { credential: { token: 'ghp_wrongtoken0123456789' } }))
  expect(answers.at(-1)!.status).toBe(200)
  answers.push(await harness.request('POST', `${path}/test`))
  expect([answers.at(-1)!.status, answers.at(-1)!.json().code]).toEqual([502, 'connection_check_failed'])
  answers.push(await harness.request('PATCH', path, { credential: { token: TOKEN }, metadata: { note: 'mended' } }))
  answers.push(await harness.request('POST', `${path}/test`))
  expect(answers.at(-1)!.json()).toMatchObject({ connection: { status: 'active', metadata: { note: 'mended' } } })
  expect((await harness.request('DELETE', path)).status).toBe(204)
  answers.push(await harness.request('GET', path))
  expect([answers.at(-1)!.status, answers.at(-1)!.json().code]).toEqual([404, 'connection_not_found'])
  expect(answers.map(({ text }) => text).join()).not.toMatch(/ghp_/)
  // Published after the answer.
  const wanted = ['created', 'updated', 'error', 'updated', 'active', 'removed']
  await expect.poll(busNames).toEqual(wanted.map((name) => `plugwork.connection.${name} work`))
})

test('problems name field and rule, and never a secret, whatever a service repeats', async () => {
  const echoed = await create({ connector: 'echo', credential: { key: SECRET } })
  expect([echoed.status, echoed.json().code]).toEqual([502, 'connection_check_failed'])
  expect(echoed.json().detail).toContain('the key *** is not known, also as ***')
  expect((await harness.request('GET', '/api/v1/connections?connector=echo')).json()).toMatchObject({ connections: [] })
  const short = await create({ connector: 'echo', credential: { key: 'short!' } })
  expect([short.status, short.json().data]).toMatchObject([422, { problems: [{ field: 'key' }] }])
  expect(short.text).not.toContain('short!')
  const unknown = await create({ connector: 'nothing' })
  expect([unknown.status, unknown.json().code]).toEqual([422, 'connection_invalid'])
  const cursor = await harness.request('GET', '/api/v1/connections?cursor=../x')
  expect([cursor.status, cursor.json().code]).toEqual([400, 'request_invalid'])
})

/** As a browser of the application: begins with a token, and keeps the cookie. */
async function begin(query = 'name=mine'): Promise<{ readonly url: string; readonly cookie: string }> {
  const started = await harness.request('GET', `/oauth/notes/start?${query}`)
  expect(started.status).toBe(200)
  const cookie = started.headers.get('set-cookie')!
  expect(cookie).toMatch(/^plugwork_oauth=[\w-]{43}; Path=\/oauth; HttpOnly; SameSite=Lax; Max-Age=600$/)
  return { url: started.json().url as string, cookie: cookie.split(';')[0]! }
}
const back = (url: string, cookie: string): Promise<Answer> => {
  const { pathname, search } = new URL(url)
  return harness.request('GET', pathname + search, undefined, { authorization: '', cookie })
}

test('somebody signs in, in one browser, and again in place; a held run goes on', async () => {
  const { url, cookie } = await begin()
  const returned = await new UserAgent().agree(url, callback)
  const page = await back(returned, cookie)
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('Connected notes as &quot;mine&quot;')])
  expect((await back(returned, cookie)).text).toContain('oauth_state_invalid')
  const { connections } = (await harness.request('GET', '/api/v1/connections?connector=notes')).json() as {
    connections: { id: string; status: string }[]
  }
  expect(connections).toMatchObject([{ status: 'active' }])
  expect(await run('Notes')).toMatchObject({ status: 'succeeded' })

  await harness.connections.disconnect({ tenant: 'default', user: null }, connections[0]!.id)
  await expect.poll(() => run('Notes'), { timeout: 10_000 }).toMatchObject({ status: 'waiting' })
  const held = (await harness.request('GET', '/api/v1/runs?flow=Notes&status=waiting')).json() as {
    runs: { id: string }[]
  }
  const again = await begin()
  expect((await back(await new UserAgent().agree(again.url, callback), again.cookie)).status).toBe(200)
  const now = (await harness.request('GET', '/api/v1/connections?connector=notes')).json()
  expect(now).toMatchObject({ connections: [{ id: connections[0]!.id, status: 'active' }] })
  const path = `/api/v1/runs/${held.runs[0]!.id}`
  const retry = async (): Promise<unknown> => {
    await harness.request('POST', `${path}/resolve`, { step: 'hello', decision: 'retry' })
    return (await harness.request('GET', path)).json().status
  }
  await expect.poll(retry, { timeout: 10_000 }).toBe('succeeded')
}, 60_000)

test.each(['', `plugwork_oauth=${'A'.repeat(43)}`])('a callback with the cookie "%s" links nothing', async (cookie) => {
  const { url } = await begin('name=stolen')
  const returned = await new UserAgent().agree(url, callback)
  const page = await back(returned, cookie)
  expect(page.status).toBeGreaterThanOrEqual(400)
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(page.text).toContain('<code>oauth_session_mismatch</code>')
  expect((await harness.request('GET', '/api/v1/connections?name=stolen')).json()).toMatchObject({ connections: [] })
})

test('a refusal at the service is a page with its code; a service without an app says what to do', async () => {
  const { url, cookie } = await begin('name=refused')
  const state = new URL(url).searchParams.get('state')!
  const page = await back(
    `${callback}?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`,
    cookie,
  )
  expect(page.text).toContain('<code>oauth_denied</code>')
  const missing = await harness.request('GET', '/oauth/github/start')
  expect([missing.status, missing.json().code]).toEqual([409, 'oauth_app_missing'])
  expect(missing.json().detail).toContain('PLUGWORK_GITHUB_CLIENT_ID')
  const none = await harness.request('GET', '/oauth/sqlite/start')
  expect([none.status, none.json().code]).toEqual([400, 'request_invalid'])
})
