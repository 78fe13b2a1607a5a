/**
 * Shapes of GitHub's REST API (2022-11-28): of each thing the fields that say something, without the addresses that GitHub
 * repeats in everything, and without `temp_clone_token`. docs.github.com/en/rest
 */
import { z } from 'zod'

const text = z.string()
const count = z.number().int()
const time = z.string().describe('ISO 8601.')

/** An account as it appears inside of other things; GitHub leaves out who was deleted. */
const account = z.object({ login: text, id: count, type: text.optional(), html_url: text.optional() }).nullable()

const label = z.union([
  z.string(),
  z.object({
    id: count.optional(),
    name: text.nullish(),
    color: text.nullish(),
    description: text.nullish(),
  }),
])

export const issue = z.object({
  id: count,
  node_id: text,
  number: count.describe('Number in the repository.'),
  title: text,
  body: text.nullish(),
  state: text.describe('`open` or `closed`.'),
  state_reason: text.nullish(),
  html_url: text,
  user: account,
  labels: z.array(label),
  assignees: z.array(account).nullish(),
  milestone: z.object({ number: count, title: text, state: text }).nullish(),
  locked: z.boolean(),
  comments: count.describe('How many comments it has.'),
  pull_request: z
    .object({ url: text.nullable(), html_url: text.nullable() })
    .optional()
    .describe('Set where it is a pull request.'),
  author_association: text.optional(),
  created_at: time,
  updated_at: time,
  closed_at: time.nullish(),
})

export const comment = z.object({
  id: count,
  node_id: text,
  body: text.optional(),
  html_url: text,
  issue_url: text,
  user: account,
  author_association: text.optional(),
  created_at: time,
  updated_at: time,
})

export const labels = z.array(
  z.object({ id: count, name: text, color: text, default: z.boolean(), description: text.nullish() }),
)

export const repository = z.object({
  id: count,
  node_id: text,
  name: text,
  full_name: text.describe('`owner/name`.'),
  owner: account,
  private: z.boolean(),
  fork: z.boolean(),
  archived: z.boolean().optional(),
  visibility: text.optional(),
  description: text.nullable(),
  html_url: text,
  clone_url: text.optional(),
  default_branch: text.optional(),
  language: text.nullish(),
  topics: z.array(text).optional(),
  stargazers_count: count.optional(),
  forks_count: count.optional(),
  open_issues_count: count.optional(),
  created_at: time.nullish(),
  updated_at: time.nullish(),
  pushed_at: time.nullish(),
})

const branch = z.object({ label: text.nullish(), ref: text, sha: text })

export const pullSummary = z.object({
  id: count,
  node_id: text,
  number: count,
  title: text,
  body: text.nullish(),
  state: text,
  draft: z.boolean().optional(),
  locked: z.boolean(),
  html_url: text,
  user: account,
  head: branch,
  base: branch,
  labels: z.array(z.object({ id: count, name: text, color: text })),
  assignees: z.array(account).nullish(),
  requested_reviewers: z.array(account).nullish(),
  merge_commit_sha: text.nullable(),
  created_at: time,
  updated_at: time,
  closed_at: time.nullable(),
  merged_at: time.nullable(),
})

export const pull = pullSummary.extend({
  merged: z.boolean(),
  mergeable: z.boolean().nullable().describe('Null while GitHub still finds out.'),
  mergeable_state: text,
  merged_by: account,
  comments: count,
  review_comments: count,
  commits: count,
  additions: count,
  deletions: count,
  changed_files: count,
})

export const merged = z.object({ sha: text, merged: z.boolean(), message: text })

export const changedFile = z.object({
  sha: text.nullable(),
  filename: text,
  previous_filename: text.optional(),
  status: text,
  additions: count,
  deletions: count,
  changes: count,
  patch: text.optional(),
})

export const release = z.object({
  id: count,
  node_id: text,
  tag_name: text,
  target_commitish: text,
  name: text.nullable(),
  body: text.nullish(),
  draft: z.boolean(),
  prerelease: z.boolean(),
  html_url: text,
  author: account,
  assets: z.array(
    z.object({
      id: count,
      name: text,
      content_type: text,
      size: count,
      download_count: count,
      browser_download_url: text,
    }),
  ),
  created_at: time,
  published_at: time.nullable(),
})

export const hook = z.object({
  id: count,
  type: text,
  name: text,
  active: z.boolean(),
  events: z.array(text),
  config: z.object({ url: text.optional(), content_type: text.optional() }),
  created_at: time,
  updated_at: time,
})

const entry = { name: text, path: text, sha: text, size: count, type: text }

/** What `contents` answers: a list for a folder. */
export const contents = z.union([
  z.array(z.object(entry)),
  z.object({ ...entry, content: text.optional(), encoding: text.optional(), target: text.optional() }),
])

export const content = z.object({
  type: text.describe('`file`, `dir`, `symlink` or `submodule`.'),
  path: text,
  sha: text.nullable().describe('Of the blob; null for a folder.'),
  size: count,
  content: text.nullable().describe('Of a file of up to 1 MB; null for everything else.'),
  encoding: z.enum(['text', 'base64']).nullable().describe('How `content` is written.'),
  entries: z.array(z.object(entry)).describe('Of a folder.'),
})

export const codeHit = z.object({
  name: text,
  path: text,
  sha: text,
  html_url: text,
  repository: z.object({ id: count, name: text, full_name: text, private: z.boolean(), html_url: text }),
})

/** Output of a list. `next_cursor` goes into `cursor` of the next call; null on the last page. */
export const listOf = <Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; next_cursor: z.ZodNullable<z.ZodString> }> =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('For `cursor` of the next call; null on the last page.'),
  })

export const foundOf = <Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ total_count: z.ZodInt; incomplete_results: z.ZodBoolean; items: z.ZodArray<Item> }> =>
  z.object({ total_count: z.int(), incomplete_results: z.boolean(), items: z.array(item) })

/** A name in a path: account or repository. */
const name = (what: string): z.ZodString =>
  z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'must be a name')
    .describe(what)

export const inRepository = {
  owner: name('Account that owns the repository.'),
  repo: name('Name of the repository, without its owner.'),
}

export const paged = {
  per_page: z.int().min(1).max(100).optional().describe('Items a page; 30 when left out.'),
  cursor: z.string().optional().describe('`next_cursor` of the page before.'),
}

export const direction = z.enum(['asc', 'desc']).optional()
export const number = z.int().positive().describe('Number in the repository.')
