/** The github connector: issues, pull requests, repositories, releases, search and webhooks over the REST API. */
import { defineConnector, path, type ApiClient } from '@plugwork/core/node'
import { z } from 'zod'
import { auth } from './auth.ts'
import { config, openGithub } from './client.ts'
import { triggers, webhooks } from './events.ts'
import { issueActions } from './issues.ts'
import { pullActions } from './pulls.ts'
import { repositoryActions } from './repos.ts'
import { searchActions } from './search.ts'

const NOTES = `
Answers hold what says something about a thing; the addresses that GitHub repeats in each of them are left out.

Errors are \`github_<kind>\` (\`github_not_found\`, \`github_invalid\`, \`github_rate_limited\`, …); \`data\` has \`status\`, GitHub's \`code\`,
\`message\` and \`request_id\`, and with \`github_invalid\` the fields in \`details\`. A thing that the credential may not see is
\`github_not_found\` too. When a limit is reached (5,000 calls an hour, or a secondary limit), \`github_rate_limited\` says in
\`retryAfterMs\` when calls are allowed again; a \`retry\` waits for it. GitHub knows no idempotency keys: creating things is not
repeated after an attempt of which nobody knows how it ended, unless a step says so.

A connection in a flow's \`connections:\` has a \`token\`. Signing in with GitHub and GitHub Apps need a stored connection. A GitHub
App of GitHub Enterprise Server cannot be used yet; its tokens and its OAuth apps can.`

/** GitHub: `github.issues.create`, `github.pulls.merge`, `github.search.code`, … */
export const github = defineConnector({
  name: 'github',
  title: 'GitHub',
  description: 'Issues, pull requests, repositories, releases, search and webhooks of GitHub and GitHub Enterprise.',
  version: '1.0.0',
  prefixes: ['github'],
  config,
  notes: NOTES,
  auth,
  // 900 points a minute for REST, a read being one: docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
  limits: { requests: 900, per: '1m', burst: 100 },
  triggers,
  webhooks,
  connect: (settings, context): Promise<ApiClient> => Promise.resolve(openGithub(settings, context)),
  async test(client, { signal }) {
    // An installation is no user; everybody may ask for limits: docs.github.com/en/rest/rate-limit/rate-limit
    const { data, headers } = await client.read(
      z.object({ resources: z.object({ core: z.object({ limit: z.int(), remaining: z.int() }) }) }),
      {
        path: path`/rate_limit`,
        signal,
      },
    )
    const { limit, remaining } = data.resources.core
    const scopes = headers['x-oauth-scopes']
    return {
      message: `GitHub accepted the credential: ${remaining} of ${limit} calls are left${scopes ? `; scopes: ${scopes}` : ''}.`,
    }
  },
  actions: { ...issueActions, ...pullActions, ...repositoryActions, ...searchActions },
  scaffold: ({ name }) => `  ${name}:
    type: github
    token: "\${secrets.GITHUB_TOKEN}"
`,
  example: ({ name }) => ({
    fileName: 'github_example.flow.yaml',
    source: `flow: GithubExample
description: Opens an issue, labels it and comments on it.
connections:
  ${name}:
    type: github
    token: "\${secrets.GITHUB_TOKEN}"
inputs:
  - { name: owner, type: string, required: true }
  - { name: repo, type: string, required: true }
  - { name: title, type: string, default: Look at this }
steps:
  - github.issues.create:
      id: issue
      connection: ${name}
      owner: \${inputs.owner}
      repo: \${inputs.repo}
      title: \${inputs.title}
      outputs: [number, html_url]
  - github.issues.add_labels:
      connection: ${name}
      owner: \${inputs.owner}
      repo: \${inputs.repo}
      number: \${issue.number}
      labels: [triage]
      retry: { max_attempts: 3, delay: 1s }
  - github.comments.create:
      connection: ${name}
      owner: \${inputs.owner}
      repo: \${inputs.repo}
      number: \${issue.number}
      body: Opened by Plugwork.
outputs:
  - { name: number, value: "\${issue.number}" }
  - { name: url, value: "\${issue.html_url}" }
`,
  }),
})
