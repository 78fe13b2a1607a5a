import { describeConnectorContract } from '@plugwork/core/testing'
import { describe, expect, test } from 'vitest'
import { environmentOf } from '../vendor/testing/contract-environment.ts'
import { exampleAt, runFlow } from '../vendor/testing/run-flow.ts'
import { github } from './github.ts'
import { replies, startGithub, TOKEN } from './testing/server.ts'

const at = { owner: 'octocat', repo: 'Hello-World' }
const seeded = { owner: 'octocat', repo: 'seeded' }
const first = { ...seeded, number: 1 }
const pull = { ...seeded, number: 2 }

describeConnectorContract(github, { describe, test }, async () => {
  const server = await startGithub()
  return environmentOf(server, { base_url: server.baseUrl, token: TOKEN, timeout: '5s' }, [
    { action: 'issues.create', input: { ...at, title: 'first' } },
    { action: 'issues.list', input: at },
    { action: 'issues.get', input: first },
    { action: 'issues.update', input: { ...first, title: 'other' } },
    { action: 'issues.add_labels', input: { ...first, labels: ['bug'] } },
    { action: 'issues.close', input: first },
    { action: 'comments.create', input: { ...first, body: 'b' } },
    { action: 'comments.list', input: first },
    { action: 'comments.update', input: { ...seeded, comment_id: 501, body: 'c' } },
    { action: 'comments.delete', input: { ...seeded, comment_id: 502 } },
    { action: 'pulls.create', input: { ...at, title: 'change', head: 'topic', base: 'main' } },
    { action: 'pulls.list', input: at },
    { action: 'pulls.get', input: pull },
    { action: 'pulls.list_files', input: pull },
    { action: 'pulls.merge', input: pull },
    { action: 'repos.list', input: {} },
    { action: 'repos.get', input: at },
    { action: 'repos.create', input: { name: 'fresh' } },
    { action: 'repos.get_content', input: { ...at, path: 'README.md' } },
    { action: 'releases.create', input: { ...at, tag_name: 'v1' } },
    { action: 'releases.list', input: at },
    {
      action: 'releases.get_latest',
      input: at,
      before: [{ action: 'releases.create', input: { ...at, tag_name: 'v2' } }],
    },
    { action: 'webhooks.create', input: { ...at, url: 'https://example.com/hook', secret: 's' } },
    { action: 'webhooks.list', input: at },
    { action: 'webhooks.delete', input: { ...seeded, hook_id: 601 } },
    { action: 'search.issues', input: { query: 'x' } },
    { action: 'search.repositories', input: { query: 'x' } },
    { action: 'search.code', input: { query: 'x' } },
  ])
})

test('the example flow runs as it is', async () => {
  const server = await startGithub()
  const run = { connector: github, source: exampleAt(github, server.baseUrl), secrets: { GITHUB_TOKEN: TOKEN } }
  const { status, outputs, error } = await runFlow({ ...run, inputs: { owner: 'octocat', repo: 'Hello-World' } })
  const url = expect.stringMatching(/^https:\/\/github\.com\//) as string
  expect({ status, outputs, error }).toEqual({ status: 'succeeded', outputs: { number: 1, url }, error: null })
  expect(server.seen.map(({ method, path }) => `${method} ${path.split('/').slice(4).join('/')}`)).toEqual([
    'POST issues',
    'POST issues/1/labels',
    'POST issues/1/comments',
  ])
  expect(await server.problems()).toEqual([])
  await server.close()
})

test('a flow that retries waits for the pause that GitHub asks for', async () => {
  const server = await startGithub()
  server.next({ ...replies.secondaryLimit, headers: { 'retry-after': '1' } })
  const source = `
flow: Patient
connections: { main: { type: github, base_url: "${server.baseUrl}", token: "\${secrets.TOKEN}" } }
steps:
  - github.repos.get:
      id: repository
      connection: main
      owner: octocat
      repo: Hello-World
      outputs: [name]
      retry: { max_attempts: 2, delay: 1ms, jitter: false }
outputs: [{ name: name, value: "\${repository.name}" }]
`
  const started = performance.now()
  const { outputs } = await runFlow({ connector: github, source, secrets: { TOKEN } })
  expect(outputs).toEqual({ name: 'Hello-World' })
  // The pause is a promise to GitHub: a lower bound, not a measure of speed.
  expect(performance.now() - started).toBeGreaterThanOrEqual(990)
  expect(server.seen).toHaveLength(2)
  await server.close()
})
