/** Stored connections on the command line: against a local GitHub, a real PostgreSQL, and a real authorization server. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startAuthorizationServer, UserAgent } from '@plugwork/connections/oauth/testing'
import { startGithub, TOKEN, type GithubServer } from '@plugwork/connectors/github/testing'
import { defineAction, defineConnector } from '@plugwork/core/node'
import { freePort, postgres } from '@plugwork/test-services'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { Context } from '../context.ts'
import { createStyle } from '../render/style.ts'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'
import { loginWith } from './connection-login.ts'

const FLOW = `flow: Issue
connections:
  gh: { type: github, use: work-github }
steps:
  - { id: repo, github.repos.get: { connection: gh, owner: octocat, repo: Hello-World } }
outputs:
  - { name: name, value: '\${repo.full_name}' }
`

let sandbox: Sandbox
let github: GithubServer
let env: Record<string, string>

beforeEach(async () => {
  sandbox = openSandbox({ 'flow.yaml': FLOW })
  github = await startGithub()
  env = { PLUGWORK_EGRESS_ALLOW: '127.0.0.1', GH: TOKEN, WRONG: 'ghp_wrongtoken0123456789' }
})
afterEach(async () => {
  sandbox[Symbol.dispose]()
  await github.close()
})

async function json(args: readonly string[], input?: string): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await sandbox.plugwork([...args, '--json'], {
    env,
    ...(input === undefined ? {} : { input }),
  })
  expect(stdout + stderr).not.toContain(TOKEN)
  return { ...(JSON.parse(stdout) as Record<string, unknown>), code }
}

const add = (credential: string, ...more: string[]): string[] => {
  const settings = ['--set', `base_url=${github.baseUrl}`]
  return ['connection', 'add', 'github', '--name', 'work-github', ...settings, '--credential', credential, ...more]
}

test('a connection is added, used by a flow, tested, replaced and removed', async () => {
  expect(await json(['run', 'flow.yaml'])).toMatchObject({
    code: 1,
    error: {
      code: 'connection_not_found',
      message: expect.stringContaining('plugwork connection add github --name work-github'),
    },
  })
  expect(await json(add('token=-'), `${TOKEN}\n`)).toMatchObject({
    code: 0,
    connection: { connector: 'github', name: 'work-github', method: 'token', status: 'active', secrets: ['token'] },
  })
  expect(await json(['run', 'flow.yaml'])).toMatchObject({ code: 0, outputs: { name: 'octocat/Hello-World' } })
  for (const file of ['connections.db', 'connections.db-wal', 'plugwork.db', 'plugwork.db-wal']) {
    const bytes = readFileSync(join(sandbox.directory, '.plugwork', file), { flag: 'a+' })
    expect([file, bytes.includes(TOKEN)]).toEqual([file, false])
  }
  expect(await json(['connection', 'test', 'work-github'])).toMatchObject({ code: 0 })
  expect(await json(['connection', 'list', '--stored'])).toMatchObject({ stored: [{ name: 'work-github' }] })
  expect(await json(['connection', 'list'])).toMatchObject({ stored: [{ name: 'work-github' }] })
  const { stdout: listed } = await sandbox.plugwork(['connection', 'list'], { env })
  expect(listed).toMatch(/Stored\nwork-github\s+github\s+token\s+active/)
  expect(await json(add('token=env:GH'))).toMatchObject({
    code: 2,
    error: { message: /* named */ expect.stringContaining('github/work-github already') },
  })
  expect(await json(add('token=env:WRONG', '--replace'))).toMatchObject({
    code: 1,
    error: { code: 'connection_check_failed' },
  })
  expect(await json(['connection', 'test', 'github/work-github'])).toMatchObject({ code: 1 })
  expect(await json(add('token=env:GH', '--replace'))).toMatchObject({ code: 0, connection: { status: 'active' } })
  expect(await json(['run', 'flow.yaml'])).toMatchObject({ code: 0 })
  expect(await json(['connection', 'remove', 'work-github'])).toMatchObject({
    code: 0,
    removed: { name: 'work-github' },
  })
  expect(await json(['connection', 'test', 'work-githb'])).toMatchObject({ code: 2 })
}, 60_000)

test('what does not work is not stored, unless that is asked for', async () => {
  expect(await json(add('token=env:WRONG'))).toMatchObject({ code: 1, error: { code: 'connection_check_failed' } })
  expect(await json(['connection', 'remove', 'work-github'])).toMatchObject({ code: 2 })
  expect(await json(add('token=env:WRONG', '--no-test'))).toMatchObject({ code: 0, message: null })
}, 60_000)

test('a secret is never an argument, and is not repeated when it was one', async () => {
  const typed = await sandbox.plugwork(add(`token=${TOKEN}`), { env })
  expect(typed.code).toBe(2)
  expect(typed.stderr).toContain('says where the value comes from')
  const set = await sandbox.plugwork(['connection', 'add', 'github', '--set', `token=${TOKEN}`], { env })
  expect(set.code).toBe(2)
  expect(set.stderr).toContain('token=env:NAME')
  expect(typed.stdout + typed.stderr + set.stdout + set.stderr).not.toContain(TOKEN)
  const near = await sandbox.plugwork(['connection', 'add', 'github', '--set', 'bas_url=x'], { env })
  expect(near.stderr).toContain('Did you mean base_url?')
  const missing = await sandbox.plugwork(['connection', 'add', 'github'], { env })
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('token: is needed for')])
}, 60_000)

test('a running server uses what is added, changed and removed beside it', async () => {
  const port = await freePort()
  const server = sandbox.begin(['start', '--port', `${port}`], {
    env: { ...env, PLUGWORK_OWNER_TOKEN: 'owner-token-1234' },
  })
  await server.sees(/serves 1 flow/)
  const run = async (): Promise<Record<string, unknown>> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/flows/Issue/runs?wait=30s`, {
      method: 'POST',
      headers: { authorization: 'Bearer owner-token-1234', 'content-type': 'application/json' },
      body: '{"inputs":{}}',
    })
    const body = (await answer.json()) as Record<string, unknown>
    if (answer.status >= 400) throw new Error(JSON.stringify(body))
    return body
  }
  expect(await run()).toMatchObject({ status: 'failed', error: { code: 'connection_not_found' } })
  expect(await json(add('token=env:GH'))).toMatchObject({ code: 0 })
  expect(await run()).toMatchObject({ status: 'succeeded', outputs: { name: 'octocat/Hello-World' } })
  expect(await json(['connection', 'remove', 'work-github'])).toMatchObject({ code: 0 })
  await expect.poll(run, { timeout: 10_000, interval: 300 }).toMatchObject({ error: { code: 'connection_not_found' } })
}, 60_000)

test('a flow queries PostgreSQL through a stored connection', async () => {
  const server = await postgres()
  const database = await server.createDatabase()
  onTestFinished(() => database.drop())
  const url = new URL(database.url)
  env = { ...env, PGURL: url.href, PLUGWORK_EGRESS_ALLOW: '127.0.0.1,localhost,::1' }
  sandbox.write(
    'flow.yaml',
    `flow: Ask
connections: { db: { type: postgres, use: orders } }
steps: [{ id: q, pg_query: { connection: db, query: 'select 6 * 7 as answer', outputs: [rows] } }]
outputs: [{ name: answer, value: '\${q.rows[0].answer}' }]
`,
  )
  const added = await json([
    'connection',
    'add',
    'postgres',
    '--name',
    'orders',
    '--set',
    'ssl=false',
    '--credential',
    'url=env:PGURL',
  ])
  expect(added).toMatchObject({ code: 0, connection: { connector: 'postgres', method: null, status: 'active' } })
  expect(await json(['run', 'flow.yaml'])).toMatchObject({ code: 0, outputs: { answer: 42 } })
}, 60_000)

test('a key ring that cannot read what is stored is refused by name', async () => {
  expect(await json(add('token=env:GH'))).toMatchObject({ code: 0 })
  env = { ...env, PLUGWORK_KEYS: `k9:${Buffer.alloc(32, 9).toString('base64')}` }
  const refused = await json(['connection', 'test', 'work-github'])
  expect(refused['code']).not.toBe(0)
  expect(refused['error']).toMatchObject({ code: expect.stringMatching(/^(vault|keys?)_/) })
  const started = await sandbox.plugwork(['start', '--port', '0'], { env })
  expect(started.code).not.toBe(0)
  expect(started.stderr).toMatch(/\((vault|keys?)_\w+\)/)
}, 60_000)

/** A context that remembers what was printed. */
function listening(directory: string, environment: Record<string, string>) {
  const notes: string[] = []
  const documents: unknown[] = []
  const context: Context = {
    workingDirectory: directory,
    environment,
    print: () => undefined,
    note: (text) => void notes.push(text),
    json: (value) => void documents.push(value),
    style: createStyle(false),
    noteStyle: createStyle(false),
    interactive: false,
    canAsk: false,
    columns: 80,
    wrapAt: Number.POSITIVE_INFINITY,
    stderr: process.stderr,
    ending: { threadsLeft: false },
    readInput: async () => '',
  }
  const sees = async (pattern: RegExp): Promise<string> => {
    await expect.poll(() => notes.join('\n'), { timeout: 20_000 }).toMatch(pattern)
    return pattern.exec(notes.join('\n'))![1]!
  }
  return { context, notes, documents, sees }
}

const flags = { set: [], port: 0, browser: true, name: 'default', json: true } as const

test('signing in: in a browser that comes back, with a code, and again for a connection that there is', async () => {
  const port = await freePort()
  const callback = `http://127.0.0.1:${port}/oauth/callback`
  const server = await startAuthorizationServer([callback])
  onTestFinished(() => server.close())
  const notes = defineConnector({
    name: 'notes',
    title: 'Notes',
    description: 'A service for tests.',
    version: '1.0.0',
    prefixes: [],
    config: z.strictObject({}),
    auth: { oauth: server.auth },
    connect: async (_, { credentials, signal }) => (await credentials!.current(signal)).token,
    test: async (token) => ({ message: `signed in with ${token.length > 0 ? 'a token' : 'nothing'}` }),
    actions: {
      hello: defineAction({
        description: 'Says hello.',
        input: z.strictObject({}),
        output: z.strictObject({}),
        effect: 'read',
        idempotency: 'natural',
        run: async () => ({}),
      }),
    },
    scaffold: ({ name }) => `  ${name}: { type: notes }\n`,
    example: () => ({ fileName: 'notes.flow.yaml', source: '' }),
  })
  const { clientId, clientSecret } = server.client
  const environment = {
    PLUGWORK_EGRESS_ALLOW: '127.0.0.1',
    PLUGWORK_NOTES_CLIENT_ID: clientId,
    PLUGWORK_NOTES_CLIENT_SECRET: clientSecret!,
  }

  const first = listening(sandbox.directory, environment)
  const login = loginWith(first.context, [notes], 'notes', { ...flags, port })
  const url = await first.sees(/Sign in to Notes: (\S+)/)
  const returned = await new UserAgent().agree(url, callback)
  const stranger = await fetch(`${callback}?code=x&state=y`)
  expect([stranger.status, await stranger.text()]).toEqual([400, expect.stringContaining('oauth_state_invalid')])
  const page = await fetch(returned)
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Connected to Notes')])
  expect(await login).toBe(0)
  expect(first.documents).toMatchObject([
    { connection: { connector: 'notes', method: 'oauth', status: 'active' }, message: 'signed in with a token' },
  ])

  const second = listening(sandbox.directory, environment)
  const again = loginWith(second.context, [notes], 'default', { ...flags, device: true })
  const code = await second.sees(/enter (\S+)/)
  const agent = new UserAgent()
  const form = await agent.open(`${server.issuer}/device`, callback)
  let shown = await agent.submit(form, callback, { user_code: code })
  for (let steps = 0; steps < 6 && shown.html.includes('<form'); steps++) {
    shown = await agent.submit(
      shown,
      callback,
      shown.html.includes('name="password"') ? { login: 'ada', password: 'any' } : {},
    )
  }
  expect(await again).toBe(0)
  expect(second.documents).toMatchObject([{ connection: { status: 'active' } }])
  const ids = [...first.documents, ...second.documents].map(
    (one) => (one as { connection: { id: string } }).connection.id,
  )
  expect(ids[0]).toBe(ids[1])
  expect(JSON.stringify([first.notes, second.notes])).not.toContain(clientSecret)

  const third = listening(sandbox.directory, environment)
  const refused = loginWith(third.context, [notes], 'notes', { ...flags, port })
  const denied = new URL(await third.sees(/Sign in to Notes: (\S+)/))
  const state = denied.searchParams.get('state')!
  const outcome = refused.catch((error: unknown) => error)
  await fetch(`${callback}?error=access_denied&state=${state}&iss=${encodeURIComponent(server.issuer)}`)
  expect(await outcome).toMatchObject({ code: 'oauth_denied' })

  const none = listening(sandbox.directory, { PLUGWORK_EGRESS_ALLOW: '127.0.0.1' })
  await expect(loginWith(none.context, [notes], 'notes', { ...flags, name: 'other' })).rejects.toMatchObject({
    hint: expect.stringContaining('PLUGWORK_NOTES_CLIENT_ID'),
  })
}, 60_000)
