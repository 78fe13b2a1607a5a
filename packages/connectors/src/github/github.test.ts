/** What only the local server can be made to do: limits, refusals, pages of many, refreshed tokens. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlugworkError, type JsonObject } from '@plugwork/core'
import type { Connector, Credential, CredentialSource, ServiceRequest } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callActions } from '../vendor/testing/call-actions.ts'
import { triggers, webhooks } from './events.ts'
import { github } from './github.ts'
import { openGithubService, type GithubService } from './testing/open-service.ts'
import { replies, TOKEN, type GithubServer } from './testing/server.ts'

let service: GithubService
let server: GithubServer
beforeEach(async () => {
  service = await openGithubService()
  server = service.server!
})
afterEach(async () => {
  assert.deepEqual(await server.problems(), [])
  await service.close()
})
const here = { owner: 'octocat', repo: 'Hello-World' }

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}

test('every request says the version of the API and who asks', async () => {
  await service.call('repos.get', here)
  expect(server.seen[0]!.headers).toMatchObject({
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
    'user-agent': 'plugwork',
    authorization: `Bearer ${TOKEN}`,
  })
})

test('lists go on along the Link header until the last page', async () => {
  for (let index = 0; index < 5; index += 1) await service.call('issues.create', { ...here, title: `issue ${index}` })
  const { items, pages } = await service.all('issues.list', { ...here, state: 'all', per_page: 2 })
  expect(pages).toBe(3)
  expect(items.map((item) => (item as JsonObject)['title'])).toEqual([4, 3, 2, 1, 0].map((index) => `issue ${index}`))
  expect((await service.all('search.issues', { query: 'repo:octocat/Hello-World issue', per_page: 4 })).pages).toBe(2)
  expect(await service.call('search.issues', { query: 'nothing' })).toMatchObject({ items: [], total_count: 0 })
})

test('pull requests: opened once, listed, merged once', async () => {
  const opened = await service.call('pulls.create', {
    ...here,
    title: 'More',
    head: 'topic',
    base: 'main',
    draft: false,
  })
  const at = { ...here, number: opened['number'] }
  const twice = await failure(service.call('pulls.create', { ...here, title: 'More', head: 'topic', base: 'main' }))
  expect(twice).toMatchObject({
    code: 'github_invalid',
    message: expect.stringContaining('Validation Failed: PullRequest head custom'),
    data: { code: 'custom', details: { errors: [{ resource: 'PullRequest', field: 'head', code: 'custom' }] } },
  })
  expect((await service.call('pulls.list', { ...here, state: 'open' }))['items']).toMatchObject([{ title: 'More' }])
  expect((await service.call('pulls.list_files', at))['items']).toMatchObject([
    { filename: 'file1.txt' },
    { filename: 'file2.txt' },
  ])
  expect(await failure(service.call('pulls.merge', { ...at, sha: 'other' }))).toMatchObject({ code: 'github_conflict' })
  expect(await service.call('pulls.merge', { ...at, merge_method: 'squash' })).toMatchObject({ merged: true })
  expect(await service.call('pulls.get', at)).toMatchObject({ merged: true, state: 'closed' })
  expect(await failure(service.call('pulls.merge', at))).toMatchObject({ code: 'github_conflict', retryable: false })
})

test('repositories and releases are created; searches answer', async () => {
  const made = await service.call('repos.create', { name: 'fresh', private: true, auto_init: true })
  expect(made).toMatchObject({ full_name: 'octocat/fresh', private: true })
  expect(JSON.stringify(made)).not.toContain('temp_clone_token')
  expect(await service.call('repos.create', { org: 'acme', name: 'tool' })).toMatchObject({ full_name: 'acme/tool' })
  expect((await service.call('repos.list', { org: 'acme', visibility: 'all' }))['items']).toHaveLength(1)
  expect(await failure(service.call('repos.create', { name: 'fresh' }))).toMatchObject({ code: 'github_invalid' })
  expect(await failure(service.call('releases.get_latest', here))).toMatchObject({ code: 'github_not_found' })
  await service.call('releases.create', { ...here, tag_name: 'v1', name: 'One', generate_release_notes: true })
  await service.call('releases.create', { ...here, tag_name: 'v2-rc', prerelease: true })
  expect(await service.call('releases.get_latest', here)).toMatchObject({ tag_name: 'v1' })
  expect((await service.call('releases.list', here))['items']).toMatchObject([
    { tag_name: 'v2-rc' },
    { tag_name: 'v1' },
  ])
  expect((await service.call('search.repositories', { query: 'tetris' }))['items']).toHaveLength(1)
  expect((await service.call('search.code', { query: 'classes' }))['items']).toHaveLength(1)
})

test('contents: paths are encoded, bytes that are no text come as base64', async () => {
  expect(await service.call('repos.get_content', { ...here, path: 'docs/a b.md' })).toMatchObject({ content: 'a' })
  expect(server.seen.at(-1)!.path).toBe('/repos/octocat/Hello-World/contents/docs/a%20b.md')
  const folder = await service.call('repos.get_content', { ...here, path: '/docs/', ref: 'main' })
  expect((folder['entries'] as JsonObject[]).map(({ name }) => name)).toEqual(['a b.md', 'c.md'])
  const bytes = { type: 'file', name: 'x', path: 'x', sha: 'a', size: 2, encoding: 'base64', content: '//4=\n' }
  server.next({
    body: { ...bytes, url: '', git_url: '', html_url: '', download_url: '', _links: { git: '', html: '', self: '' } },
  })
  expect(await service.call('repos.get_content', { ...here, path: 'x' })).toMatchObject({
    content: '//4=',
    encoding: 'base64',
  })
})

test('limits say when to come back; a permission that is missing is no limit', async () => {
  server.next(replies.primaryLimit(Math.ceil(Date.now() / 1_000) + 120))
  const primary = await failure(service.call('repos.get', here))
  expect(primary).toMatchObject({ code: 'github_rate_limited', retryable: true, data: { status: 403 } })
  const { retryAfterMs } = primary.data as { retryAfterMs: number }
  expect(retryAfterMs).toBeGreaterThan(60_000)
  expect(retryAfterMs).toBeLessThanOrEqual(121_000)
  server.next(replies.secondaryLimit)
  const secondary = await failure(service.call('repos.get', here))
  expect(secondary).toMatchObject({ code: 'github_rate_limited', data: { retryAfterMs: 30_000 } })
  server.next(replies.forbidden)
  expect(await failure(service.call('repos.get', here))).toMatchObject({
    code: 'github_forbidden',
    retryable: false,
    data: { request_id: 'C0DE:1', message: 'Resource not accessible by personal access token' },
  })
  server.next({ status: 502, body: { message: 'Server Error' } })
  expect(await failure(service.call('repos.get', here))).toMatchObject({ code: 'github_unavailable', retryable: true })
})

test('a wrong token is github_unauthorized and in no message', async () => {
  const wrong = await callActions(github, { base_url: server.baseUrl, token: 'ghp_wrong' })
  const error = await failure(wrong.call('repos.get', here))
  expect(error).toMatchObject({ code: 'github_unauthorized', data: { message: 'Bad credentials' } })
  expect(JSON.stringify([error.message, error.data, error.stack])).not.toContain('ghp_wrong')
  await expect(wrong.test()).rejects.toMatchObject({ code: 'github_unauthorized' })
  await wrong.close()
})

test('a stored connection asks for its token at each request and gets another one after a 401', async () => {
  const make = (token: string): Credential => ({ method: 'app', token, metadata: {}, expiresAt: null })
  const refused: string[] = []
  const credentials: CredentialSource = {
    current: () => Promise.resolve(make('ghs_expired')),
    rejected: ({ token }) => {
      refused.push(token)
      return Promise.resolve(make(TOKEN))
    },
  }
  const calls = await callActions(
    github,
    { base_url: server.baseUrl, app_id: '1', installation_id: '2' },
    { credentials },
  )
  expect(await calls.call('repos.get', here)).toMatchObject({ name: 'Hello-World' })
  expect(refused).toEqual(['ghs_expired'])
  await calls.close()
})

test('a connection without a credential, or with a base_url that leads elsewhere, is refused', async () => {
  await expect(callActions(github, {})).rejects.toMatchObject({ code: 'github_config' })
  for (const base_url of [
    'http://github.example.com',
    'https://a@github.example.com',
    'https://x.example/?q=1',
    'nonsense',
  ]) {
    expect(github.config.safeParse({ token: 't', base_url })).toMatchObject({ success: false })
  }
  expect(github.config.parse({ token: 't', base_url: 'https://github.example.com/api/v3' })).toMatchObject({
    token: 't',
  })
})

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/webhooks.json'), 'utf8')) as {
  readonly payloads: Record<string, JsonObject>
}
const delivery = (event: string, json: JsonObject): ServiceRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'x-github-event': event, 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' },
  body: new Uint8Array(),
  json,
})

test.each(Object.entries(recorded.payloads))(
  'the recorded event %s fits its trigger, and so does the sample',
  (name, payload) => {
    const [event = ''] = name.split('.')
    const [read] = webhooks.events(delivery(event, payload))
    expect(read).toMatchObject({ name, deliveryId: '72d3162e-cc78-11e3-81ab-4c9367dc0958', payload })
    const trigger = (triggers as Connector['triggers'])![name]!
    expect(trigger.payload.safeParse(payload)).toMatchObject({ success: true })
    expect(trigger.payload.parse(trigger.sample)).toEqual(trigger.sample)
  },
)

test('events: as a form, of an installation, and none for what is no event', () => {
  const payload = { action: 'opened', installation: { id: 77 } }
  const form = delivery('issues', { payload: JSON.stringify(payload) })
  expect(webhooks.events(form)).toMatchObject([{ name: 'issues.opened', account: '77', payload }])
  expect(webhooks.events({ ...form, headers: {} })).toEqual([])
  expect(webhooks.events({ ...form, json: null })).toEqual([])
  expect(webhooks.events(delivery('issues', { payload: '{' }))).toEqual([])
})
