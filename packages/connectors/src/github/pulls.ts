import { cursorPages, defineAction, path } from '@plugwork/core/node'
import { z } from 'zod'
import { read, type ApiContext } from '../api-action.ts'
import { changedFile, direction, inRepository, listOf, merged, number, paged, pull, pullSummary } from './schemas.ts'

/** Actions on pull requests. docs.github.com/en/rest/pulls/pulls */

const list = defineAction({
  description: 'Lists the pull requests of a repository, newest first.',
  input: z.strictObject({
    ...inRepository,
    state: z.enum(['open', 'closed', 'all']).optional().describe('Default: open.'),
    head: z.string().optional().describe('`owner:branch` that is to be merged.'),
    base: z.string().optional().describe('Branch into which it is to be merged.'),
    sort: z.enum(['created', 'updated', 'popularity', 'long-running']).optional(),
    direction,
    ...paged,
  }),
  output: listOf(pullSummary),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, cursor, ...query }) {
    const { data, next } = await read(context, z.array(pullSummary), {
      path: path`/repos/${owner}/${repo}/pulls`,
      query,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const get = defineAction({
  description: 'Reads a pull request.',
  input: z.strictObject({ ...inRepository, number }),
  output: pull,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo, number }) =>
    (await read(context, pull, { path: path`/repos/${owner}/${repo}/pulls/${number}` })).data,
})

const create = defineAction({
  description: 'Opens a pull request. A second one for the same branches is `github_invalid`.',
  input: z.strictObject({
    ...inRepository,
    title: z.string().min(1),
    head: z.string().min(1).describe('Branch with the changes; `owner:branch` from a fork.'),
    base: z.string().min(1).describe('Branch into which they are to be merged.'),
    body: z.string().optional().describe('Markdown.'),
    draft: z.boolean().optional(),
  }),
  output: pull,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { owner, repo, ...json }) =>
    (await read(context, pull, { method: 'POST', path: path`/repos/${owner}/${repo}/pulls`, json })).data,
})

const merge = defineAction({
  description: 'Merges a pull request. One that cannot be merged, or is merged already, is `github_conflict`.',
  input: z.strictObject({
    ...inRepository,
    number,
    merge_method: z.enum(['merge', 'squash', 'rebase']).optional(),
    commit_title: z.string().optional(),
    commit_message: z.string().optional(),
    sha: z.string().optional().describe('Merge only while this is the head.'),
  }),
  output: merged,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { owner, repo, number, ...json }) =>
    (await read(context, merged, { method: 'PUT', path: path`/repos/${owner}/${repo}/pulls/${number}/merge`, json }))
      .data,
})

const files = defineAction({
  description: 'Lists the files that a pull request changes; GitHub shows the first 3,000.',
  input: z.strictObject({ ...inRepository, number, ...paged }),
  output: listOf(changedFile),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, number, cursor, ...query }) {
    const { data, next } = await read(context, z.array(changedFile), {
      path: path`/repos/${owner}/${repo}/pulls/${number}/files`,
      query,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

export const pullActions = {
  'pulls.list': list,
  'pulls.get': get,
  'pulls.create': create,
  'pulls.merge': merge,
  'pulls.list_files': files,
}
