import { cursorPages, defineAction, path } from '@plugwork/core/node'
import { z } from 'zod'
import { read, send, type ApiContext } from '../api-action.ts'
import { comment, direction, inRepository, issue, labels, listOf, number, paged } from './schemas.ts'

/** Actions on issues and their comments. docs.github.com/en/rest/issues */

const list = defineAction({
  description:
    'Lists the issues of a repository, newest first. Pull requests are issues too; they have `pull_request`.',
  input: z.strictObject({
    ...inRepository,
    state: z.enum(['open', 'closed', 'all']).optional().describe('Default: open.'),
    labels: z.array(z.string()).optional().describe('Only issues that have all of these.'),
    assignee: z.string().optional().describe('Login, `none` or `*`.'),
    creator: z.string().optional().describe('Login of who opened it.'),
    milestone: z.string().optional().describe('Number, `none` or `*`.'),
    since: z.string().optional().describe('Only issues changed after this time (ISO 8601).'),
    sort: z.enum(['created', 'updated', 'comments']).optional(),
    direction,
    ...paged,
  }),
  output: listOf(issue),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, cursor, labels: wanted, ...query }) {
    const { data, next } = await read(context, z.array(issue), {
      path: path`/repos/${owner}/${repo}/issues`,
      query: { ...query, ...(wanted === undefined ? {} : { labels: wanted.join(',') }) },
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const get = defineAction({
  description: 'Reads an issue.',
  input: z.strictObject({ ...inRepository, number }),
  output: issue,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo, number }) =>
    (await read(context, issue, { path: path`/repos/${owner}/${repo}/issues/${number}` })).data,
})

const create = defineAction({
  description: 'Opens an issue.',
  input: z.strictObject({
    ...inRepository,
    title: z.string().min(1),
    body: z.string().optional().describe('Markdown.'),
    labels: z.array(z.string()).optional(),
    assignees: z.array(z.string()).optional().describe('Logins.'),
    milestone: z.int().optional().describe('Number of a milestone.'),
  }),
  output: issue,
  effect: 'write',
  idempotency: 'none',
  example: `
- github.issues.create:
    id: issue
    connection: main
    owner: octocat
    repo: Hello-World
    title: "Broken build: \${inputs.branch}"
    labels: [bug]
    outputs: [number, html_url]`,
  run: async (context: ApiContext, { owner, repo, ...json }) =>
    (await read(context, issue, { method: 'POST', path: path`/repos/${owner}/${repo}/issues`, json })).data,
})

const update = defineAction({
  description: 'Changes an issue: what is given replaces what was there.',
  input: z.strictObject({
    ...inRepository,
    number,
    title: z.string().min(1).optional(),
    body: z.string().nullable().optional(),
    state: z.enum(['open', 'closed']).optional(),
    state_reason: z.enum(['completed', 'not_planned', 'duplicate', 'reopened']).nullable().optional(),
    labels: z.array(z.string()).optional().describe('All of its labels.'),
    assignees: z.array(z.string()).optional().describe('All of its assignees.'),
    milestone: z.int().nullable().optional(),
  }),
  output: issue,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo, number, ...json }) =>
    (await read(context, issue, { method: 'PATCH', path: path`/repos/${owner}/${repo}/issues/${number}`, json })).data,
})

const close = defineAction({
  description: 'Closes an issue.',
  input: z.strictObject({
    ...inRepository,
    number,
    reason: z.enum(['completed', 'not_planned', 'duplicate']).optional().describe('Default: completed.'),
  }),
  output: issue,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo, number, reason }) =>
    (
      await read(context, issue, {
        method: 'PATCH',
        path: path`/repos/${owner}/${repo}/issues/${number}`,
        json: { state: 'closed', state_reason: reason },
      })
    ).data,
})

const addLabels = defineAction({
  description: 'Adds labels to an issue or pull request, and keeps those that are there.',
  input: z.strictObject({ ...inRepository, number, labels: z.array(z.string()).min(1) }),
  output: z.object({ labels: labels.describe('All labels that it has now.') }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, { owner, repo, number, labels: added }) {
    const { data } = await read(context, labels, {
      method: 'POST',
      path: path`/repos/${owner}/${repo}/issues/${number}/labels`,
      json: { labels: added },
    })
    return { labels: data }
  },
})

const listComments = defineAction({
  description: 'Lists the comments of an issue or pull request, oldest first.',
  input: z.strictObject({
    ...inRepository,
    number,
    since: z.string().optional().describe('Only comments changed after this time (ISO 8601).'),
    ...paged,
  }),
  output: listOf(comment),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { owner, repo, number, cursor, ...query }) {
    const { data, next } = await read(context, z.array(comment), {
      path: path`/repos/${owner}/${repo}/issues/${number}/comments`,
      query,
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { items: data, next_cursor: next }
  },
})

const createComment = defineAction({
  description: 'Comments on an issue or pull request.',
  input: z.strictObject({ ...inRepository, number, body: z.string().min(1).describe('Markdown.') }),
  output: comment,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { owner, repo, number, body }) =>
    (
      await read(context, comment, {
        method: 'POST',
        path: path`/repos/${owner}/${repo}/issues/${number}/comments`,
        json: { body },
      })
    ).data,
})

const commentId = z.int().positive().describe('Id of the comment.')

const updateComment = defineAction({
  description: 'Replaces the text of a comment.',
  input: z.strictObject({ ...inRepository, comment_id: commentId, body: z.string().min(1) }),
  output: comment,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, { owner, repo, comment_id: id, body }) =>
    (
      await read(context, comment, {
        method: 'PATCH',
        path: path`/repos/${owner}/${repo}/issues/comments/${id}`,
        json: { body },
      })
    ).data,
})

const deleteComment = defineAction({
  description: 'Deletes a comment. A comment that is gone is `github_not_found`.',
  input: z.strictObject({ ...inRepository, comment_id: commentId }),
  output: z.object({ deleted: z.literal(true) }),
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: ApiContext, { owner, repo, comment_id: id }) {
    await send(context, { method: 'DELETE', path: path`/repos/${owner}/${repo}/issues/comments/${id}` })
    return { deleted: true as const }
  },
})

export const issueActions = {
  'issues.list': list,
  'issues.get': get,
  'issues.create': create,
  'issues.update': update,
  'issues.close': close,
  'issues.add_labels': addLabels,
  'comments.list': listComments,
  'comments.create': createComment,
  'comments.update': updateComment,
  'comments.delete': deleteComment,
}
