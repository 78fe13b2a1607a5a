/** What holds for the local server and for github.com: `npm run test:live -- github`. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openGithubService, type GithubService } from './testing/open-service.ts'

let service: GithubService
beforeEach(async () => {
  service = await openGithubService()
})
afterEach(async () => {
  if (service.server !== null) assert.deepEqual(await service.server.problems(), [])
  await service.close()
})

const here = (): { owner: string; repo: string } => ({ owner: service.owner, repo: service.repo })
const unique = `plugwork-${Date.now()}`

test('the connection test says what is left', async () => {
  expect(await service.test()).toMatch(/^GitHub accepted the credential: \d+ of \d+ calls are left/)
})

test('an issue is opened, read, changed, labelled, commented on, listed and closed', async () => {
  const { call } = service
  const created = await call('issues.create', { ...here(), title: unique, body: 'ä', labels: ['bug'] })
  const number = created['number']
  expect(created).toMatchObject({ title: unique, body: 'ä', state: 'open' })
  expect(await call('issues.get', { ...here(), number })).toMatchObject({ id: created['id'], title: unique })
  expect(await call('issues.update', { ...here(), number, title: `${unique} b` })).toMatchObject({
    title: `${unique} b`,
  })
  for (let round = 0; round < 2; round += 1) {
    const { labels } = await call('issues.add_labels', { ...here(), number, labels: ['bug', 'triage'] })
    expect((labels as { name: string }[]).map(({ name }) => name).toSorted()).toEqual(['bug', 'triage'])
  }
  const { items } = await call('issues.list', { ...here(), labels: ['triage'], sort: 'created', per_page: 100 })
  expect(items).toContainEqual(expect.objectContaining({ number }))

  const first = await call('comments.create', { ...here(), number, body: 'one' })
  await call('comments.create', { ...here(), number, body: 'two' })
  const changed = await call('comments.update', { ...here(), comment_id: first['id'], body: 'uno' })
  expect(changed).toMatchObject({ id: first['id'], body: 'uno' })
  const comments = await service.all('comments.list', { ...here(), number, per_page: 1 })
  expect(comments).toMatchObject({ pages: 2, items: [{ body: 'uno' }, { body: 'two' }] })
  expect(await call('comments.delete', { ...here(), comment_id: first['id'] })).toEqual({ deleted: true })
  await expect(call('comments.delete', { ...here(), comment_id: first['id'] })).rejects.toMatchObject({
    code: 'github_not_found',
  })

  const closed = await call('issues.close', { ...here(), number, reason: 'not_planned' })
  expect(closed).toMatchObject({ state: 'closed', state_reason: 'not_planned' })
})

test('what is not there is github_not_found, with what GitHub says', async () => {
  const error: unknown = await service
    .call('issues.get', { ...here(), number: 999_999 })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'github_not_found',
    retryable: false,
    data: { status: 404, message: 'Not Found' },
  })
})

test('repositories are read and listed; a file comes as text, a folder as its entries', async () => {
  const { call } = service
  expect(await call('repos.get', here())).toMatchObject({ full_name: `${service.owner}/${service.repo}` })
  const { items } = await call('repos.list', { per_page: 1 })
  expect(items).toHaveLength(1)
  const readme = await call('repos.get_content', { ...here(), path: 'README.md' })
  expect(readme).toMatchObject({ type: 'file', path: 'README.md', encoding: 'text', entries: [] })
  expect(readme['content']).toMatch(/\w/)
  const root = await call('repos.get_content', { ...here(), path: '' })
  expect(root).toMatchObject({ type: 'dir', content: null })
  expect(root['entries']).toContainEqual(expect.objectContaining({ name: 'README.md', type: 'file' }))
})

test('a webhook is created without its secret coming back, listed and deleted', async () => {
  const url = `https://example.com/${unique}`
  const hook = await service.call('webhooks.create', {
    ...here(),
    url,
    secret: 's3cret-value',
    events: ['issues', 'push'],
  })
  expect(hook).toMatchObject({ active: true, config: { url, content_type: 'json' } })
  expect(JSON.stringify(hook)).not.toMatch(/s3cret|\*\*\*/)
  const { items } = await service.all('webhooks.list', here())
  expect(items).toContainEqual(expect.objectContaining({ id: hook['id'] }))
  expect(await service.call('webhooks.delete', { ...here(), hook_id: hook['id'] })).toEqual({ deleted: true })
})
