import { Buffer, isUtf8 } from 'node:buffer'
import { cursorPages, defineAction, path } from '@plugwork/core/node'
import { z } from 'zod'
import { read, send, type ApiContext } from '../api-action.ts'
import { content, contents, direction, hook, inRepository, listOf, paged, release, repository } from './schemas.ts'

/** Actions on repositories, their contents, releases and webhooks. docs.github.com/en/rest/repos */

const list = defineAction({
  description: 'Lists the repositories of an organisation, or those that the credential can see.',
  input: z.strictObject({
    org: inRepository.owner.optional().describe('An organisation; left out: what the credential can see.'),
    visibility: z.enum(['all', 'public', 'private']).optional().describe('Default: all.'),
    sort: z.enum(['created', 'updated', 'pushed', 'full_name']).optional(),
    direction,
    ...paged,
  }),
  output: listOf(repository),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { org, cursor, visibility, ...query }) {
    const { data, next } = await read(context, z.array(repository), {
      ...(org === undefined
        ? { path: path`/user/repos`, query: { ...query, visibility } }
        : { path: path`/orgs/${org}/repos`, query: { ...query, type: visibility } }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const get = defineAction({
  description: 'Reads a repository.',
  input: z.strictObject(inRepository),
  output: repository,
  effect: 'read',
  idempotency: 'natural',
  example: `
- github.repos.get:
    id: repository
    connection: main
    owner: \${inputs.owner}
    repo: \${inputs.repo}
    outputs: [stargazers_count, default_branch]`,
  run: async (context: ApiContext, { owner, repo }) =>
    (await read(context, repository, { path: path`/repos/${owner}/${repo}` })).data,
})

const create = defineAction({
  description:
    'Creates a repository for the signed-in user, or in an organisation. A name that is taken is `github_invalid`.',
  input: z.strictObject({
    org: inRepository.owner.optional().describe('An organisation; left out: the signed-in user.'),
    name: inRepository.repo.describe('Name of the repository.'),
    description: z.string().optional(),
    private: z.boolean().optional().describe('Default: false.'),
    auto_init: z.boolean().optional().describe('Make a first commit with a README. Default: false.'),
  }),
  output: repository,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { org, ...json }) =>
    (
      await read(context, repository, {
        method: 'POST',
        path: org === undefined ? path`/user/repos` : path`/orgs/${org}/repos`,
        json,
      })
    ).data,
})

const getContent = defineAction({
  description: 'Reads a file, or lists a folder.',
  input: z.strictObject({
    ...inRepository,
    path: z.string().describe('Path in the repository; empty: its root.'),
    ref: z.string().optional().describe('Branch, tag or commit. Default: the default branch.'),
  }),
  output: content,
  effect: 'read',
  idempotency: 'natural',
  async run(context: ApiContext, { owner, repo, path: file, ref }) {
    const segments = file.split('/').filter((segment) => segment !== '')
    const { data } = await read(context, contents, {
      path:
        segments.length === 0
          ? path`/repos/${owner}/${repo}/contents/`
          : path`/repos/${owner}/${repo}/contents/${segments}`,
      query: { ref },
    })
    if (Array.isArray(data)) {
      return { type: 'dir', path: segments.join('/'), sha: null, size: 0, content: null, encoding: null, entries: data }
    }
    const { type, path: where, sha, size } = data
    // Beyond 1 MB the encoding is `none` and the content empty.
    if (type !== 'file' || data.encoding !== 'base64' || data.content === undefined) {
      return { type, path: where, sha, size, content: null, encoding: null, entries: [] }
    }
    const bytes = Buffer.from(data.content, 'base64')
    const isText = isUtf8(bytes)
    return {
      type,
      path: where,
      sha,
      size,
      content: bytes.toString(isText ? 'utf8' : 'base64'),
      encoding: isText ? ('text' as const) : ('base64' as const),
      entries: [],
    }
  },
})

const listReleases = defineAction({
  description: 'Lists the releases of a repository, newest first.',
  input: z.strictObject({ ...inRepository, ...paged }),
  output: listOf(release),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, cursor, ...query }) {
    const { data, next } = await read(context, z.array(release), {
      path: path`/repos/${owner}/${repo}/releases`,
      query,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const latestRelease = defineAction({
  description: 'Reads the latest release that is neither a draft nor a pre-release.',
  input: z.strictObject(inRepository),
  output: release,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo }) =>
    (await read(context, release, { path: path`/repos/${owner}/${repo}/releases/latest` })).data,
})

const createRelease = defineAction({
  description: 'Creates a release, and its tag where there is none.',
  input: z.strictObject({
    ...inRepository,
    tag_name: z.string().min(1),
    target_commitish: z.string().optional().describe('Branch or commit of a new tag. Default: the default branch.'),
    name: z.string().optional(),
    body: z.string().optional().describe('Markdown.'),
    draft: z.boolean().optional(),
    prerelease: z.boolean().optional(),
    generate_release_notes: z.boolean().optional(),
  }),
  output: release,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { owner, repo, ...json }) =>
    (await read(context, release, { method: 'POST', path: path`/repos/${owner}/${repo}/releases`, json })).data,
})

const listHooks = defineAction({
  description: 'Lists the webhooks of a repository.',
  input: z.strictObject({ ...inRepository, ...paged }),
  output: listOf(hook),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, cursor, ...query }) {
    const { data, next } = await read(context, z.array(hook), {
      path: path`/repos/${owner}/${repo}/hooks`,
      query,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const createHook = defineAction({
  description: 'Creates a webhook that sends JSON.',
  input: z.strictObject({
    ...inRepository,
    url: z.url({ protocol: /^https?$/ }).describe('Where GitHub sends the events.'),
    secret: z.string().min(1).meta({ 'x-plugwork': 'secret', description: 'Signs what GitHub sends.' }),
    events: z.array(z.string()).min(1).optional().describe('Default: push.'),
  }),
  output: hook,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { owner, repo, url, secret, events }) =>
    (
      await read(context, hook, {
        method: 'POST',
        path: path`/repos/${owner}/${repo}/hooks`,
        json: { name: 'web', active: true, events, config: { url, secret, content_type: 'json', insecure_ssl: '0' } },
      })
    ).data,
})

const deleteHook = defineAction({
  description: 'Deletes a webhook. One that is gone is `github_not_found`.',
  input: z.strictObject({ ...inRepository, hook_id: z.int().positive() }),
  output: z.object({ deleted: z.literal(true) }),
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: ApiContext, { owner, repo, hook_id: id }) {
    await send(context, { method: 'DELETE', path: path`/repos/${owner}/${repo}/hooks/${id}` })
    return { deleted: true as const }
  },
})

export const repositoryActions = {
  'repos.list': list,
  'repos.get': get,
  'repos.create': create,
  'repos.get_content': getContent,
  'releases.list': listReleases,
  'releases.get_latest': latestRelease,
  'releases.create': createRelease,
  'webhooks.list': listHooks,
  'webhooks.create': createHook,
  'webhooks.delete': deleteHook,
}
