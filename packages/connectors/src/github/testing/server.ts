/**
 * A local GitHub: the REST API of `fixtures/openapi.json` (GitHub's own description, docs.github.com/en/rest, from
 * `@octokit/openapi`), whose examples are what it answers, with what was created kept. Every exchange is held to the description.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json, JsonObject } from '@plugwork/core'
import { checkAgainst, type OpenApi } from '../../vendor/testing/openapi.ts'
import {
  startVendor,
  type Route,
  type VendorReply,
  type VendorRequest,
  type VendorServer,
} from '../../vendor/testing/vendor-server.ts'

export const TOKEN = 'ghp_testtoken0123456789'

const description = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/openapi.json'), 'utf8')) as OpenApi

function example(name: string): JsonObject {
  const { value } = description.components['examples']![name] as { readonly value: JsonObject | JsonObject[] }
  return structuredClone(Array.isArray(value) ? value[0]! : value)
}

/** docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api and .../rate-limits-for-the-rest-api */
export const replies = {
  badCredentials: {
    status: 401,
    body: { message: 'Bad credentials', documentation_url: 'https://docs.github.com/rest', status: '401' },
  },
  notFound: {
    status: 404,
    body: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' },
  },
  forbidden: {
    status: 403,
    headers: { 'x-ratelimit-remaining': '4998', 'x-github-request-id': 'C0DE:1' },
    body: {
      message: 'Resource not accessible by personal access token',
      documentation_url: 'https://docs.github.com/rest',
      status: '403',
    },
  },
  primaryLimit: (reset: number) => ({
    status: 403,
    headers: { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) },
    body: { message: 'API rate limit exceeded for user ID 1.', documentation_url: 'https://docs.github.com/rest' },
  }),
  secondaryLimit: {
    status: 403,
    headers: { 'retry-after': '30', 'x-ratelimit-remaining': '4990' },
    body: {
      message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      documentation_url:
        'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits',
    },
  },
} satisfies Record<string, VendorReply | ((reset: number) => VendorReply)>

const invalid = (resource: string, field: string, code: string): VendorReply => ({
  status: 422,
  body: {
    message: 'Validation Failed',
    errors: [{ resource, field, code }],
    documentation_url: 'https://docs.github.com/rest',
  },
})

interface Repository {
  readonly data: JsonObject
  readonly issues: JsonObject[]
  readonly comments: { readonly issue: number; readonly data: JsonObject }[]
  readonly pulls: JsonObject[]
  readonly releases: JsonObject[]
  readonly hooks: JsonObject[]
  readonly files: Map<string, string>
}

export interface GithubServer extends VendorServer {
  readonly baseUrl: string
  /** Exchanges that do not fit GitHub's description. */
  problems(): Promise<readonly string[]>
}

/** Starts a GitHub that has the repository `octocat/Hello-World` with three files, and `octocat/seeded`. */
export async function startGithub(): Promise<GithubServer> {
  const check = checkAgainst(description)
  const checks: Promise<readonly string[]>[] = []
  let ids = 1_000
  const nextId = (): number => (ids += 1)
  const repositories = new Map<string, Repository>()
  let origin = ''

  function addRepository(owner: string, name: string, fields: JsonObject): Repository {
    // The example lacks a field that the schema demands.
    const data = {
      ...example('full-repository'),
      has_discussions: false,
      ...fields,
      id: nextId(),
      name,
      full_name: `${owner}/${name}`,
    }
    const made: Repository = { data, issues: [], comments: [], pulls: [], releases: [], hooks: [], files: new Map() }
    repositories.set(`${owner}/${name}`, made)
    return made
  }
  const hello = addRepository('octocat', 'Hello-World', {})
  // A second one, whose things have known ids.
  const seeded = addRepository('octocat', 'seeded', {})
  seeded.issues.push({ ...example('issue'), number: 1 })
  for (const id of [501, 502]) seeded.comments.push({ issue: 1, data: { ...example('issue-comment'), id } })
  seeded.pulls.push({ ...example('pull-request'), requested_teams: [], number: 2, merged: false, state: 'open' })
  seeded.hooks.push({ ...example('hook'), id: 601 })
  hello.files.set('README.md', 'Hello, wörld').set('docs/a b.md', 'a').set('docs/c.md', 'c')

  /** Pages with a `Link` header: docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
  function page(request: VendorRequest, items: readonly Json[]): { items: Json[]; headers: Record<string, string> } {
    const size = Number(request.query.get('per_page') ?? 30)
    const number = Number(request.query.get('page') ?? 1)
    const link = (to: number, rel: string): string => {
      const query = new URLSearchParams(request.query)
      query.set('page', String(to))
      return `<${origin}${request.path}?${query.toString()}>; rel="${rel}"`
    }
    const last = Math.ceil(items.length / size)
    const links = [
      ...(number > 1 ? [link(number - 1, 'prev')] : []),
      ...(number < last ? [link(number + 1, 'next'), link(last, 'last')] : []),
    ]
    return {
      items: items.slice((number - 1) * size, number * size),
      headers: links.length === 0 ? {} : { link: links.join(', ') },
    }
  }
  const list = (request: VendorRequest, items: readonly Json[]): VendorReply => {
    const { items: body, headers } = page(request, items)
    return { body, headers }
  }
  const found = (request: VendorRequest, items: readonly Json[]): VendorReply => {
    const { items: body, headers } = page(request, items)
    return {
      body: { total_count: items.length, incomplete_results: false, items: body, search_type: 'lexical' },
      headers,
    }
  }
  const inRepository =
    (handle: (repository: Repository, request: VendorRequest) => VendorReply): Route =>
    (request) => {
      const repository = repositories.get(`${request.params['owner']}/${request.params['repo']}`)
      return repository === undefined ? replies.notFound : handle(repository, request)
    }
  const byNumber = (items: readonly JsonObject[], number: string): JsonObject | undefined =>
    items.find((item) => item['number'] === Number(number))
  const labelsOf = (names: Json | undefined): JsonObject[] =>
    ((names ?? []) as string[]).map((name) => ({ ...example('label-items'), id: nextId(), name }))
  const now = (): string => new Date().toISOString().replace(/\.\d+Z/, 'Z')
  const nextNumber = ({ issues, pulls }: Repository): number => issues.length + pulls.length + 1

  const createRepository: Route = ({ params, json }) => {
    const owner = params['org'] ?? 'octocat'
    if (repositories.has(`${owner}/${json['name']}`)) return invalid('Repository', 'name', 'custom')
    const { auto_init: _, ...fields } = json
    return { status: 201, body: addRepository(owner, String(json['name']), fields).data }
  }
  const ownedBy = (owner: string): Json[] =>
    [...repositories].filter(([name]) => name.startsWith(`${owner}/`)).map(([, { data }]) => data)

  const routes: Record<string, Route> = {
    'GET /rate_limit': () => ({
      headers: { 'x-oauth-scopes': 'repo' },
      body: (description.components['examples']!['rate-limit-overview'] as { value: JsonObject }).value,
    }),
    'GET /user/repos': (request) => list(request, ownedBy('octocat')),
    'POST /user/repos': createRepository,
    'GET /orgs/:org/repos': (request) => list(request, ownedBy(request.params['org']!)),
    'POST /orgs/:org/repos': createRepository,
    'GET /repos/:owner/:repo': inRepository(({ data }) => ({ body: data })),
    'GET /repos/:owner/:repo/contents/*path': inRepository(({ files }, { params }) => {
      const path = params['path']!
      const file = files.get(path)
      if (file !== undefined) {
        const content = Buffer.from(file).toString('base64').replaceAll(/.{60}/g, '$&\n')
        const name = path.split('/').at(-1)!
        const size = Buffer.byteLength(file)
        return { body: { ...example('content-file-response-if-content-is-a-file'), name, path, size, content } }
      }
      const below = [...files.keys()].filter((name) => path === '' || name.startsWith(`${path}/`))
      if (below.length === 0) return replies.notFound
      const entry = example('content-file-response-if-content-is-a-directory')
      return { body: below.map((name) => ({ ...entry, type: 'file', path: name, name: name.split('/').at(-1)! })) }
    }),
    'GET /repos/:owner/:repo/issues': inRepository(({ issues }, request) => {
      const state = request.query.get('state') ?? 'open'
      const labels = request.query.get('labels')?.split(',') ?? []
      const has = (issue: JsonObject, label: string): boolean =>
        (issue['labels'] as JsonObject[]).some((one) => one['name'] === label)
      const wanted = issues
        .filter((issue) => state === 'all' || issue['state'] === state)
        .filter((issue) => labels.every((label) => has(issue, label)))
      return list(request, wanted.toReversed())
    }),
    'POST /repos/:owner/:repo/issues': inRepository((repository, { json }) => {
      const { pull_request: _, ...base } = example('issue')
      const issue = {
        ...base,
        id: nextId(),
        number: nextNumber(repository),
        title: json['title'] ?? '',
        body: json['body'] ?? null,
        labels: labelsOf(json['labels']),
        comments: 0,
        state: 'open',
        state_reason: null,
        created_at: now(),
        updated_at: now(),
      }
      repository.issues.push(issue)
      return { status: 201, body: issue }
    }),
    'GET /repos/:owner/:repo/issues/:number': inRepository(({ issues }, { params }) => {
      const issue = byNumber(issues, params['number']!)
      return issue === undefined ? replies.notFound : { body: issue }
    }),
    'PATCH /repos/:owner/:repo/issues/:number': inRepository(({ issues }, { params, json }) => {
      const issue = byNumber(issues, params['number']!)
      if (issue === undefined) return replies.notFound
      const { labels, assignees: _, milestone: __, ...fields } = json
      Object.assign(issue, fields, labels === undefined ? {} : { labels: labelsOf(labels) }, { updated_at: now() })
      if (fields['state'] === 'closed')
        Object.assign(issue, { closed_at: now(), state_reason: fields['state_reason'] ?? 'completed' })
      return { body: issue }
    }),
    'POST /repos/:owner/:repo/issues/:number/labels': inRepository(({ issues }, { params, json }) => {
      const issue = byNumber(issues, params['number']!)
      if (issue === undefined) return replies.notFound
      const present = issue['labels'] as JsonObject[]
      const names = new Set(present.map(({ name }) => name))
      present.push(...labelsOf(((json['labels'] ?? []) as string[]).filter((name) => !names.has(name))))
      return { body: present }
    }),
    'GET /repos/:owner/:repo/issues/:number/comments': inRepository(({ issues, comments }, request) => {
      const { number } = request.params
      if (byNumber(issues, number!) === undefined) return replies.notFound
      return list(
        request,
        comments.filter(({ issue }) => issue === Number(number)).map(({ data }) => data),
      )
    }),
    'POST /repos/:owner/:repo/issues/:number/comments': inRepository(({ issues, comments }, { params, json }) => {
      const issue = byNumber(issues, params['number']!)
      if (issue === undefined) return replies.notFound
      const data = { ...example('issue-comment'), id: nextId(), body: json['body'] ?? '', created_at: now() }
      comments.push({ issue: Number(params['number']), data })
      issue['comments'] = Number(issue['comments']) + 1
      return { status: 201, body: data }
    }),
    'PATCH /repos/:owner/:repo/issues/comments/:id': inRepository(({ comments }, { params, json }) => {
      const comment = comments.find(({ data }) => data['id'] === Number(params['id']))
      if (comment === undefined) return replies.notFound
      Object.assign(comment.data, json)
      return { body: comment.data }
    }),
    'DELETE /repos/:owner/:repo/issues/comments/:id': inRepository(({ comments }, { params }) => {
      const index = comments.findIndex(({ data }) => data['id'] === Number(params['id']))
      if (index < 0) return replies.notFound
      comments.splice(index, 1)
      return { status: 204 }
    }),
    'GET /repos/:owner/:repo/pulls': inRepository(({ pulls }, request) =>
      list(
        request,
        pulls
          .map((pull) => ({ ...example('pull-request-simple-items'), requested_teams: [], ...pick(pull) }))
          .toReversed(),
      ),
    ),
    'POST /repos/:owner/:repo/pulls': inRepository((repository, { json }) => {
      const { pulls } = repository
      if (pulls.some((pull) => (pull['head'] as JsonObject)['ref'] === json['head']))
        return invalid('PullRequest', 'head', 'custom')
      const base = example('pull-request')
      const pull = {
        ...base,
        id: nextId(),
        number: nextNumber(repository),
        title: json['title'] ?? '',
        body: json['body'] ?? null,
        draft: json['draft'] ?? false,
        head: { ...(base['head'] as JsonObject), ref: json['head'] ?? '' },
        base: { ...(base['base'] as JsonObject), ref: json['base'] ?? '' },
        requested_teams: [],
        state: 'open',
        merged: false,
        merged_at: null,
        closed_at: null,
      }
      pulls.push(pull)
      return { status: 201, body: pull }
    }),
    'GET /repos/:owner/:repo/pulls/:number': inRepository(({ pulls }, { params }) => {
      const pull = byNumber(pulls, params['number']!)
      return pull === undefined ? replies.notFound : { body: pull }
    }),
    'GET /repos/:owner/:repo/pulls/:number/files': inRepository(({ pulls }, request) =>
      byNumber(pulls, request.params['number']!) === undefined
        ? replies.notFound
        : list(
            request,
            ['file1.txt', 'file2.txt'].map((filename) => ({ ...example('diff-entry-items'), filename })),
          ),
    ),
    'PUT /repos/:owner/:repo/pulls/:number/merge': inRepository(({ pulls }, { params, json }) => {
      const pull = byNumber(pulls, params['number']!)
      if (pull === undefined) return replies.notFound
      if (pull['merged'] === true) return { status: 405, body: { message: 'Pull Request is not mergeable' } }
      if (json['sha'] !== undefined && json['sha'] !== (pull['head'] as JsonObject)['sha']) {
        return { status: 409, body: { message: 'Head branch was modified. Review and try the merge again.' } }
      }
      Object.assign(pull, { merged: true, state: 'closed', merged_at: now(), closed_at: now() })
      return { body: example('pull-request-merge-result-response-if-merge-was-successful') }
    }),
    'GET /repos/:owner/:repo/releases': inRepository(({ releases }, request) => list(request, releases.toReversed())),
    'GET /repos/:owner/:repo/releases/latest': inRepository(({ releases }) => {
      const latest = releases.findLast((one) => one['draft'] === false && one['prerelease'] === false)
      return latest === undefined ? replies.notFound : { body: latest }
    }),
    'POST /repos/:owner/:repo/releases': inRepository(({ releases }, { json }) => {
      if (releases.some((one) => one['tag_name'] === json['tag_name']))
        return invalid('Release', 'tag_name', 'already_exists')
      const { generate_release_notes: _, ...fields } = json
      const release = { ...example('release'), ...fields, id: nextId() }
      releases.push(release)
      return { status: 201, body: release }
    }),
    'GET /repos/:owner/:repo/hooks': inRepository(({ hooks }, request) => list(request, hooks)),
    'POST /repos/:owner/:repo/hooks': inRepository(({ hooks }, { json }) => {
      const config = json['config'] as JsonObject
      if (hooks.some((hook) => (hook['config'] as JsonObject)['url'] === config['url']))
        return invalid('Hook', 'url', 'custom')
      const events = json['events'] ?? ['push']
      const hook = { ...example('hook'), id: nextId(), events, config: { ...config, secret: '********' } }
      hooks.push(hook)
      return { status: 201, body: hook }
    }),
    'DELETE /repos/:owner/:repo/hooks/:id': inRepository(({ hooks }, { params }) => {
      const index = hooks.findIndex((hook) => hook['id'] === Number(params['id']))
      if (index < 0) return replies.notFound
      hooks.splice(index, 1)
      return { status: 204 }
    }),
    'GET /search/issues': (request) => {
      const [hit] = example('issue-search-result-item-paginated')['items'] as JsonObject[]
      const text = request.query.get('q')!.split(' ').at(-1)!
      const hits = [...repositories.values()]
        .flatMap(({ issues }) => issues)
        .filter(({ title }) => String(title).includes(text))
      return found(
        request,
        hits.map(({ id, number, title }) => ({ ...hit, id: id!, number: number!, title: title! })),
      )
    },
    'GET /search/repositories': (request) =>
      found(request, example('repo-search-result-item-paginated')['items'] as Json[]),
    'GET /search/code': (request) => found(request, example('code-search-result-item-paginated')['items'] as Json[]),
  }

  const server = await startVendor({
    routes,
    guard: (request) => (request.headers.authorization === `Bearer ${TOKEN}` ? null : replies.badCredentials),
    missing: replies.notFound,
    observe: (request, reply) => void checks.push(check.problems(request, reply)),
  })
  origin = server.origin
  return {
    ...server,
    baseUrl: origin,
    problems: async () => (await Promise.all(checks)).flat(),
  }
}

/** What lists of pull requests say of one. */
function pick(pull: JsonObject): JsonObject {
  return Object.fromEntries(
    ['id', 'number', 'title', 'body', 'state', 'draft', 'merged_at', 'closed_at', 'head', 'base'].map((key) => [
      key,
      pull[key]!,
    ]),
  )
}
